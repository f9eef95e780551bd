"""Scenes of Qwen Code 0.15: telemetry tells every call, assistant lines repeat some of them.

Its input holds what came from the cache, and with an OpenAI-style backend its thoughts are a part of the output.
"""

from typing import Any

from tests.support.corpus.amounts import Amounts, reasoning
from tests.support.corpus.moments import iso
from tests.support.corpus.stage import Stage, line, slug
from tests.support.corpus.traps import Trap

AGENT = "qwen"
PROVIDER = "openai-compatible"
"""Its lines do not say whose server it was."""
MODELS = ("gpt-5-codex", "gpt-5.3-codex")


class Chat:
    """One session and its lines so far."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.now_ms = stage.moments.draw()
        self.id = stage.uuid()
        self.project = stage.project()
        self.model = stage.random.choice(MODELS)
        self.lines: list[bytes] = []
        self._parent: str | None = None

    def add(self, kind: str, **fields: object) -> None:
        uuid = self.stage.uuid()
        about = {"uuid": uuid, "parentUuid": self._parent, "sessionId": self.id, "timestamp": iso(self.now_ms)}
        self.lines.append(line({**about, "type": kind, "cwd": self.project, "version": "0.15.10", **fields}))
        self._parent = uuid

    def ask(self) -> None:
        self._advance()
        self.add("user", message={"role": "user", "parts": [{"text": "go on"}]})

    def answer(self) -> None:
        """A call that telemetry tells first and an assistant line repeats."""
        amounts = self.call({"prompt_id": f"{self.id}########{self.stage.serial()}"})
        self._advance(300)
        self.add(
            "assistant",
            model=self.model,
            message={"role": "model", "parts": [{"text": self.stage.filler.draw()}]},
            usageMetadata={
                "promptTokenCount": amounts.whole_input,
                "candidatesTokenCount": amounts.output,
                "thoughtsTokenCount": amounts.reasoning,
                "totalTokenCount": amounts.whole_input + amounts.output,
                "cachedContentTokenCount": amounts.cache_read,
            },
        )
        self.stage.spring(Trap.ASSISTANT_COPY)

    def call(self, about: dict[str, str]) -> Amounts:
        """A billed call; answers its tokens."""
        amounts = reasoning(self.stage.random)
        self._advance()
        event: dict[str, Any] = {
            "event.name": "qwen-code.api_response",
            "event.timestamp": iso(self.now_ms),
            "response_id": self.stage.id("chatcmpl-"),
            "model": self.model,
            "status_code": 200,
            "duration_ms": 38,
            "input_token_count": amounts.whole_input,
            "output_token_count": amounts.output,
            "cached_content_token_count": amounts.cache_read,
            "thoughts_token_count": amounts.reasoning,
            "total_token_count": amounts.whole_input + amounts.output,
            "auth_type": "openai",
            **about,
        }
        self.add("system", subtype="ui_telemetry", systemPayload={"uiEvent": event})
        self.stage.bill(
            AGENT,
            provider=PROVIDER,
            model=self.model,
            session=self.id,
            at_ms=self.now_ms,
            amounts=amounts,
            project=self.project,
        )
        return amounts

    def save(self) -> None:
        path = self.stage.home.path / ".qwen" / "projects" / slug(self.project) / "chats" / f"{self.id}.jsonl"
        self.stage.write(path, b"".join(self.lines), self.now_ms)

    def _advance(self, most_ms: int = 30_000) -> None:
        self.now_ms += self.stage.random.randrange(20, most_ms)


def plain(stage: Stage) -> None:
    """A chat of a few turns."""
    chat = Chat(stage)
    chat.ask()
    for _ in range(stage.random.randrange(1, 12)):
        chat.answer()
    chat.save()


def background(stage: Stage) -> None:
    """Calls of the program itself, which no assistant line shows, and a tool's telemetry, which bills nothing."""
    chat = Chat(stage)
    chat.ask()
    chat.answer()
    extractor = {
        "prompt_id": f"{chat.id}#managed-auto-memory-extractor",
        "subagent_name": "managed-auto-memory-extractor",
    }
    chat.call(extractor)
    stage.spring(Trap.BACKGROUND_CALL)
    tool = {"event.name": "qwen-code.tool_call", "function_name": "read_file", "input_token_count": 7}
    chat.add("system", subtype="ui_telemetry", systemPayload={"uiEvent": tool})
    chat.save()


SCENES = {Trap.BACKGROUND_CALL: background}
