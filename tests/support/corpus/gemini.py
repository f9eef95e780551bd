"""Scenes of Gemini CLI: JSON lines of version 0.61, and one JSON document a session of older versions.

Gemini's input holds what came from the cache; its thoughts are beside the output, and billed as output. A message is
told by its id, and is written again whenever something is added to it.
"""

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from tests.support.corpus.amounts import Amounts, long_context, reasoning
from tests.support.corpus.moments import iso
from tests.support.corpus.stage import PROJECTS, Stage, line
from tests.support.corpus.traps import Trap

AGENT = "gemini"
PROVIDER = "google"
MODEL = "gemini-2.5-pro"


class Chat:
    """One session. Attributes: `records` are its lines so far, `messages` all messages in their last state."""

    def __init__(self, stage: Stage, *, named: bool = True, at_ms: int | None = None) -> None:
        self.stage = stage
        self.began_ms = self.now_ms = stage.moments.draw() if at_ms is None else at_ms
        self.id = stage.uuid()
        self.project = stage.project()
        self.named = named
        self.records: list[dict[str, Any]] = [self.header()]
        self.messages: list[dict[str, Any]] = []

    def header(self) -> dict[str, Any]:
        times = {"startTime": iso(self.began_ms), "lastUpdated": iso(self.now_ms)}
        return {"sessionId": self.id, "projectHash": project_hash(self.project), **times, "kind": "main"}

    def ask(self) -> None:
        self._tell({"id": self.stage.uuid(), "timestamp": iso(self._advance()), "type": "user", "content": "go on"})

    def answer(self, amounts: Amounts | None = None, model: str = MODEL, *, with_tool: bool = False) -> dict[str, Any]:
        """A billed message; with a tool it is written again when the tool has answered."""
        amounts = amounts or reasoning(self.stage.random)
        at_ms = self._advance()
        message: dict[str, Any] = {
            "id": self.stage.uuid(),
            "timestamp": iso(at_ms),
            "type": "gemini",
            "content": "",
            "thoughts": [],
            "tokens": _tokens(amounts),
            "model": model,
        }
        self._tell(message)
        self._bill(at_ms, amounts, model)
        if with_tool:
            result = {"output": self.stage.filler.draw()}
            message["toolCalls"] = [{"id": f"call_{at_ms}", "name": "list_directory", "result": [result]}]
            self.records.append(message)
            self.stage.spring(Trap.REWRITTEN_ID)
        return message

    def save(self) -> None:
        self.stage.write(self._path(".jsonl"), b"".join(line(record) for record in self.records), self.now_ms)

    def save_as_document(self) -> None:
        """As versions before JSON lines did."""
        document = {**self.header(), "messages": self.messages}
        self.stage.write(self._path(".json"), msgspec.json.format(msgspec.json.encode(document)), self.now_ms)

    def _path(self, suffix: str) -> Path:
        name = folder_name(self.project) if self.named else project_hash(self.project)
        folder = self.stage.home.path / ".gemini" / "tmp" / name
        if self.named:
            self.stage.write(folder / ".project_root", self.project.encode(), self.began_ms)
        return folder / "chats" / f"session-{iso(self.began_ms)[:16].replace(':', '-')}-{self.id[:8]}{suffix}"

    def _bill(self, at_ms: int, amounts: Amounts, model: str) -> None:
        if amounts.reasoning:
            self.stage.spring(Trap.THOUGHTS_EXTRA)
        project = self.project if self.named else None
        about = {"provider": PROVIDER, "model": model, "session": self.id}
        self.stage.bill(AGENT, **about, at_ms=at_ms, amounts=amounts, project=project)

    def _tell(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.records += [message.copy(), {"$set": {"lastUpdated": iso(self.now_ms)}}]

    def _advance(self) -> int:
        self.now_ms += self.stage.random.randrange(20, 30_000)
        return self.now_ms


def folder_name(project: str) -> str:
    return project.rpartition("/")[2].replace(" ", "-")


def project_hash(project: str) -> str:
    return hashlib.sha256(project.encode()).hexdigest()


def _tokens(amounts: Amounts) -> dict[str, int]:
    return {
        "input": amounts.whole_input,
        "output": amounts.output - amounts.reasoning,
        "cached": amounts.cache_read,
        "thoughts": amounts.reasoning,
        "tool": 0,
        "total": amounts.whole_input + amounts.output,
    }


def plain(stage: Stage) -> None:
    """A chat of a few turns, with and without tools."""
    chat = Chat(stage)
    chat.ask()
    for _ in range(stage.random.randrange(1, 12)):
        chat.answer(with_tool=stage.random.random() < 0.7)
    chat.save()


def rewritten(stage: Stage) -> None:
    """A message is written first with a part of its output; the last writing holds."""
    chat = Chat(stage)
    chat.ask()
    message = chat.answer(Amounts(input=900, output=400, cache_read=3_000, reasoning=100))
    early = message | {"tokens": _tokens(Amounts(input=900, output=7, cache_read=3_000))}
    chat.records.insert(chat.records.index(message), early)
    chat.answer(with_tool=True)
    chat.save()


def set_again(stage: Stage) -> None:
    """An update carries all messages so far, and later updates take some back: what was billed stays billed."""
    chat = Chat(stage)
    chat.ask()
    kept = chat.answer(with_tool=True)
    chat.answer()
    chat.records.append({"$set": {"messages": list(chat.messages), "lastUpdated": iso(chat.now_ms)}})
    stage.spring(Trap.SET_MESSAGES)
    chat.records.append({"$rewindTo": kept["id"]})
    chat.records.append({"$set": {"messages": chat.messages[:2]}})
    stage.spring(Trap.REWOUND)
    chat.answer()
    chat.save()


def document(stage: Stage) -> None:
    """A session of an older version, and one that was written in both ways."""
    for both in (False, True):
        chat = Chat(stage, named=both)
        chat.ask()
        chat.answer(with_tool=True)
        chat.answer()
        chat.save_as_document()
        if both:
            chat.save()
        stage.spring(Trap.WHOLE_JSON)


def priced(stage: Stage) -> None:
    """Requests at the threshold and above."""
    chat = Chat(stage)
    for whole_input in (200_000, 200_001, 700_000):
        chat.answer(long_context(reasoning(stage.random), whole_input))
        stage.spring(Trap.AT_THRESHOLD if whole_input == 200_000 else Trap.LONG_CONTEXT)
    chat.save()


def name_projects(stage: Stage) -> None:
    """Write which folder is which project's, as version 0.61 does."""
    names = {project: folder_name(project) for project in PROJECTS}
    stage.write(stage.home.path / ".gemini" / "projects.json", msgspec.json.encode({"projects": names}), 0)


SCENES = {
    Trap.REWRITTEN_ID: rewritten,
    Trap.SET_MESSAGES: set_again,
    Trap.WHOLE_JSON: document,
    Trap.LONG_CONTEXT: priced,
}
