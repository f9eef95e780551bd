"""Where logs are imported from on request: where the agent itself keeps them, or a folder or file that somebody names.

Blocking: it looks whether they are there.
"""

import glob
import os
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from clown_daemon.errors import DomainError
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.usage.scanner import Root, roots_below, scan
from clown_daemon.usage.sources import BY_NAME, SOURCES, Source


def source_called(name: str) -> Source:
    """Answer the source of this name.

    Raises:
        DomainError: there is none, or its logs cannot be read.
    """
    source = BY_NAME.get(name)
    readable = [known.name for known in SOURCES if known.kinds]
    if source is None:
        near = nearest_name(name, readable)
        sentence = f"source: there is no source {name!r}" + (f"; did you mean {near}?" if near else "")
        raise DomainError(ProblemCode.INVALID_FIELD, sentence, hint=f"sources: {', '.join(readable)}")
    if not source.kinds:
        sentence = f"source: what {source.title} writes is not known, so it is not read"
        raise DomainError(ProblemCode.INVALID_FIELD, sentence, hint=f"sources: {', '.join(readable)}")
    return source


def roots_to_import(
    source: Source, named: str | None, environ: Mapping[str, str], *, field: str = "path"
) -> tuple[Root, ...]:
    """Answer the folders to import from; what is in them may belong to profiles all the same.

    Args:
        source: whose logs.
        named: an agent's folder, the folder of its logs in it, or one log; None is where the agent keeps them.
        environ: where the agent keeps them.
        field: what the caller calls `named`.

    Raises:
        DomainError: there are no logs.
    """
    if named is None:
        return _default_roots(source, environ)
    path = _absolute(named, environ, field)
    if path.is_file():
        return (_root_of_log(source, path),)
    if not path.is_dir():
        raise DomainError(ProblemCode.BAD_REQUEST, f"there is no folder {path}")
    found = tuple(root for root in roots_below(source, source.folder_around(path), UNATTRIBUTED) if _has_logs(root))
    if not found:
        raise DomainError(
            ProblemCode.BAD_REQUEST,
            f"there are no {source.title} logs in {path}",
            hint=f"name the folder of {source.title}, such as ~/{source.defaults[0]}, or that of its logs in it",
        )
    return found


def _default_roots(source: Source, environ: Mapping[str, str]) -> tuple[Root, ...]:
    looked = [root for folder in source.folders(environ) for root in roots_below(source, folder, UNATTRIBUTED)]
    found = tuple(root for root in looked if _has_logs(root))
    if not found:
        places = " or ".join(dict.fromkeys(root.folder for root in looked)) or "your home folder"
        raise DomainError(ProblemCode.BAD_REQUEST, f"there are no {source.title} logs in {places}")
    return found


def _absolute(named: str, environ: Mapping[str, str], field: str) -> Path:
    path = Path(named)
    if path.parts[:1] == ("~",) and environ.get("HOME"):
        path = Path(environ["HOME"], *path.parts[1:])
    if not path.is_absolute():
        raise DomainError(ProblemCode.BAD_REQUEST, f"{field}: {named!r} is no absolute path")
    return path


def _root_of_log(source: Source, path: Path) -> Root:
    for kind in source.kinds:
        if fnmatchcase(path.name, kind.parts[-1]):
            folder = os.path.realpath(path.parent)
            return Root(source.name, kind, folder, UNATTRIBUTED, (glob.escape(path.name),))
    raise DomainError(ProblemCode.BAD_REQUEST, f"{path} is no log of {source.title}")


def _has_logs(root: Root) -> bool:
    """Whether there is a folder for logs, or, where the agent keeps other things there too, a log."""
    if not Path(root.folder).is_dir():
        return False
    return bool(root.kind.folder.parts) or bool(scan([root]).files)
