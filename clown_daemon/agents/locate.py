"""Finds an agent's program on this machine and the package it belongs to. Reads the disk: call it off the event loop.

Looked for as a shell would (`PATH`, in order), then in the folders that installers use. Relative entries of `PATH` are
skipped: they would mean the daemon's own folder.
"""

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from clown_daemon.agents.versions import is_placeholder, package_version
from clown_daemon.manifests.agent import AgentManifest

PACKAGE_LEVELS = 6
"""How many folders above a program its package may lie."""
HEAD_BYTES = 512


@dataclass(frozen=True, kw_only=True)
class Located:
    """Where a program is, if it is there, and what its package says."""

    path: Path | None
    """As it is started: links are not resolved, so that an upgrade by relinking keeps it."""
    package_file: Path | None = None
    package_version: str | None = None
    problem: str | None = None
    """Why something that is there does not count, in one sentence."""


def locate(manifest: AgentManifest, environ: Mapping[str, str]) -> Located:
    """Find the program of an agent."""
    problem: str | None = None
    for candidate in candidates(manifest, environ):
        obstacle = _obstacle(candidate)
        if obstacle is None:
            return _examine(manifest, candidate)
        problem = problem or (obstacle or None)
    return Located(path=None, problem=problem)


def candidates(manifest: AgentManifest, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Every path at which the program would be found, the first one first."""
    home = environ.get("HOME", "")
    if manifest.binary.startswith(("/", "~/")):
        path = _expand(manifest.binary, home)
        return () if path is None else (path,)
    on_path = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if entry.startswith("/")]
    known = [folder for entry in manifest.folders if (folder := _expand(entry, home)) is not None]
    return tuple(dict.fromkeys(folder / manifest.binary for folder in (*on_path, *known)))


def _expand(entry: str, home: str) -> Path | None:
    if not entry.startswith("~/"):
        return Path(entry) if entry.startswith("/") else None
    return Path(home) / entry[2:] if home.startswith("/") else None


def _obstacle(path: Path) -> str | None:
    """Why a path is no program: None when it is one, empty when nothing is there, else a sentence."""
    try:
        if path.is_file():
            return None if os.access(path, os.X_OK) else f"{path} is not executable"
        if path.is_symlink():
            return f"{path} is a link to nothing"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    return ""


def _examine(manifest: AgentManifest, path: Path) -> Located:
    try:
        real = path.resolve(strict=True)
        with real.open("rb") as file:
            placeholder = is_placeholder(file.read(HEAD_BYTES))
    except PermissionError:
        # Programs may be executable without being readable.
        real, placeholder = path, False
    except OSError as error:
        return Located(path=None, problem=f"{path} cannot be looked at: {error.strerror}")
    package_file, version = _package(manifest.version.package, real)
    if not placeholder:
        return Located(path=path, package_file=package_file, package_version=version)
    stand_in = next(_stand_ins(manifest, real), None)
    if stand_in is not None:
        return Located(path=stand_in, package_file=package_file, package_version=version)
    return Located(
        path=None,
        package_file=package_file,
        problem=f"{path} is only a placeholder: the install script of its package did not run",
    )


def _package(package: str | None, real: Path) -> tuple[Path | None, str | None]:
    if package is None:
        return None, None
    for folder in list(real.parents)[:PACKAGE_LEVELS]:
        file = folder / "package.json"
        try:
            version = package_version(file.read_text("utf-8"), package)
        except (OSError, UnicodeDecodeError):
            continue
        if version is not None:
            return file, version
    return None, None


def _stand_ins(manifest: AgentManifest, real: Path) -> Iterator[Path]:
    """The platform's own packages: inside the package's `node_modules`, or beside it."""
    names = {"os": _node_os(), "cpu": _node_cpu()}
    for folder in list(real.parents)[:PACKAGE_LEVELS]:
        modules = folder if folder.name == "node_modules" else folder / "node_modules"
        for template in manifest.platform_binaries:
            path = modules / template.replace("{os}", names["os"]).replace("{cpu}", names["cpu"])
            if _obstacle(path) is None:
                yield path


def _node_os() -> str:
    return platform.system().lower()


def _node_cpu() -> str:
    machine = platform.machine().lower()
    return {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine, machine)
