"""A session of Claude Code as it goes on: turns of the user, responses in one to four lines, tools in between."""

from typing import Any, NamedTuple

from tests.support.corpus.amounts import Amounts, anthropic
from tests.support.corpus.claude_lines import VERSION, Reply, Transcript, text, tool_use, usage
from tests.support.corpus.stage import Stage
from tests.support.corpus.traps import Trap

AGENT = "claude"
PROVIDER = "anthropic"
MODELS = ("claude-sonnet-4-5", "claude-sonnet-4-5", "claude-opus-4-5", "claude-haiku-4-5", "claude-sonnet-5")


class Given(NamedTuple):
    """A response that was given, for scenes that repeat it."""

    at_ms: int
    reply: Reply


class Session:
    """Writes one transcript and bills what it says.

    Attributes:
        now_ms: its clock; it only goes forward.
        with_request_ids: False behind a gateway that passes none on.
        constant_id: the message id of every response, where a relay gives them all the same.
        streams_partly: whether all lines of a response but the last hold a part of the output.
        splits_writes: whether cache writes are told apart.
    """

    def __init__(
        self,
        stage: Stage,
        *,
        session: str | None = None,
        project: str | None = None,
        at_ms: int | None = None,
        agent_id: str | None = None,
        version: str = VERSION,
    ) -> None:
        self.stage = stage
        self.now_ms = stage.moments.draw() if at_ms is None else at_ms
        self.model = stage.random.choice(MODELS)
        self.with_request_ids = True
        self.constant_id: str | None = None
        self.streams_partly = agent_id is not None
        self.splits_writes = True
        self.given: list[Given] = []
        self.transcript = Transcript(
            stage, session or stage.uuid(), project or stage.project(), agent_id=agent_id, version=version
        )

    @property
    def id(self) -> str:
        return self.transcript.session

    def wait(self, most_ms: int = 30_000) -> int:
        """Let some time pass; answer the time."""
        self.now_ms += self.stage.random.randrange(20, most_ms)
        return self.now_ms

    def turn(self, responses: int, prompt: str = "go on") -> None:
        """The user says something, and the model answers until it is done."""
        self.transcript.say(self.wait(), prompt)
        for _ in range(responses):
            self.respond()

    def respond(
        self,
        amounts: Amounts | None = None,
        block: dict[str, object] | None = None,
        *,
        model: str | None = None,
        alone: bool = False,
        **extra: object,
    ) -> Given:
        """One response with its tools; answers what was given.

        Args:
            amounts: its tokens; drawn unless given.
            block: its last block; drawn unless given.
            model: another one than the session's.
            alone: whether that block is its only one.
            extra: more fields of its lines.
        """
        given = self.tell(amounts, block, model=model, alone=alone, **extra)
        self.given.append(given)
        self.stage.bill(
            AGENT,
            provider=PROVIDER,
            model=given.reply.model,
            session=self.id,
            at_ms=given.at_ms,
            amounts=given.reply.amounts,
            project=self.transcript.project,
        )
        return given

    def tell(
        self,
        amounts: Amounts | None = None,
        block: dict[str, object] | None = None,
        *,
        model: str | None = None,
        alone: bool = False,
        **extra: object,
    ) -> Given:
        """Write a response that nobody bills."""
        reply = self._reply(amounts or anthropic(self.stage.random), model or self.model)
        began = self.wait()
        blocks = [] if alone else [self._block() for _ in range(self.stage.random.randrange(4))]
        self._write(reply, [*blocks, block or self._block()], **extra)
        return Given(began, reply)

    def final_usage(self, amounts: Amounts) -> dict[str, Any]:
        return usage(amounts, split=self.splits_writes)

    def _reply(self, amounts: Amounts, model: str) -> Reply:
        if not self.splits_writes:
            amounts = amounts._replace(cache_write_5m=amounts.cache_write, cache_write_1h=0)
        if self.constant_id is not None:
            # The input counts are all that tells the responses of a relay apart.
            amounts = amounts._replace(input=self.stage.serial())
        message_id = self.constant_id or self.stage.id("msg_")
        return Reply(message_id, self.stage.id("req_") if self.with_request_ids else None, model, amounts)

    def _block(self) -> dict[str, object]:
        if self.stage.random.random() < 0.3:
            return text()
        return tool_use(self.stage.id("toolu_"))

    def _write(self, reply: Reply, blocks: list[dict[str, object]], **extra: object) -> None:
        if len(blocks) > 1:
            self.stage.spring(Trap.SEVERAL_LINES)
        results_wait = self.stage.random.random() < 0.5
        asked: list[str] = []
        final = self.final_usage(reply.amounts)
        stop_reason = "tool_use" if any(block["type"] == "tool_use" for block in blocks) else "end_turn"
        for left, block in zip(range(len(blocks) - 1, -1, -1), blocks, strict=True):
            partly = self.streams_partly and left > 0
            told = usage(reply.amounts, partial_output=min(3, reply.amounts.output)) if partly else final
            self.transcript.reply(self.now_ms, reply, block, told, None if partly else stop_reason, **extra)
            self.wait(400)
            if block["type"] == "tool_use":
                asked.append(str(block["id"]))
            if asked and left and not results_wait:
                self.stage.spring(Trap.RESULTS_BETWEEN)
                self._answer(asked)
        self._answer(asked)

    def _answer(self, asked: list[str]) -> None:
        for tool_id in asked:
            self.transcript.result(self.now_ms, tool_id, self.stage.filler.draw())
            self.wait(2_000)
        asked.clear()
