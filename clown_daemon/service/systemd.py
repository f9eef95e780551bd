"""The systemd user units: a socket that always listens, and the daemon that is started when somebody connects."""

from collections.abc import Mapping
from pathlib import Path

from clown_daemon.service.plan import MARKER, Plan

SERVICE = "clown-daemon.service"
SOCKET = "clown-daemon.socket"

_HEAD = f"""\
# {MARKER}; the next install replaces it.
# Your own changes belong into a drop-in: systemctl --user edit """


def unit_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Where the user's units are."""
    config = environ.get("XDG_CONFIG_HOME", "")
    # The specification says that a relative path is to be ignored.
    return (Path(config) if config.startswith("/") else home / ".config") / "systemd" / "user"


def units(plan: Plan) -> dict[str, str]:
    """The texts of the unit files, by name."""
    return {SERVICE: _service(plan), SOCKET: _socket(plan)}


def _service(plan: Plan) -> str:
    environment = "".join(f"Environment={_quoted(f'{name}={value}')}\n" for name, value in sorted(plan.environ.items()))
    # The colon: no variable is put into the command, so a dollar sign in a path is one.
    return f"""\
{_HEAD}{SERVICE}

[Unit]
Description=Clown daemon: runs AI coding agents and meters them
Requires={SOCKET}
After={SOCKET}

[Service]
Type=notify
ExecStart=:{_program(plan.python)} -m clown_daemon
WorkingDirectory=/
{environment}
# An idle daemon ends with 0, and the next connection starts it. What fails is started again, except over a
# configuration that is wrong: that is 2, and does not mend itself.
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2

# TERM goes to the daemon alone, which ends its runs in order and writes that down; what is left then is killed.
KillMode=mixed
TimeoutStopSec={plan.stop_seconds}

# An agent that takes too much memory is killed alone, not the daemon and every other agent with it.
OOMPolicy=continue

# No sandbox on purpose (NoNewPrivileges, ProtectHome, PrivateTmp, RestrictAddressFamilies, SystemCallFilter, ...): the
# agents are children of the daemon and programs of yours. They need your home, the network, sandboxes of their own, and
# perhaps sudo; a umask would change the files that they write for you.

[Install]
# Not needed for the socket. It starts the daemon at login: systemctl --user enable {SERVICE}
WantedBy=default.target
Also={SOCKET}
"""


def _socket(plan: Plan) -> str:
    six = f"ListenStream=[::1]:{plan.port}\n" if plan.ipv6 else ""
    return f"""\
{_HEAD}{SOCKET}

[Unit]
Description=Clown daemon: its port on loopback

[Socket]
# Loopback alone: the daemon refuses to start with any other address.
ListenStream=127.0.0.1:{plan.port}
{six}BindIPv6Only=ipv6-only
Backlog=512

[Install]
WantedBy=sockets.target
"""


def _program(path: str) -> str:
    """The program as the first words of a command: systemd takes quotes and backslashes in arguments alone."""
    if not set(path) & set("\"'\\"):
        return _quoted(path)
    script = 'exec "$0" "$@"'
    return f"/bin/sh -c {_quoted(script)} {_quoted(path)}"


def _quoted(text: str) -> str:
    """One word of a unit file, whatever is in it: quoted, control characters escaped, no specifier."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return '"' + "".join(f"\\x{ord(c):02x}" if ord(c) < 32 or ord(c) == 127 else c for c in escaped) + '"'
