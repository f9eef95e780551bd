"""Which log files there are, and whose they are.

Claude Code keeps its transcripts in `projects/` below its configuration folder: `$CLAUDE_CONFIG_DIR` (a comma list is
taken too), else `~/.claude` and `~/.config/claude`; a profile has a configuration folder of its own. A file belongs to
the profile with the innermost folder that holds it, else to nobody (`unattributed`). Paths are real paths, so that a
folder that is reached by two names is read once.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from clown_daemon.protocol.resources import UNATTRIBUTED

LOGS_FOLDER = "projects"
SUFFIX = ".jsonl"


class Root(NamedTuple):
    """A folder of transcripts."""

    path: Path
    profile: str


class LogFile(NamedTuple):
    """A transcript as it was found."""

    path: str
    profile: str
    inode: int
    size: int
    modified_ns: int


class Scan(NamedTuple):
    """What was found: files, oldest change first (so that a fork comes after what it copied), and what failed."""

    files: tuple[LogFile, ...]
    problems: tuple[str, ...]


def default_roots(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Answer where Claude Code itself keeps its transcripts; the folders need not exist."""
    chosen = [Path(part.strip()) for part in environ.get("CLAUDE_CONFIG_DIR", "").split(",") if part.strip()]
    if chosen:
        return tuple(path if path.name == LOGS_FOLDER else path / LOGS_FOLDER for path in chosen)
    home = environ.get("HOME")
    if not home:
        return ()
    return (Path(home, ".claude", LOGS_FOLDER), Path(home, ".config", "claude", LOGS_FOLDER))


def find_roots(environ: Mapping[str, str], profiles: Mapping[str, Path]) -> tuple[Root, ...]:
    """Answer every folder of transcripts, each once, a profile's before nobody's."""
    named = [Root(_real(home / LOGS_FOLDER), alias) for alias, home in sorted(profiles.items())]
    nobody = [Root(_real(path), UNATTRIBUTED) for path in default_roots(environ)]
    return _once((*named, *nobody))


def with_root(roots: Sequence[Root], path: Path) -> tuple[Root, ...]:
    """Add a folder that belongs to nobody, unless a profile has it already."""
    return _once((*roots, Root(_real(path), UNATTRIBUTED)))


def scan(roots: Sequence[Root], within: Iterable[Path] | None = None) -> Scan:
    """Look at every transcript below the roots, or only at these files and folders."""
    problems: list[str] = []
    found: dict[str, LogFile] = {}
    for start in [root.path for root in roots] if within is None else within:
        for path in _transcripts(start, problems):
            profile = _owner(path, roots)
            if profile is not None and path not in found and (file := _look(path, profile, problems)):
                found[path] = file
    return Scan(tuple(sorted(found.values(), key=lambda file: (file.modified_ns, file.path))), tuple(sorted(problems)))


def _once(roots: Iterable[Root]) -> tuple[Root, ...]:
    by_path: dict[Path, Root] = {}
    for root in roots:
        by_path.setdefault(root.path, root)
    return tuple(by_path.values())


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _transcripts(start: Path, problems: list[str]) -> Iterator[str]:
    def note(error: OSError) -> None:
        # A folder that is not there, or went away meanwhile, is no problem: the agent was not used yet.
        if not isinstance(error, FileNotFoundError):
            problems.append(f"the log folder {error.filename} cannot be read: {error.strerror}")

    if start.suffix == SUFFIX and not start.is_dir():
        yield str(start)
        return
    for folder, _, names in os.walk(start, onerror=note):
        for name in names:
            if name.endswith(SUFFIX):
                yield str(Path(folder, name))


def _owner(path: str, roots: Sequence[Root]) -> str | None:
    holding = [root for root in roots if path.startswith(f"{root.path}{os.sep}")]
    return max(holding, key=lambda root: len(str(root.path))).profile if holding else None


def _look(path: str, profile: str, problems: list[str]) -> LogFile | None:
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        problems.append(f"the log {path} cannot be read: {error.strerror}")
        return None
    return LogFile(path, profile, status.st_ino, status.st_size, status.st_mtime_ns)
