"""`clown-daemon start | stop | status`: a daemon in the background."""

import argparse
import asyncio
import os
import sys
import time

from clown_daemon.cli.command import (
    EXIT_NOT_RUNNING,
    EXIT_OK,
    Commands,
    add_command,
    add_daemon_flags,
    add_json_flag,
    tell,
)
from clown_daemon.errors import ClownError
from clown_daemon.paths import Paths

ACCESS = {
    "own_user": "only you, on this machine",
    "all_users": "every user of this machine may use the daemon, your keys and your agents",
    "token": "whoever sends the token",
}
"""Who comes in, in words."""
STOP_SECONDS = 20
"""How long `stop` waits for runs to end and the database to close."""


def add_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    start = add_command(
        commands,
        "start",
        _start,
        summary="start it in the background; does nothing when one runs",
        description="Start the daemon in the background and wait, at most 10 s, until it answers.\n\n"
        "Does nothing when one runs: however many start it at once, there is one.",
        epilog="examples:\n"
        "  clown-daemon start                run in the background\n"
        "  clown-daemon start --port 0       the same on any free port\n"
        '  clown-daemon start --json         {"running": true, "url": ..., "pid": ..., "version": ..., ...}\n\n'
        "exit codes:\n  0 it runs    1 it could not start    2 wrong use or configuration",
    )
    add_daemon_flags(start)
    add_json_flag(start)
    stop = add_command(
        commands,
        "stop",
        _stop,
        summary="stop it: runs get TERM, then KILL; the last event tells why",
        description="Stop the daemon and wait until it is gone. Its runs get TERM, and KILL after stop_grace_secs.",
        epilog="exit codes:\n  0 none runs now    1 it did not stop",
    )
    add_json_flag(stop)
    status = add_command(
        commands,
        "status",
        _status,
        summary="say where it listens, its process, version and who may come in",
        description="Say whether the daemon runs, where it listens, its process, version and files.",
        epilog="exit codes:\n  0 it runs    3 it does not",
    )
    add_json_flag(status)


def _start(options: argparse.Namespace) -> int:
    from clown_daemon.client.launcher import start_daemon  # noqa: PLC0415  # help starts without it

    started = asyncio.run(start_daemon(os.environ, port=options.port))
    answer: dict[str, object] = {
        "running": True,
        "url": started.url,
        "pid": started.pid,
        "version": started.version,
        "state_dir": str(started.state_dir),
        "access": started.access,
    }
    tell(answer, f"clown-daemon {started.version} runs on {started.url} (pid {started.pid})", as_json=options.json)
    if started.access == "all_users":
        print(f"clown-daemon: {ACCESS['all_users']}; auth = token keeps the others out", file=sys.stderr)
    return EXIT_OK


def _status(options: argparse.Namespace) -> int:
    from clown_daemon.client.launcher import find_daemon  # noqa: PLC0415  # help starts without it

    paths = Paths.from_environment(os.environ)
    found = asyncio.run(find_daemon(paths))
    if found is None:
        answer: dict[str, object] = {"running": False, "state_dir": str(paths.state_dir)}
        tell(answer, "clown-daemon is not running; start it with: clown-daemon start", as_json=options.json)
        return EXIT_NOT_RUNNING
    answer = {
        "running": True,
        "url": found.url,
        "pid": found.pid,
        "version": found.version,
        "state_dir": str(found.state_dir),
        "access": found.access,
    }
    sentence = (
        f"clown-daemon {found.version} runs on {found.url}\n"
        f"process  {found.pid}\nstate    {found.state_dir}\nlog      {paths.log_file}\n"
        f"access   {ACCESS.get(found.access or '', 'not told by this version')}"
    )
    tell(answer, sentence, as_json=options.json)
    return EXIT_OK


def _stop(options: argparse.Namespace) -> int:
    pid = asyncio.run(_shut_down(Paths.from_environment(os.environ)))
    if pid is None:
        tell({"stopped": False, "running": False}, "clown-daemon is not running", as_json=options.json)
    else:
        tell({"stopped": True, "running": False}, f"clown-daemon stopped (pid {pid})", as_json=options.json)
    return EXIT_OK


async def _shut_down(paths: Paths) -> int | None:
    """Ask the running daemon to stop and wait until it is gone; answers its pid, None when none runs."""
    from clown_daemon.client.api import DaemonApi  # noqa: PLC0415  # help starts without it
    from clown_daemon.client.launcher import find_daemon, read_token  # noqa: PLC0415

    found = await find_daemon(paths)
    if found is None:
        return None
    token = await asyncio.to_thread(read_token, paths)
    async with DaemonApi(found.url, token=token) as api:
        await api.shutdown()
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(found.pid):
        if time.monotonic() > deadline:
            raise ClownError(
                f"the daemon (pid {found.pid}) did not stop within {STOP_SECONDS} s", hint=f"kill {found.pid}"
            )
        await asyncio.sleep(0.05)
    return found.pid


def _alive(pid: int) -> bool:
    import psutil  # noqa: PLC0415  # help starts without it

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
