"""The service managers, by their own command lines: systemctl and launchctl.

A manager may be installed and yet not be there: in a container, over ssh without a session, under another init. Then
the files are all that can be done, and the caller says what to run later.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from clown_daemon.errors import ClownError
from clown_daemon.service.launchd import FILE, LABEL, agent_folder, agents
from clown_daemon.service.plan import Plan
from clown_daemon.service.systemd import SERVICE, SOCKET, unit_folder, units

COMMAND_SECONDS = 60
"""How long one command may take; stopping the daemon, which ends its runs, is one."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How the manager sees the service; None is unknown."""

    enabled: str | None
    active: str | None


class Manager(Protocol):
    """What installs and runs services of the user."""

    name: str
    file_names: tuple[str, ...]

    def folder(self) -> Path:
        """Where its files are."""

    def texts(self, plan: Plan) -> dict[str, str]:
        """Its files, by name."""

    def absence(self) -> str | None:
        """Why it cannot be asked anything here; None when it can."""

    def later(self) -> tuple[str, ...]:
        """What to run, when it can be asked, to start what was written."""

    def start(self) -> None:
        """Take over what was written, start it, and start it at every login."""

    def stop(self) -> None:
        """Stop what runs; its files stay."""

    def disable(self) -> None:
        """Stop what runs, and start it at no login any more."""

    def forget(self) -> None:
        """Take note that its files are gone."""

    def standing(self) -> Standing:
        """How the service stands."""


class Systemd:
    """The user's systemd."""

    name = "systemd"
    file_names: tuple[str, ...] = (SERVICE, SOCKET)

    def __init__(self, environ: Mapping[str, str], home: Path) -> None:
        self._environ = environ
        self._home = home

    def folder(self) -> Path:
        return unit_folder(self._environ, self._home)

    def texts(self, plan: Plan) -> dict[str, str]:
        return units(plan)

    def absence(self) -> str | None:
        if _program("systemctl", self._environ) is None:
            return "there is no systemctl on PATH"
        tried = self._try("show", "--property=Version")
        return None if tried.returncode == 0 else _words(tried) or "systemctl --user failed"

    def later(self) -> tuple[str, ...]:
        return ("systemctl --user daemon-reload", f"systemctl --user enable --now {SOCKET}")

    def start(self) -> None:
        self._run("daemon-reload")
        self._run("enable", "--now", SOCKET)

    def stop(self) -> None:
        # The socket first: a client that reconnects would start the daemon again.
        self._run("stop", SOCKET, SERVICE)

    def disable(self) -> None:
        self._run("disable", "--now", SOCKET, SERVICE)

    def forget(self) -> None:
        self._run("daemon-reload")

    def standing(self) -> Standing:
        return Standing(
            enabled=self._try("is-enabled", SOCKET).stdout.strip() or None,
            active=self._try("is-active", SOCKET).stdout.strip() or None,
        )

    def _run(self, *arguments: str) -> None:
        _succeed(self._try(*arguments))

    def _try(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return _run(("systemctl", "--user", *arguments), self._environ)


class Launchd:
    """The user's launchd."""

    name = "launchd"
    file_names: tuple[str, ...] = (FILE,)

    def __init__(self, environ: Mapping[str, str], home: Path) -> None:
        self._environ = environ
        self._home = home
        self._domain = f"gui/{os.getuid()}"

    def folder(self) -> Path:
        return agent_folder(self._home)

    def texts(self, plan: Plan) -> dict[str, str]:
        return agents(plan)

    def absence(self) -> str | None:
        if _program("launchctl", self._environ) is None:
            return "there is no launchctl on PATH"
        tried = self._try("print", self._domain)
        return None if tried.returncode == 0 else _words(tried) or "launchctl failed"

    def later(self) -> tuple[str, ...]:
        return (f"launchctl bootstrap {self._domain} {self.folder() / FILE}",)

    def start(self) -> None:
        if self._loaded():
            self.stop()  # launchd reads a file only when it is loaded
        _succeed(self._try("bootstrap", self._domain, str(self.folder() / FILE)))

    def stop(self) -> None:
        if self._loaded():
            _succeed(self._try("bootout", f"{self._domain}/{LABEL}"))

    def disable(self) -> None:
        self.stop()  # without its file it is started at no login

    def forget(self) -> None:
        pass  # launchd looks for files at login alone

    def standing(self) -> Standing:
        loaded = self._loaded()
        enabled = "enabled" if (self.folder() / FILE).exists() else "disabled"
        return Standing(enabled=enabled, active="active" if loaded else "inactive")

    def _loaded(self) -> bool:
        return self._try("print", f"{self._domain}/{LABEL}").returncode == 0

    def _try(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return _run(("launchctl", *arguments), self._environ)


def manager_of(platform: str, environ: Mapping[str, str], home: Path) -> Manager:
    """The service manager of an operating system; `platform` is `sys.platform`.

    Raises:
        ClownError: none is known there.
    """
    if platform == "linux":
        return Systemd(environ, home)
    if platform == "darwin":
        return Launchd(environ, home)
    raise ClownError(
        f"Clown knows no service manager of {platform}", hint="clown-daemon start, from what runs at your login"
    )


def _program(name: str, environ: Mapping[str, str]) -> str | None:
    return shutil.which(name, path=environ.get("PATH"))


def _run(command: tuple[str, ...], environ: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    program = _program(command[0], environ)
    if program is None:
        raise ClownError(f"there is no {command[0]} on PATH")
    # Its own words in English, since they are read by this program's users beside this program's.
    environment = {**environ, "LC_ALL": "C"}
    try:
        return subprocess.run(  # noqa: S603  # the manager's own program
            (program, *command[1:]),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise ClownError(f"{' '.join(command)} did not end within {COMMAND_SECONDS} s") from None


def _succeed(tried: "subprocess.CompletedProcess[str]") -> None:
    if tried.returncode:
        command = " ".join([Path(tried.args[0]).name, *tried.args[1:]])
        raise ClownError(f"{command} failed: {_words(tried) or f'exit code {tried.returncode}'}")


def _words(tried: "subprocess.CompletedProcess[str]") -> str:
    return " ".join((tried.stderr or tried.stdout).split())
