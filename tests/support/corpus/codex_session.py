"""A thread of Codex and its rollout file: lines of version 0.169, and of older versions that had no usage records.

Codex counts the whole input, cache included, and its totals grow over the life of a thread.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.support.corpus.amounts import Amounts, reasoning
from tests.support.corpus.moments import iso
from tests.support.corpus.stage import Stage, line
from tests.support.corpus.traps import Trap

AGENT = "codex"
PROVIDER = "openai"
MODELS = ("gpt-5-codex", "gpt-5.3-codex", "gpt-5.5", "gpt-6.1-sol")
VERSION = "0.169.0"
OLD_VERSION = "0.46.0"
STAMP_BYTES = len('{"timestamp":"2026-11-23T01:57:32.849Z"')
INSTRUCTIONS = msgspec.Raw(msgspec.json.encode("You are a coding agent. Read before you write.\n" * 460))
"""Makes the first line of a file 22 kB long, as it is in reality."""


class Counts(NamedTuple):
    """Tokens as Codex counts them."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0

    @classmethod
    def of(cls, amounts: Amounts) -> "Counts":
        return cls(amounts.whole_input, amounts.cache_read, amounts.cache_write, amounts.output, amounts.reasoning)

    def plus(self, other: "Counts") -> "Counts":
        return Counts(*(one + another for one, another in zip(self, other, strict=True)))

    def told(self, *, old: bool) -> dict[str, int]:
        written = {} if old else {"cache_write_input_tokens": self.written}
        return {
            "input_tokens": self.input,
            "cached_input_tokens": self.cached,
            **written,
            "output_tokens": self.output,
            "reasoning_output_tokens": self.reasoning,
            "total_tokens": self.input + self.output,
        }


class Thread:
    """Writes one rollout file and bills what it says.

    Attributes:
        now_ms: its clock; it only goes forward.
        total: what the thread has used so far, as the file counts it.
    """

    def __init__(
        self, stage: Stage, *, old: bool = False, project: str | None = None, at_ms: int | None = None
    ) -> None:
        self.stage = stage
        self.old = old
        self.now_ms = self.began_ms = stage.moments.draw() if at_ms is None else at_ms
        self.id = _uuid7(stage, self.now_ms)
        self.project = project or stage.project()
        self.model = stage.random.choice(MODELS)
        self.total = Counts()
        self.lines: list[bytes] = []
        self._uncounted: Amounts | None = None

    @property
    def name(self) -> str:
        return f"rollout-{datetime.fromtimestamp(self.began_ms // 1000, UTC):%Y-%m-%dT%H-%M-%S}-{self.id}.jsonl"

    def wait(self, most_ms: int = 30_000) -> int:
        """Let some time pass; answer the time."""
        self.now_ms += self.stage.random.randrange(20, most_ms)
        return self.now_ms

    def add(self, kind: str, payload: dict[str, Any]) -> None:
        """One line, now."""
        ordinal = {} if self.old else {"ordinal": len(self.lines)}
        self.lines.append(line({"timestamp": iso(self.now_ms), **ordinal, "type": kind, "payload": payload}))

    def begin(self, **fields: object) -> None:
        """The line that every file starts with."""
        self.add("session_meta", self.meta() | fields)

    def meta(self) -> dict[str, Any]:
        version = {"cli_version": OLD_VERSION, "instructions": None} if self.old else {"cli_version": VERSION}
        paged = {} if self.old else {"session_id": self.id, "thread_source": "user", "history_mode": "paginated"}
        return {
            **paged,
            "id": self.id,
            "timestamp": iso(self.began_ms),
            "cwd": self.project,
            "originator": "codex_cli_rs",
            **version,
            "source": "cli",
            "model_provider": PROVIDER,
            "base_instructions": {"text": INSTRUCTIONS},
            "git": {"branch": "main"},
        }

    def turn(self, responses: int, *, model: str | None = None) -> None:
        """The user says something, perhaps to another model from now on, and the model answers until it is done."""
        self.model = model or self.model
        self.wait()
        policy = {"approval_policy": "never", "sandbox_policy": {"mode": "read-only"}, "summary": "none"}
        self.add("turn_context", {"cwd": self.project, **policy, "model": self.model})
        self.apply_settings(self.model)
        content = [{"type": "input_text", "text": "go on"}]
        self.add("response_item", {"type": "message", "role": "user", "content": content})
        for _ in range(responses):
            self.respond()

    def apply_settings(self, model: str) -> None:
        """The settings name the model, too; older versions did not write them."""
        self.model = model
        if not self.old:
            settings = {"model": model, "model_provider_id": PROVIDER, "approval_policy": "never", "cwd": self.project}
            self.event("thread_settings_applied", thread_id=self.id, thread_settings=settings)

    def respond(self, amounts: Amounts | None = None, *, model: str | None = None) -> Amounts:
        """One response that calls a tool, counted as this version counts; answers its tokens."""
        self.model = model or self.model
        amounts = self.call(amounts)
        if not self.old:
            self.record(amounts)
        self.run_tool()
        self.count(Counts.of(amounts))
        return amounts

    def call(self, amounts: Amounts | None = None) -> Amounts:
        """The model answers; the next line that counts says when."""
        amounts = amounts or self._draw()
        self.wait()
        arguments = {"name": "exec_command", "arguments": '{"cmd":"make test"}', "call_id": f"call_{len(self.lines)}"}
        self.add("response_item", {"type": "function_call", **arguments})
        self.total = self.total.plus(Counts.of(amounts))
        self._uncounted = amounts
        return amounts

    def record(self, amounts: Amounts) -> None:
        """The usage record of a response."""
        told = Counts.of(amounts).told(old=False)
        usage = {"usage": told, "turn_token_usage": told, "thread_token_usage": self.total.told(old=False)}
        ids = {"thread_id": self.id, "session_id": self.id, "response_id": self.stage.id("resp_")}
        self.add("token_usage_record", {**ids, **usage})
        self._bill()

    def run_tool(self) -> None:
        """What the tool printed."""
        self.wait(3_000)
        output = {"call_id": f"call_{len(self.lines)}", "output": self.stage.filler.draw()}
        self.add("response_item", {"type": "function_call_output", **output})

    def count(self, last: Counts | None, *, total: bool = True) -> None:
        """A counter: the thread's total, and the last response's tokens unless they are missing."""
        info: dict[str, Any] | None = None
        if total:
            told = {} if last is None else {"last_token_usage": last.told(old=self.old)}
            info = {"total_token_usage": self.total.told(old=self.old), **told, "model_context_window": 258_400}
        primary = {"used_percent": 12.5, "window_minutes": 300, "resets_at": self.now_ms // 1000 + 5_000}
        self.event("token_count", info=info, rate_limits={"primary": primary, "secondary": None, "plan_type": None})
        if total:
            self._bill()

    def event(self, kind: str, **fields: object) -> None:
        self.add("event_msg", {"type": kind, **fields})

    def save(self, *, archived: bool = False) -> None:
        """Write the file where it belongs."""
        home = self.stage.home.path / ".codex"
        day = f"{datetime.fromtimestamp(self.began_ms // 1000, UTC):%Y/%m/%d}"
        place = home / "archived_sessions" if archived else home / "sessions" / Path(day)
        self.stage.write(place / self.name, b"".join(self.lines), self.now_ms)

    def _bill(self) -> None:
        """Bill the last response, unless a line has counted it before."""
        amounts, self._uncounted = self._uncounted, None
        if amounts is None:
            return
        self.stage.bill(
            AGENT,
            provider=PROVIDER,
            model=self.model,
            session=self.id,
            at_ms=self.now_ms,
            amounts=amounts,
            project=self.project,
        )
        if amounts.reasoning:
            self.stage.spring(Trap.REASONING_INSIDE)

    def _draw(self) -> Amounts:
        amounts = reasoning(self.stage.random)
        if self.model == "gpt-6.1-sol" and not self.old:
            return amounts._replace(cache_write_5m=self.stage.random.randrange(2_000))
        return amounts


def _uuid7(stage: Stage, at_ms: int) -> str:
    """An id that begins with its time, as Codex makes them."""
    digits = f"{at_ms:012x}7{stage.random.getrandbits(12):03x}{0x8 << 60 | stage.random.getrandbits(60):016x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
