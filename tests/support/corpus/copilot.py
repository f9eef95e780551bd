"""Scenes of Copilot CLI 1.0.102: one usage record a response, and a last line that sums the session up.

Its input holds what came from the cache. A record says which session it was billed in, and its number there.
"""

from typing import Any

from tests.support.corpus.amounts import Amounts, reasoning
from tests.support.corpus.moments import iso
from tests.support.corpus.stage import Stage, line
from tests.support.corpus.traps import Trap

AGENT = "copilot"
PROVIDER = "openai"
MODELS = ("gpt-5-codex", "gpt-5.3-codex")


class Run:
    """One session and its events so far; `records` are the usage records among them."""

    def __init__(self, stage: Stage, *, at_ms: int | None = None) -> None:
        self.stage = stage
        self.now_ms = stage.moments.draw() if at_ms is None else at_ms
        self.id = stage.uuid()
        self.project = stage.project()
        self.model = stage.random.choice(MODELS)
        self.lines: list[bytes] = []
        self.records: list[dict[str, Any]] = []
        self._sum = Amounts(0, 0)
        context = {"cwd": self.project, "gitRoot": self.project, "branch": "main"}
        start = {"sessionId": self.id, "producer": "copilot-agent", "startTime": iso(self.now_ms), "context": context}
        self.add("session.start", start)

    def add(self, kind: str, data: dict[str, Any]) -> None:
        self.lines.append(line({"type": kind, "data": data, "id": self.stage.uuid(), "timestamp": iso(self.now_ms)}))

    def answer(self) -> None:
        """One response."""
        amounts = reasoning(self.stage.random)
        self._advance()
        accounting = {
            "sourceSessionId": self.id,
            "sequence": len(self.records) + 1,
            "usageId": self.stage.id("chatcmpl-"),
        }
        usage = {"model": self.model, **_counts(amounts), "providerType": PROVIDER, "accounting": accounting}
        self.records.append({"usage": usage})
        self.add("session.usage_record", self.records[-1])
        self.add("assistant.message", {"model": self.model, "content": self.stage.filler.draw()})
        self._sum = _added(self._sum, amounts)
        self.stage.bill(
            AGENT,
            provider=PROVIDER,
            model=self.model,
            session=self.id,
            at_ms=self.now_ms,
            amounts=amounts,
            project=self.project,
        )

    def shut_down(self) -> None:
        """The sum of the session, in several places."""
        metrics = {self.model: {"requests": {"count": len(self.records)}, "usage": _counts(self._sum)}}
        snapshot = {"modelMetrics": metrics, "agentMetrics": {"main": {"modelMetrics": metrics}}}
        self.add("session.shutdown", {"accountingSnapshot": snapshot, "modelMetrics": metrics})
        self.stage.spring(Trap.SHUTDOWN_SUM)

    def save(self) -> None:
        path = self.stage.home.path / ".copilot" / "session-state" / self.id / "events.jsonl"
        self.stage.write(path, b"".join(self.lines), self.now_ms)

    def _advance(self) -> None:
        self.now_ms += self.stage.random.randrange(20, 30_000)


def _added(one: Amounts, another: Amounts) -> Amounts:
    return Amounts(
        input=one.input + another.input,
        output=one.output + another.output,
        cache_read=one.cache_read + another.cache_read,
        reasoning=one.reasoning + another.reasoning,
    )


def _counts(amounts: Amounts) -> dict[str, int]:
    return {
        "inputTokens": amounts.whole_input,
        "outputTokens": amounts.output,
        "cacheReadTokens": amounts.cache_read,
        "cacheWriteTokens": amounts.cache_write,
        "reasoningTokens": amounts.reasoning,
    }


def plain(stage: Stage) -> None:
    """A session of a few responses that was left in the regular way."""
    run = Run(stage)
    for _ in range(stage.random.randrange(1, 12)):
        run.answer()
    run.shut_down()
    run.save()


def copied(stage: Stage) -> None:
    """A session that goes on after its end, and one whose log holds records of another session."""
    first = Run(stage)
    first.answer()
    first.shut_down()
    first.answer()
    first.shut_down()
    first.save()
    second = Run(stage, at_ms=first.now_ms + 3_600_000)
    for record in first.records:
        second.add("session.usage_record", record)
    second.answer()
    stage.spring(Trap.COPIED_RECORD)
    second.save()


SCENES = {Trap.COPIED_RECORD: copied}
