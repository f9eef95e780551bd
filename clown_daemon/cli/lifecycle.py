"""`clown-daemon start | stop | restart | status`: a daemon in the background."""

import argparse
import asyncio
import os
import sys
from typing import TYPE_CHECKING

from clown_daemon import __version__
from clown_daemon.cli.command import (
    EXIT_NOT_RUNNING,
    EXIT_OK,
    Commands,
    add_command,
    add_daemon_flags,
    add_json_flag,
    tell,
)
from clown_daemon.client.versions import is_older, is_other
from clown_daemon.paths import Paths

if TYPE_CHECKING:
    from clown_daemon.client.discovery import StartedDaemon

ACCESS = {
    "own_user": "only you, on this machine",
    "all_users": "every user of this machine may use the daemon, your keys and your agents",
    "token": "whoever sends the token",
}
"""Who comes in, in words."""

START_EPILOG = """\
versions:
  A daemon of an older version is replaced when it is idle: no client follows, no run and no command is under way. One
  that is busy, or newer than this program, is left alone, and a note on standard error says so.

examples:
  clown-daemon start                run in the background
  clown-daemon start --port 0       the same on any free port
  clown-daemon start --json         {"running": true, "url": ..., "pid": ..., "version": ..., "state_dir": ...}

exit codes:
  0 it runs    1 it could not start    2 wrong use or configuration
"""

RESTART_EPILOG = """\
The configuration is read anew; flags of an earlier start are forgotten. Clients reconnect by themselves. Nobody can
start another daemon in between.

examples:
  clown-daemon restart              after a change of config.toml, or of the program
  clown-daemon restart --if-idle    only when nobody is disturbed; else exit 1 and say who needs it

exit codes:
  0 the new one runs    1 it is busy (--if-idle), did not stop, or could not start    2 wrong use or configuration
"""


def add_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    start = add_command(
        commands,
        "start",
        _start,
        summary="start it in the background; does nothing when one runs",
        description="Start the daemon in the background and wait until it answers: at most 10 s once it is started.\n\n"
        "Does nothing when one runs: however many start it at once, there is one.",
        epilog=START_EPILOG,
    )
    add_daemon_flags(start)
    add_json_flag(start)
    stop = add_command(
        commands,
        "stop",
        _stop,
        summary="stop it: runs get TERM, then KILL; the last event tells why",
        description="Stop the daemon and wait until it is gone. Its runs get TERM, and KILL after stop_grace_secs.",
        epilog="exit codes:\n  0 none runs now    1 it did not stop within 20 s",
    )
    add_json_flag(stop)
    restart = add_command(
        commands,
        "restart",
        _restart,
        summary="stop it, if it runs, and start this program's version",
        description="Stop the daemon, wait until it is gone, and start this program's in the background.",
        epilog=RESTART_EPILOG,
    )
    restart.add_argument("--if-idle", action="store_true", default=False, help="only when nobody needs it")
    add_daemon_flags(restart)
    add_json_flag(restart)
    status = add_command(
        commands,
        "status",
        _status,
        summary="say where it listens, its process, version, who may come in, and what does not work",
        description="Say whether the daemon runs, where it listens, its process, version and files, and what fails.",
        epilog="exit codes:\n  0 it runs    3 it does not",
    )
    add_json_flag(status)


def _flags(options: argparse.Namespace) -> tuple[str, ...]:
    """The daemon's own flags; its port is passed by itself."""
    given = {"--idle-timeout-secs": options.idle_timeout_secs, "--log-level": options.log_level}
    return tuple(part for name, value in given.items() if value is not None for part in (name, str(value)))


def _start(options: argparse.Namespace) -> int:
    from clown_daemon.client.launcher import start_daemon  # noqa: PLC0415  # help starts without it

    return _tell_started(asyncio.run(start_daemon(os.environ, options.port, flags=_flags(options))), options)


def _restart(options: argparse.Namespace) -> int:
    from clown_daemon.client.launcher import restart_daemon  # noqa: PLC0415  # help starts without it

    restarting = restart_daemon(os.environ, options.port, flags=_flags(options), if_idle=options.if_idle)
    return _tell_started(asyncio.run(restarting), options)


def _tell_started(started: "StartedDaemon", options: argparse.Namespace) -> int:
    sentence = f"clown-daemon {started.version} runs on {started.url} (pid {started.pid})"
    tell(_facts(started), sentence, as_json=options.json)
    for problem in started.problems:
        print(f"clown-daemon: warning: {problem}", file=sys.stderr)
    if started.access == "all_users":
        print(f"clown-daemon: {ACCESS['all_users']}; auth = token keeps the others out", file=sys.stderr)
    if is_other(started.version):
        why = "it is busy" if is_older(started.version) else "it is newer than this program"
        print(f"note: daemon {started.version} runs, this is {__version__}; it stays, since {why}", file=sys.stderr)
        print("hint: clown-daemon restart replaces it", file=sys.stderr)
    return EXIT_OK


def _facts(found: "StartedDaemon") -> dict[str, object]:
    return {
        "running": True,
        "url": found.url,
        "pid": found.pid,
        "version": found.version,
        "client_version": __version__,
        "state_dir": str(found.state_dir),
        "access": found.access,
        "problems": found.problems,
    }


def _status(options: argparse.Namespace) -> int:
    from clown_daemon.client.discovery import find_daemon, is_held  # noqa: PLC0415  # help starts without it

    paths = Paths.from_environment(os.environ)
    found = asyncio.run(find_daemon(paths))
    if found is None:
        answer: dict[str, object] = {"running": False, "client_version": __version__, "state_dir": str(paths.state_dir)}
        sentence = "clown-daemon is not running; start it with: clown-daemon start"
        if is_held(paths):
            sentence = f"clown-daemon does not answer: it is starting or stopping; see {paths.log_file}"
        tell(answer, sentence, as_json=options.json)
        return EXIT_NOT_RUNNING
    sentence = (
        f"clown-daemon {found.version} runs on {found.url}\n"
        f"process  {found.pid}\nstate    {found.state_dir}\nlog      {paths.log_file}\n"
        f"access   {ACCESS.get(found.access or '', 'not told by this version')}"
    )
    if is_other(found.version):
        sentence += f"\nversion  {found.version}, and this program is {__version__}: clown-daemon restart"
    sentence += "".join(f"\nproblem  {problem}" for problem in found.problems)
    tell(_facts(found), sentence, as_json=options.json)
    return EXIT_OK


def _stop(options: argparse.Namespace) -> int:
    ended = asyncio.run(_end(Paths.from_environment(os.environ)))
    answer: dict[str, object] = {"stopped": ended is not None, "running": False}
    tell(answer, f"clown-daemon {ended or 'is not running'}", as_json=options.json)
    return EXIT_OK


async def _end(paths: Paths) -> str | None:
    """End the daemon; answers how, None when there is none."""
    from clown_daemon.client.discovery import find_daemon, is_held  # noqa: PLC0415  # help starts without it
    from clown_daemon.client.ending import end_daemon, until_gone  # noqa: PLC0415

    found = await find_daemon(paths)
    if found is not None:
        await end_daemon(found, paths)
        return f"stopped (pid {found.pid})"
    if not is_held(paths):
        return None
    await until_gone(paths)  # it was told to end before
    return "stopped"
