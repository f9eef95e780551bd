"""OpenCode's databases for tests: with its own schema, and rows that its versions 0.5 to 1.18 wrote against a stub.

The samples are in `tests/data/logs/opencode_rows.jsonl`: rows of tables, and files of before 1.2, of which only the
providers' addresses and the folders were changed.
"""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.support.transcripts import LOGS

SCHEMA = """
CREATE TABLE `session` (
    `id` text PRIMARY KEY, `project_id` text, `parent_id` text, `slug` text, `directory` text NOT NULL, `title` text,
    `version` text NOT NULL, `time_created` integer NOT NULL, `time_updated` integer NOT NULL);
CREATE TABLE `message` (
    `id` text PRIMARY KEY, `session_id` text NOT NULL, `time_created` integer NOT NULL,
    `time_updated` integer NOT NULL, `data` text NOT NULL,
    CONSTRAINT `fk_message_session_id_session_id_fk` FOREIGN KEY (`session_id`) REFERENCES `session`(`id`)
    ON DELETE CASCADE);
CREATE TABLE `part` (
    `id` text PRIMARY KEY, `message_id` text NOT NULL, `session_id` text NOT NULL, `time_created` integer NOT NULL,
    `time_updated` integer NOT NULL, `data` text NOT NULL);
CREATE INDEX `message_session_time_created_id_idx` ON `message` (`session_id`,`time_created`,`id`);
CREATE INDEX `part_message_id_id_idx` ON `part` (`message_id`,`id`);
"""
SCHEMA_2 = """
CREATE TABLE `session_v2` (
    `id` text PRIMARY KEY, `project_id` text, `parent_id` text, `fork_session_id` text, `slug` text,
    `directory` text NOT NULL, `title` text, `version` text NOT NULL, `time_created` integer NOT NULL,
    `time_updated` integer NOT NULL);
CREATE TABLE `session_message` (
    `id` text PRIMARY KEY, `session_id` text NOT NULL, `type` text NOT NULL, `seq` integer NOT NULL,
    `time_created` integer NOT NULL, `time_updated` integer NOT NULL, `data` text NOT NULL);
CREATE UNIQUE INDEX `session_message_session_seq_idx` ON `session_message` (`session_id`,`seq`);
"""
AT_MS = 1_795_399_250_157


def samples(version: str, *tables: str) -> list[dict[str, Any]]:
    """Real rows of a version, those of some tables."""
    lines = (LOGS / "opencode_rows.jsonl").read_text().splitlines()
    return [row for row in map(json.loads, lines) if row["version"] == version and row["table"] in tables]


def message(  # the fields of a message
    *,
    at_ms: int = AT_MS,
    tokens: tuple[int, int, int, int] = (10, 20, 30, 40),
    reasoning: int = 0,
    total: int | None = None,
    provider: str = "anthropic",
    model: str = "claude-sonnet-4-5",
    finished: bool = True,
    **more: object,
) -> dict[str, Any]:
    """An assistant's message; `tokens` are input, output, cache read, cache write."""
    fresh, output, read, written = tokens
    counts: dict[str, object] = {
        "input": fresh,
        "output": output,
        "reasoning": reasoning,
        "cache": {"read": read, "write": written},
    }
    if total is not None:
        counts["total"] = total
    return {
        "role": "assistant",
        "modelID": model,
        "providerID": provider,
        "cost": 0.5,
        "tokens": counts,
        "path": {"cwd": "/home/dev/project", "root": "/"},
        "time": {"created": at_ms} | ({"completed": at_ms + 900} if finished else {}),
        **more,
    }


def answer(**fields: Any) -> dict[str, Any]:
    """The same as OpenCode 2 writes it."""
    old = message(**fields)
    return {
        "agent": "build",
        "model": {"id": old["modelID"], "providerID": old["providerID"], "variant": "default"},
        "content": [{"type": "text", "text": '"role": "user"'}],
        "tokens": old["tokens"],
        "time": old["time"],
    }


def unfinished(at_ms: int = AT_MS) -> dict[str, Any]:
    """An assistant's message while its answer comes."""
    return message(at_ms=at_ms, tokens=(0, 0, 0, 0), finished=False)


def as_json(data: object) -> bytes:
    """As OpenCode writes it."""
    return json.dumps(data, separators=(",", ":")).encode()


class Writer:
    """Writes to a database as OpenCode does: with a write-ahead log, one change after the other."""

    def __init__(self, path: Path, schema: str = SCHEMA) -> None:
        self.path = path
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.executescript(schema)
        self._count = 0

    def close(self) -> None:
        self.connection.close()

    def session(self, name: str = "ses_1", **columns: object) -> None:
        self._insert(
            "session",
            {"id": name, "directory": "/home/dev/elsewhere", "version": "1.18.33", "time_created": 1, "time_updated": 1}
            | columns,
        )

    def message(self, data: object, *, session: str = "ses_1", written_ms: int | None = None, name: str = "") -> str:
        """Add a message; answer its id."""
        self._count += 1
        name = name or f"msg_{self._count:04}"
        text = data if isinstance(data, str | bytes | None) else json.dumps(data)
        written_ms = AT_MS + self._count if written_ms is None else written_ms
        row = {"id": name, "session_id": session, "time_created": AT_MS, "time_updated": written_ms, "data": text}
        self._insert("message", row)
        return name

    def answer(self, data: object, *, kind: str = "assistant", session: str = "ses_1", name: str = "") -> str:
        """Add a message of OpenCode 2; answer its id."""
        self._count += 1
        name = name or f"msg_{self._count:04}"
        row = {"id": name, "session_id": session, "type": kind, "seq": self._count, "time_created": AT_MS}
        self._insert("session_message", row | {"time_updated": AT_MS + self._count, "data": json.dumps(data)})
        return name

    def update(self, name: str, data: object, *, written_ms: int = AT_MS + 1000, table: str = "message") -> None:
        sql = f"UPDATE {table} SET data = ?, time_updated = ? WHERE id = ?"  # noqa: S608  # our own names
        self.connection.execute(sql, (json.dumps(data), written_ms, name))

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Add real rows."""
        for row in rows:
            columns = {name: value for name, value in row.items() if name not in {"version", "case", "table"}}
            if row["table"] == "session":
                columns["version"] = row["version"]
            if row["table"] == "part":
                columns |= {"session_id": "", "time_created": 1, "time_updated": 1}
            self._insert(row["table"], columns)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names, marks = ", ".join(row), ", ".join("?" * len(row))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608  # our own names
        self.connection.execute(sql, tuple(row.values()))
