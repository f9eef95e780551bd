"""Which log files there are, and whose they are.

Every source has folders of its own and one below each profile's home. A file belongs to the profile with the innermost
folder that holds it, else to nobody (`unattributed`). Paths are real paths, so that a folder that is reached by two
names is read once. Only regular files are ever opened: a pipe would wait for ever.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import NamedTuple

from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.usage.sources import ANY_DEPTH, SOURCES, LogFile, LogKind, Source


class Root(NamedTuple):
    """A folder of logs of one kind."""

    source: str
    kind: LogKind
    folder: str
    """A real path; it need not exist."""
    profile: str
    parts: tuple[str, ...]
    """The pattern of the logs below it."""

    @property
    def nested(self) -> bool:
        """Whether logs may lie deeper."""
        return len(self.parts) > 1


class Problem(NamedTuple):
    """What of a source cannot be read, in a sentence."""

    source: str
    sentence: str


class Scan(NamedTuple):
    """What was found: files, oldest change first (so that a fork comes after what it copied), and what failed."""

    files: tuple[LogFile, ...]
    problems: tuple[Problem, ...]


def find_roots(environ: Mapping[str, str], profiles: Mapping[str, Path]) -> tuple[Root, ...]:
    """Answer every folder of logs, each once, a profile's before nobody's.

    Args:
        environ: where the agents' own folders are named.
        profiles: the home of each profile, by alias.
    """
    roots: list[Root] = []
    for source in SOURCES:
        for alias, home in sorted(profiles.items()):
            roots += roots_below(source, source.folder_of_profile(home), alias)
        for folder in source.folders(environ):
            roots += roots_below(source, folder, UNATTRIBUTED)
    return _once(roots)


def roots_below(source: Source, folder: Path, profile: str) -> tuple[Root, ...]:
    """Answer the folders of logs below an agent's folder."""
    return tuple(
        Root(source.name, kind, os.path.realpath(folder / kind.folder), profile, kind.parts) for kind in source.kinds
    )


def with_roots(roots: Sequence[Root], more: Iterable[Root]) -> tuple[Root, ...]:
    """Add folders that belong to nobody, unless a profile has them already."""
    return _once((*roots, *more))


def scan(roots: Sequence[Root], within: Iterable[Path] | None = None) -> Scan:
    """Look at every log below the roots, or only at these files and folders."""
    look = _Look(roots)
    if within is None:
        for root in roots:
            look.walk(root.folder, root, root.parts)
    else:
        for path in within:
            look.at(str(path))
    look.follow_links()
    files = sorted(look.found.values(), key=lambda file: (file.modified_ns, file.path))
    return Scan(tuple(files), tuple(sorted(set(look.problems))))


class _Look:
    """One look: every folder once, links last, so that a file is known by its own name."""

    def __init__(self, roots: Sequence[Root]) -> None:
        self.found: dict[str, LogFile] = {}
        self.problems: list[Problem] = []
        self._roots = roots
        self._seen: set[tuple[str, str]] = set()
        self._links: list[tuple[str, Root, tuple[str, ...]]] = []
        self._inside: dict[tuple[str, str], list[Root]] = {}

    def walk(self, folder: str, root: Root, parts: tuple[str, ...]) -> None:
        """Look at everything below a folder that the parts of the pattern reach."""
        waiting = [(folder, parts)]
        while waiting:
            folder, parts = waiting.pop()
            if (root.kind.name, folder) in self._seen:
                continue
            self._seen.add((root.kind.name, folder))
            for entry in self._entries(folder, root):
                if entry.is_symlink():
                    self._links.append((entry.path, root, parts))
                elif entry.is_dir():
                    if below := _below(parts, entry.name):
                        waiting.append((entry.path, below))
                elif _is_log(parts, entry.name):
                    self._add(entry, entry.path, root)

    def at(self, path: str) -> None:
        """Look at one file or folder, for every root that holds it."""
        for root in self._roots:
            if path == root.folder:
                self.walk(path, root, root.parts)
            elif _holds(root, path):
                folders = PurePath(path).relative_to(root.folder).parts[:-1]
                if parts := _below(root.parts, *folders):
                    self._links.append((_log_of(path, root.kind), root, parts))

    def follow_links(self) -> None:
        """Look at what may be anything; folders behind links are looked at once, by their real path."""
        while self._links:
            path, root, parts = self._links.pop()
            name = path.rpartition(os.sep)[2]
            real = Path(os.path.realpath(path))
            if real.is_dir():
                if below := _below(parts, name):
                    self.walk(str(real), root, below)
            elif _is_log(parts, name):
                self._add(real, str(real), root)

    def _entries(self, folder: str, root: Root) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except FileNotFoundError:
            pass  # the agent was not used yet, or it went away meanwhile
        except OSError as error:
            self._fail(root, f"the log folder {folder} cannot be read: {error.strerror}")

    def _add(self, found: "os.DirEntry[str] | Path", path: str, root: Root) -> None:
        if path in self.found:
            return
        try:
            status = found.stat()
        except FileNotFoundError:
            return
        except OSError as error:
            self._fail(root, f"the log {path} cannot be read: {error.strerror}")
            return
        if not stat.S_ISREG(status.st_mode):
            self._fail(root, f"{path} is {_nature(status.st_mode)}, no file, and is not read")
            return
        size, modified_ns = status.st_size, status.st_mtime_ns
        for suffix in root.kind.companions:
            with contextlib.suppress(OSError):
                companion = Path(path + suffix).stat()
                size += companion.st_size
                modified_ns = max(modified_ns, companion.st_mtime_ns)
        owner = self._owner(path, root)
        self.found[path] = LogFile(root.source, root.kind.name, path, owner, status.st_ino, size, modified_ns)

    def _owner(self, path: str, root: Root) -> str:
        """Answer whose a file is that was found below a root, perhaps behind a link."""
        candidates = self._roots_inside(root) if _holds(root, path) else self._roots
        holding = [found for found in candidates if found.kind is root.kind and _holds(found, path)]
        return max(holding, key=lambda found: len(found.folder), default=root).profile

    def _roots_inside(self, root: Root) -> list[Root]:
        key = (root.kind.name, root.folder)
        if key not in self._inside:
            self._inside[key] = [found for found in self._roots if _holds(root, found.folder)]
        return self._inside[key]

    def _fail(self, root: Root, sentence: str) -> None:
        self.problems.append(Problem(root.source, sentence))


def _once(roots: Iterable[Root]) -> tuple[Root, ...]:
    by_folder: dict[tuple[str, str], Root] = {}
    for root in roots:
        by_folder.setdefault((root.kind.name, root.folder), root)
    return tuple(by_folder.values())


def _log_of(path: str, kind: LogKind) -> str:
    """Answer the log that a file belongs to: itself, unless it is a companion."""
    suffix = next((suffix for suffix in kind.companions if path.endswith(suffix)), "")
    return path.removesuffix(suffix)


def _holds(root: Root, path: str) -> bool:
    return path.startswith(f"{root.folder}{os.sep}")


def _below(parts: tuple[str, ...], *folders: str) -> tuple[str, ...]:
    """Answer the pattern inside of folders; empty where it reaches nothing."""
    for folder in folders:
        if parts[0] == ANY_DEPTH:
            continue
        if len(parts) == 1 or not fnmatchcase(folder, parts[0]):
            return ()
        parts = parts[1:]
    return parts


def _is_log(parts: tuple[str, ...], name: str) -> bool:
    return (len(parts) == 1 or (len(parts) == 2 and parts[0] == ANY_DEPTH)) and fnmatchcase(name, parts[-1])


def _nature(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a device"
