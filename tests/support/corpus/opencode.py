"""Scenes of OpenCode: sessions in its database, forks that copy messages, files of the version before the database.

OpenCode's output is without reasoning, which costs as much; its input is without cache. A message is told by when it
was created and by its tokens: copies have other ids.
"""

from typing import Any, NamedTuple

import msgspec

from tests.support.corpus.amounts import Amounts, anthropic, long_context, reasoning
from tests.support.corpus.opencode_store import OpenCodeStore
from tests.support.corpus.rates import UNKNOWN_MODEL, cost_pico
from tests.support.corpus.stage import Stage
from tests.support.corpus.traps import Trap

AGENT = "opencode"
PROVIDERS = {"claude": "anthropic", "gpt-5": "openai", "acme-": "acme"}
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Message(NamedTuple):
    """A message of the model or of the user."""

    id: str
    created_ms: int
    data: bytes


class Conversation:
    """One session: its messages, each billed when it is made; where they are written is the scene's affair."""

    def __init__(self, stage: Stage, *, at_ms: int | None = None, project: str | None = None) -> None:
        self.stage = stage
        self.began_ms = self.now_ms = stage.moments.draw() if at_ms is None else at_ms
        self.id = new_id(stage, "ses")
        self.project = project or stage.project()
        self.model = stage.random.choice(("claude-sonnet-4-5", "claude-opus-4-5", "gpt-5-codex"))
        self.messages: list[Message] = []

    def ask(self) -> None:
        """What the user typed."""
        self._advance()
        data = {"role": "user", "time": {"created": self.now_ms}, "agent": "build", "model": self._model()}
        self._add(self.now_ms, data)

    def answer(self, amounts: Amounts | None = None, model: str | None = None) -> None:
        """One billed message of the model. OpenCode does not tell the two kinds of cache writes apart."""
        self.model = model or self.model
        amounts = amounts or self._draw()
        amounts = amounts._replace(cache_write_5m=amounts.cache_write, cache_write_1h=0)
        created_ms = self._advance()
        self._add(created_ms, self._said(created_ms, amounts))
        self.stage.bill(
            AGENT,
            provider=self._model()["providerID"],
            model=self.model,
            session=self.id,
            at_ms=created_ms,
            amounts=amounts,
            project=self.project,
        )
        if amounts.reasoning:
            self.stage.spring(Trap.REASONING_APART)

    def fail(self) -> None:
        """A message that ended before the provider told any tokens."""
        created_ms = self._advance()
        error = {"name": "MessageAbortedError", "data": {"message": "aborted"}}
        self._add(created_ms, self._said(created_ms, Amounts(0, 0)) | {"error": error})

    def _said(self, created_ms: int, amounts: Amounts) -> dict[str, Any]:
        cache = {"write": amounts.cache_write, "read": amounts.cache_read}
        tokens = {
            "total": amounts.whole_input + amounts.output,
            "input": amounts.input,
            "output": amounts.output - amounts.reasoning,
            "reasoning": amounts.reasoning,
            "cache": cache,
        }
        return {
            "parentID": self.messages[-1].id if self.messages else None,
            "role": "assistant",
            "mode": "build",
            "agent": "build",
            "path": {"cwd": self.project, "root": "/"},
            "cost": (cost_pico(self.model, amounts, created_ms) or 0) / 1e12,
            "tokens": tokens,
            **self._model(),
            "time": {"created": created_ms, "completed": created_ms + 900},
            "finish": "tool-calls",
        }

    def _model(self) -> dict[str, str]:
        return {"modelID": self.model, "providerID": PROVIDERS.get(self.model[:6], "anthropic")}

    def _add(self, created_ms: int, data: dict[str, Any]) -> None:
        self.messages.append(Message(new_id(self.stage, "msg"), created_ms, msgspec.json.encode(data)))

    def _advance(self) -> int:
        self.now_ms += self.stage.random.randrange(20, 30_000)
        return self.now_ms

    def _draw(self) -> Amounts:
        return (reasoning if self.model.startswith("gpt") else anthropic)(self.stage.random)


def new_id(stage: Stage, kind: str) -> str:
    return f"{kind}_{stage.serial():012x}{''.join(stage.random.choices(LETTERS, k=14))}"


class OpenCode:
    """The scenes of one home, which share its database."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._folder = stage.home.path / ".local" / "share" / "opencode"
        self._store = OpenCodeStore(self._folder)
        self._last_ms = 0

    def close(self) -> None:
        self._store.close(self._last_ms)
        self._stage.files += 2

    def newest(self) -> None:
        """The rows of this session are in the write-ahead log alone, until much more is written."""
        self._store.fold()
        self.plain()
        self._stage.spring(Trap.ROWS_IN_WAL)

    def plain(self) -> None:
        """A session of a few turns."""
        session = self._talked(self._stage.random.randrange(1, 12))
        self._save(session)

    def failing(self) -> None:
        """Messages without tokens bill nothing."""
        session = self._talked(1)
        session.fail()
        session.answer()
        self._stage.spring(Trap.UNBILLED_MESSAGES)
        self._save(session)

    def forked(self) -> None:
        """A fork copies messages under new ids; the copies keep their times and tokens."""
        parent = self._talked(3)
        self._save(parent)
        fork = Conversation(self._stage, at_ms=parent.now_ms + 3_600_000, project=parent.project)
        fork.messages = [one._replace(id=new_id(self._stage, "msg")) for one in parent.messages]
        fork.ask()
        fork.answer()
        self._stage.spring(Trap.COPIED_MESSAGES)
        self._save(fork)

    def left_over(self) -> None:
        """Files of the older version: of a session that moved into the database, and of one that did not."""
        moved = self._talked(3)
        self._save(moved)
        self._save_as_files(moved)
        self._stage.spring(Trap.JSON_OVERLAP)
        self._save_as_files(self._talked(2))
        self._stage.spring(Trap.JSON_ONLY)

    def priced(self) -> None:
        """Long context, reasoning, and a model that nobody knows."""
        session = self._talked(1)
        session.answer(long_context(anthropic(self._stage.random), 200_001), "claude-sonnet-4-5")
        self._stage.spring(Trap.LONG_CONTEXT)
        session.answer(Amounts(input=500, output=900, cache_read=4_000, reasoning=700), "gpt-5-codex")
        session.answer(model=UNKNOWN_MODEL)
        self._save(session)

    def _talked(self, answers: int) -> Conversation:
        session = Conversation(self._stage)
        session.ask()
        for _ in range(answers):
            session.answer()
        return session

    def _save(self, session: Conversation) -> None:
        """Into the database, each answer with the part that holds what its tool printed."""
        self._store.add_session(session.id, session.project, session.began_ms)
        for one in session.messages:
            self._store.add_message(one.id, session.id, one.created_ms, session.now_ms, one.data)
            part = {
                "type": "tool",
                "tool": "bash",
                "state": {"status": "completed", "output": self._stage.filler.draw()},
            }
            shown = msgspec.json.encode(part)
            self._store.add_part(new_id(self._stage, "prt"), one.id, session.id, one.created_ms, shown)
            self._stage.bytes_written += len(one.data) + len(shown)
        self._store.commit()
        self._last_ms = max(self._last_ms, session.now_ms)

    def _save_as_files(self, session: Conversation) -> None:
        folder = self._folder / "storage"
        about = {"id": session.id, "directory": session.project, "time": {"created": session.began_ms}}
        self._stage.write(
            folder / "session" / "global" / f"{session.id}.json", msgspec.json.encode(about), session.now_ms
        )
        for one in session.messages:
            data = {"id": one.id, "sessionID": session.id, **msgspec.json.decode(one.data)}
            path = folder / "message" / session.id / f"{one.id}.json"
            self._stage.write(path, msgspec.json.encode(data), one.created_ms)


SCENES = {
    Trap.UNBILLED_MESSAGES: OpenCode.failing,
    Trap.COPIED_MESSAGES: OpenCode.forked,
    Trap.JSON_OVERLAP: OpenCode.left_over,
    Trap.LONG_CONTEXT: OpenCode.priced,
    Trap.ROWS_IN_WAL: OpenCode.newest,
}
