"""Logs that grow while somebody watches: each `append` is one billed response, written as its agent writes it."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.support.corpus.claude import folder
from tests.support.corpus.claude_lines import text
from tests.support.corpus.claude_session import Session
from tests.support.corpus.codex_session import Thread
from tests.support.corpus.gemini import Chat
from tests.support.corpus.generate import UNATTRIBUTED
from tests.support.corpus.opencode import Conversation
from tests.support.corpus.opencode_store import OpenCodeStore
from tests.support.corpus.stage import Home, Stage, line

SEED = 20_26
"""Not that of the corpus which lies there already."""

Append = Callable[[], None]


def now_ms() -> int:
    """Wall time, as logs have it."""
    return time.time_ns() // 1_000_000


def a_stage(home: Path) -> Stage:
    """Where the new sessions play."""
    return Stage(SEED, Home(UNATTRIBUTED, home), filler_bytes=200, without=frozenset())


def claude(home: Path) -> Append:
    """A transcript of Claude Code."""
    stage = a_stage(home)
    session = Session(stage, at_ms=now_ms())
    path = folder(stage, session) / f"{session.id}.jsonl"
    stage.write(path, session.transcript.data(), session.now_ms)

    def append() -> None:
        session.now_ms = now_ms()
        session.respond(block=text(), alone=True)
        _append(path, session.transcript.lines)

    return append


def codex(home: Path) -> Append:
    """A rollout of Codex."""
    stage = a_stage(home)
    thread = Thread(stage, at_ms=now_ms())
    thread.begin()
    thread.turn(0)
    thread.save()
    path = next(home.rglob(thread.name))
    thread.lines.clear()

    def append() -> None:
        thread.now_ms = now_ms()
        thread.record(thread.call())
        _append(path, thread.lines)

    return append


def gemini(home: Path) -> Append:
    """A chat of Gemini CLI."""
    stage = a_stage(home)
    chat = Chat(stage, at_ms=now_ms())
    chat.ask()
    chat.save()
    path = next(path for path in home.rglob("*.jsonl") if chat.id[:8] in path.name)

    def append() -> None:
        chat.now_ms = now_ms()
        chat.records.clear()
        chat.answer()
        _append(path, [line(record) for record in chat.records])

    return append


def opencode(home: Path) -> Append:
    """A session in the database of OpenCode."""
    store = OpenCodeStore(home / ".local" / "share" / "opencode")
    session = Conversation(a_stage(home), at_ms=now_ms())
    store.add_session(session.id, session.project, session.began_ms)
    store.commit()

    def append() -> None:
        session.now_ms = now_ms()
        session.answer()
        message = session.messages[-1]
        store.add_message(message.id, session.id, message.created_ms, message.created_ms, message.data)
        store.commit()

    return append


def _append(path: Path, lines: list[bytes]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(lines))
    lines.clear()


AGENTS: dict[str, Callable[[Path], Append]] = {
    "claude": claude,
    "codex": codex,
    "gemini": gemini,
    "opencode": opencode,
}
