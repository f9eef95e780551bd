"""What a service of the user is made of, whichever manager runs it: the program, its environment, its port."""

import socket
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from clown_daemon.errors import ClownError, ConfigError
from clown_daemon.paths import Paths

MARKER = "Written by clown-daemon service install"
"""A line with it is in every file of ours; a file without it belongs to somebody else."""

CARRIED = (
    "PATH",
    "CLOWN_SECRETS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "CLAUDE_CONFIG_DIR",
)
"""Variables that decide which agents and files are found. A service sees none of the shell's, so these are written
down. No others: they may hold keys, and the files are no place for these."""

_END_SECONDS = 25
"""What the daemon needs to end besides the grace of its runs: streams, listener, database."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One service."""

    python: str
    """The interpreter that runs `-m clown_daemon`."""
    environ: Mapping[str, str]
    port: int
    ipv6: bool
    """Whether the machine has ::1."""
    stop_seconds: int
    """How long the daemon may take to end before it is killed."""


def make_plan(
    *,
    python: str,
    environ: Mapping[str, str],
    paths: Paths,
    settings: Collection[str],
    port: int,
    stop_grace_seconds: float,
) -> Plan:
    """Put the service together for the user and the environment at hand.

    Args:
        python: the interpreter.
        environ: the variables in `CARRIED` and the `CLOWN_*` of `settings` are taken from it.
        paths: where the daemon would keep its files now.
        settings: names of the daemon's settings.
        port: where it listens.
        stop_grace_seconds: how long a run may take to end.

    Raises:
        ConfigError: the port is any free one, where nobody would find the service; or a variable is not text.
    """
    if port == 0:
        raise ConfigError("a service needs a port of its own, not 0", hint=f"set port in {paths.config_file}")
    # The socket has the port; one more in the environment could only contradict it.
    names = (*CARRIED, *(f"CLOWN_{name.upper()}" for name in settings if name != "port"))
    carried = {name: environ[name] for name in names if environ.get(name)}
    for name, value in carried.items():
        if not value.isprintable():
            raise ConfigError(f"{name} holds characters that no service can be given: {value!r}")
    if environ.get("CLOWN_HOME"):
        carried["CLOWN_HOME"] = str(paths.config_dir)  # as found from here: the service starts in another folder
    return Plan(
        python=python,
        environ=carried,
        port=port,
        ipv6=_has_ipv6(),
        stop_seconds=int(stop_grace_seconds) + _END_SECONDS,
    )


def check_program(plan: Plan) -> None:
    """Try whether the service would find the program: it starts in another folder, without `PYTHONPATH`.

    Raises:
        ClownError: it would not.
    """
    command = [plan.python, "-c", "import clown_daemon.daemon"]
    tried = subprocess.run(command, cwd="/", env=dict(plan.environ), capture_output=True, check=False)  # noqa: S603  # our own program
    if tried.returncode:
        raise ClownError(
            f"a service could not load Clown with {plan.python}",
            hint="install it there (pip install clown-tui), and run that clown-daemon",
        )


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as trying:
            trying.bind(("::1", 0))
    except OSError:
        return False
    return True
