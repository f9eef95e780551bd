"""`clown-daemon`: run the daemon in the foreground, or start, stop and ask for one in the background."""

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Sequence

from clown_daemon import __version__
from clown_daemon.errors import ClownError, ConfigError
from clown_daemon.paths import Paths

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3

STOP_SECONDS = 20
"""How long `stop` waits for runs to end and the database to close."""

DESCRIPTION = """\
The Clown daemon owns your agent profiles, detects and runs agents, reads what they cost from their own logs, and
publishes every change as an event on ws://127.0.0.1:PORT/ws, with an HTTP API on the same port.

Without a command it runs in the foreground until Ctrl-C.
"""

EPILOG = """\
commands:
  start             start it in the background; does nothing when one runs
  stop              stop it: runs get TERM, then KILL; the last event tells why
  status            say where it listens, its process and version

examples:
  clown-daemon                      run in the foreground, log on standard error
  clown-daemon --port 0             the same on any free port
  clown-daemon start                run in the background
  clown-daemon status --json        {"running": true, "url": ..., "pid": ..., "version": ..., "state_dir": ...}

files:
  CLOWN_HOME moves every file of Clown below one folder; without it the operating system's own places are used.
  config.toml holds the settings (docs/configuration.md); flags beat CLOWN_* variables, these beat the file.

exit codes:
  0 done    1 failed    2 wrong use or configuration    3 not running (status)    130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and answer its exit code."""
    options = _parser().parse_args(arguments)
    paths = Paths.from_environment(os.environ)
    try:
        match options.command:
            case "start":
                return _start(options)
            case "stop":
                return asyncio.run(_stop(paths, as_json=options.json))
            case "status":
                return asyncio.run(_status(paths, as_json=options.json))
            case _:
                return _serve(options, paths)
    except ClownError as error:
        _complain(error)
        return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_ERROR
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clown-daemon",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("command", nargs="?", choices=["start", "stop", "status"], metavar="command", help="see below")
    parser.add_argument("--port", type=int, metavar="N", help="listen on this port of 127.0.0.1; 0 takes any free one")
    parser.add_argument(
        "--idle-timeout-secs", type=float, metavar="S", help="stop when nobody needed it for S seconds; 0 never stops"
    )
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], help="how much to log")
    parser.add_argument("--json", action="store_true", help="answer as one JSON object (start, stop, status)")
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"clown-daemon {__version__}")
    return parser


def _complain(error: ClownError) -> None:
    print(f"clown-daemon: {error}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)


def _tell(answer: dict[str, object], sentence: str, *, as_json: bool) -> None:
    print(json.dumps(answer) if as_json else sentence)


# -- in the foreground ------------------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace, paths: Paths) -> int:
    from clown_daemon.config import load_config  # noqa: PLC0415  # help and status start without it
    from clown_daemon.instance import AlreadyRunningError, prepare_folders  # noqa: PLC0415
    from clown_daemon.logs import configure_logging  # noqa: PLC0415

    ready = _ReadyPipe(options.ready_fd)
    try:
        flags = {name: getattr(options, name) for name in ("port", "idle_timeout_secs", "log_level")}
        config = load_config(paths.config_file, os.environ, flags)
        prepare_folders(paths)
        detached = options.ready_fd is not None
        configure_logging(
            paths.log_file, level=config.log_level, max_bytes=config.log_file_bytes, to_stderr=not detached
        )
        from clown_daemon.clock import SystemClock  # noqa: PLC0415  # the server is loaded once the folders are there
        from clown_daemon.daemon import run_daemon  # noqa: PLC0415

        asyncio.run(run_daemon(paths, config, os.environ, SystemClock(), ready=ready.tell))
    except AlreadyRunningError as error:
        ready.fail(error, already_running=True)
        _complain(error)
        return EXIT_ERROR
    except ClownError as error:
        ready.fail(error)
        logging.getLogger(__name__).error("%s", error)  # noqa: TRY400  # the sentence is the message
        raise
    return EXIT_OK


class _ReadyPipe:
    """Tells whoever started this process, in one line of JSON, that the daemon answers or why it cannot."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor

    def tell(self, facts: dict[str, object]) -> None:
        if self._descriptor is None:
            print(f"clown-daemon {facts['version']} listens on {facts['url']} (pid {facts['pid']})", flush=True)
        self._write(facts)

    def fail(self, error: ClownError, *, already_running: bool = False) -> None:
        self._write({"error": str(error), "hint": error.hint, "already_running": already_running})

    def _write(self, message: dict[str, object]) -> None:
        if self._descriptor is None:
            return
        with os.fdopen(self._descriptor, "w", encoding="utf-8") as pipe:
            pipe.write(json.dumps(message) + "\n")
        self._descriptor = None


# -- in the background ------------------------------------------------------------------------------------------------


def _start(options: argparse.Namespace) -> int:
    from clown_daemon.client.launcher import start_daemon  # noqa: PLC0415  # help starts without it

    started = asyncio.run(start_daemon(os.environ, port=options.port))
    answer: dict[str, object] = {
        "running": True,
        "url": started.url,
        "pid": started.pid,
        "version": started.version,
        "state_dir": str(started.state_dir),
    }
    _tell(answer, f"clown-daemon {started.version} runs on {started.url} (pid {started.pid})", as_json=options.json)
    return EXIT_OK


async def _status(paths: Paths, *, as_json: bool) -> int:
    from clown_daemon.client.launcher import find_daemon  # noqa: PLC0415  # help starts without it

    found = await find_daemon(paths)
    if found is None:
        answer: dict[str, object] = {"running": False, "state_dir": str(paths.state_dir)}
        _tell(answer, "clown-daemon is not running; start it with: clown-daemon start", as_json=as_json)
        return EXIT_NOT_RUNNING
    answer = {
        "running": True,
        "url": found.url,
        "pid": found.pid,
        "version": found.version,
        "state_dir": str(found.state_dir),
    }
    sentence = (
        f"clown-daemon {found.version} runs on {found.url}\n"
        f"process  {found.pid}\nstate    {found.state_dir}\nlog      {paths.log_file}"
    )
    _tell(answer, sentence, as_json=as_json)
    return EXIT_OK


async def _stop(paths: Paths, *, as_json: bool) -> int:
    from clown_daemon.client.api import DaemonApi  # noqa: PLC0415  # help starts without it
    from clown_daemon.client.launcher import find_daemon  # noqa: PLC0415

    found = await find_daemon(paths)
    if found is None:
        _tell({"stopped": False, "running": False}, "clown-daemon is not running", as_json=as_json)
        return EXIT_OK
    token = paths.token_file.read_text(encoding="ascii").strip() if paths.token_file.exists() else None
    async with DaemonApi(found.url, token=token) as api:
        await api.shutdown()
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(found.pid):
        if time.monotonic() > deadline:
            raise ClownError(
                f"the daemon (pid {found.pid}) did not stop within {STOP_SECONDS} s", hint=f"kill {found.pid}"
            )
        await asyncio.sleep(0.05)
    _tell({"stopped": True, "running": False}, f"clown-daemon stopped (pid {found.pid})", as_json=as_json)
    return EXIT_OK


def _alive(pid: int) -> bool:
    import psutil  # noqa: PLC0415  # help starts without it

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
