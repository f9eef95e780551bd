"""The dashboard survives the daemon's violent death: the real program in a real terminal, against a real daemon."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.support.real_daemon import RealDaemon
from tests.support.terminals import Terminal

SECONDS = 30.0
"""The bound of every wait; it only ends a test that would never pass."""

COUNTDOWN = re.compile(rb"retry \d+ in \d+\.\ds")


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RealDaemon]:
    daemon = RealDaemon(tmp_path)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()


def dashboard(daemon: RealDaemon) -> Terminal:
    command = [sys.executable, "-m", "clown_tui", "--no-start", "--url", daemon.url]
    return Terminal(command, {**daemon.environ, "TERM": "xterm-256color"})


async def seen(terminal: Terminal, *marks: str) -> bool:
    """Wait until all of this was painted since the last look away; the terminal's output is left as it is."""
    wanted = [mark.encode() for mark in marks]
    return await asyncio.to_thread(terminal.read_for, SECONDS, lambda output: all(mark in output for mark in wanted))


def look_away(terminal: Terminal) -> None:
    """Forget what was painted so far, so that only what comes counts."""
    terminal.output = b""


def profile(alias: str) -> Mapping[str, str]:
    return {"alias": alias, "agent_id": "claude", "provider_id": "anthropic"}


async def test_a_killed_daemon_dims_the_panes_and_comes_back_with_every_event(daemon: RealDaemon) -> None:
    await daemon.ask("POST", "/api/profiles", profile("before"))
    with dashboard(daemon) as terminal:
        assert await seen(terminal, "LIVE", "before")

        look_away(terminal)
        await daemon.kill()
        panes = ("1 Profiles", "2 Proxies", "3 Cost", "4 Registry & Agents", "5 Events")
        assert await seen(terminal, "OFFLINE", *(f"{pane} as of " for pane in panes))
        assert await asyncio.to_thread(
            terminal.read_for, SECONDS, lambda output: len(set(COUNTDOWN.findall(output))) >= 3
        )

        look_away(terminal)
        await daemon.start()
        for alias in ("first", "second", "third"):
            await daemon.ask("POST", "/api/profiles", profile(alias))
        assert await seen(terminal, "LIVE", "reconnected after ", "nothing was missed")
        assert await seen(terminal, "DaemonStarted", "first", "second", "third")
        terminal.press("q")
        await asyncio.to_thread(terminal.read_for, SECONDS, lambda output: b"\x1b[?1049l" in output)
        assert await asyncio.to_thread(terminal.process.wait, SECONDS) == 0


async def test_a_daemon_that_stops_cleanly_is_said_to_have_stopped(daemon: RealDaemon) -> None:
    with dashboard(daemon) as terminal:
        assert await seen(terminal, "LIVE")
        look_away(terminal)
        assert await daemon.stop() == 0
        assert await seen(terminal, "DAEMON STOPPED", "DaemonShuttingDown", "5 Events as of ")
