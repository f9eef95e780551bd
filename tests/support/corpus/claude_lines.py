"""The lines of Claude Code's transcripts, field by field as version 2.1.197 writes them."""

from typing import Any, NamedTuple

import msgspec

from tests.support.corpus.amounts import Amounts
from tests.support.corpus.moments import iso
from tests.support.corpus.stage import Stage, line

VERSION = "2.1.197"
OLD_VERSION = "1.0.88"


class Reply(NamedTuple):
    """A response of the model as its lines show it."""

    message_id: str
    request_id: str | None
    model: str
    amounts: Amounts


def usage(amounts: Amounts, *, partial_output: int | None = None, split: bool = True) -> dict[str, Any]:
    """`message.usage` of a line: final, or as it is while the response streams (then without the last fields)."""
    writes = {
        "ephemeral_1h_input_tokens": amounts.cache_write_1h,
        "ephemeral_5m_input_tokens": amounts.cache_write_5m,
    }
    told: dict[str, Any] = {
        "input_tokens": amounts.input,
        "cache_creation_input_tokens": amounts.cache_write,
        "cache_read_input_tokens": amounts.cache_read,
        "output_tokens": amounts.output if partial_output is None else partial_output,
        "service_tier": "standard",
    }
    if split:
        told["cache_creation"] = writes
        told["inference_geo"] = "us"
    if split and partial_output is None:
        told["server_tool_use"] = {"web_search_requests": amounts.web_searches, "web_fetch_requests": 0}
        told["iterations"] = [
            {
                "input_tokens": amounts.input,
                "output_tokens": amounts.output,
                "cache_read_input_tokens": amounts.cache_read,
                "cache_creation_input_tokens": amounts.cache_write,
                "cache_creation": writes,
                "type": "message",
            }
        ]
        told["speed"] = "fast" if amounts.fast else "standard"
    return told


class Transcript:
    """One file of a session: its lines so far, each with the one before as its parent."""

    def __init__(
        self, stage: Stage, session: str, project: str, *, agent_id: str | None = None, version: str = VERSION
    ) -> None:
        self.session = session
        self.project = project
        self.lines: list[bytes] = []
        self._stage = stage
        self._agent_id = agent_id
        self._version = version
        self._parent: str | None = None

    def data(self) -> bytes:
        return b"".join(self.lines)

    def note(self, kind: str, **fields: object) -> None:
        """A line that is not part of the conversation."""
        self.lines.append(line({"type": kind, **fields, "sessionId": self.session}))

    def add(self, at_ms: int, fields: dict[str, object]) -> None:
        """A line of the conversation."""
        uuid = self._stage.uuid()
        agent = {} if self._agent_id is None else {"agentId": self._agent_id}
        self.lines.append(
            line(
                {
                    "parentUuid": self._parent,
                    "isSidechain": self._agent_id is not None,
                    **agent,
                    **fields,
                    "uuid": uuid,
                    "timestamp": iso(at_ms),
                    "userType": "external",
                    "entrypoint": "cli",
                    "cwd": self.project,
                    "sessionId": self.session,
                    "version": self._version,
                    "gitBranch": "main",
                }
            )
        )
        self._parent = uuid

    def say(self, at_ms: int, text: str) -> None:
        """What the user typed."""
        self.add(at_ms, {"type": "user", "message": {"role": "user", "content": text}, "permissionMode": "default"})

    def result(self, at_ms: int, tool_id: str, output: object, **extra: object) -> None:
        """What a tool answered: once for the model, once for the screen."""
        content = [{"tool_use_id": tool_id, "type": "tool_result", "content": output, "is_error": False}]
        shown = {"toolUseResult": {"stdout": "", "stderr": "", "interrupted": False, "isImage": False}} | extra
        self.add(at_ms, {"type": "user", "message": {"role": "user", "content": content}, **shown})

    def reply(
        self,
        at_ms: int,
        reply: Reply,
        block: dict[str, object],
        told: dict[str, Any],
        stop_reason: str | None,
        **extra: object,
    ) -> None:
        """One block of a response, with its usage as it was known then."""
        message = {
            "id": reply.message_id,
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": [block],
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": told,
            "stop_details": None,
        }
        request = {} if reply.request_id is None else {"requestId": reply.request_id}
        self.add(at_ms, {"message": message, **request, **extra, "type": "assistant"})


def text(content: str = "Let me do it.") -> dict[str, object]:
    return {"type": "text", "text": content}


def tool_use(tool_id: str, name: str = "Bash", **arguments: object) -> dict[str, object]:
    return {"type": "tool_use", "id": tool_id, "name": name, "input": arguments or {"command": "make test"}}


def broken_text() -> dict[str, object]:
    """A text with a byte in it that is not UTF-8."""
    return {"type": "text", "text": msgspec.Raw(b'"caf\xe9 and more"')}
