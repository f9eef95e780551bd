"""`clown-daemon` without a command: run the daemon in this process until it is asked to end."""

import argparse
import asyncio
import json
import logging
import os
import sys
from typing import cast

from clown_daemon.cli.command import EXIT_ERROR, EXIT_OK, complain
from clown_daemon.errors import ClownError
from clown_daemon.paths import Paths

_FLAGS = ("port", "idle_timeout_secs", "log_level")


def run_in_foreground(options: argparse.Namespace) -> int:
    """Run the daemon; answers when it has ended."""
    from clown_daemon.config import load_config  # noqa: PLC0415  # help and status start without it
    from clown_daemon.instance import AlreadyRunningError, prepare_folders  # noqa: PLC0415
    from clown_daemon.logs import configure_logging  # noqa: PLC0415
    from clown_daemon.service.activation import inherited_sockets  # noqa: PLC0415
    from clown_daemon.service.notify import Notifier  # noqa: PLC0415

    paths = Paths.from_environment(os.environ)
    ready = _ReadyPipe(options.ready_fd)
    manager = Notifier(os.environ)
    try:
        flags = {name: getattr(options, name) for name in _FLAGS}
        config = load_config(paths.config_file, os.environ, flags)
        prepare_folders(paths)
        detached = options.ready_fd is not None
        configure_logging(
            paths.log_file, level=config.log_level, max_bytes=config.log_file_bytes, to_stderr=not detached
        )
        sockets = inherited_sockets(os.environ)
        from clown_daemon.clock import SystemClock  # noqa: PLC0415  # the server is loaded once the folders are there
        from clown_daemon.daemon import Starter, run_daemon  # noqa: PLC0415

        def tell_ready(facts: dict[str, object]) -> None:
            ready.tell(facts)
            manager.ready(str(facts["url"]))

        starter = Starter(ready=tell_ready, stopping=manager.stopping, sockets=sockets)
        asyncio.run(run_daemon(paths, config, os.environ, SystemClock(), starter=starter))
    except AlreadyRunningError as error:
        ready.fail(error, already_running=True)
        complain(error)
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
            for problem in cast("tuple[str, ...]", facts["problems"]):
                print(f"warning: {problem}", file=sys.stderr, flush=True)
        self._write(facts)

    def fail(self, error: ClownError, *, already_running: bool = False) -> None:
        self._write({"error": str(error), "hint": error.hint, "already_running": already_running})

    def _write(self, message: dict[str, object]) -> None:
        if self._descriptor is None:
            return
        with os.fdopen(self._descriptor, "w", encoding="utf-8") as pipe:
            pipe.write(json.dumps(message) + "\n")
        self._descriptor = None
