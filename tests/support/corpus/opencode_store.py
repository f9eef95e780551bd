"""OpenCode's database as version 1.18.33 makes it; a part of its rows lies in the write-ahead log alone.

The last connection to close a database folds its log in. So both files are copied while one is open, and the copies are
what stays.
"""

import os
import shutil
import sqlite3
from pathlib import Path

SCHEMA = """
CREATE TABLE `project` (
  `id` text PRIMARY KEY, `worktree` text NOT NULL, `vcs` text, `name` text, `icon_url` text, `icon_url_override` text,
  `icon_color` text, `time_created` integer NOT NULL, `time_updated` integer NOT NULL, `time_initialized` integer,
  `sandboxes` text NOT NULL, `commands` text
);
CREATE TABLE `session` (
  `id` text PRIMARY KEY, `project_id` text NOT NULL, `workspace_id` text, `parent_id` text, `slug` text NOT NULL,
  `directory` text NOT NULL, `path` text, `title` text NOT NULL, `version` text NOT NULL, `share_url` text,
  `summary_additions` integer, `summary_deletions` integer, `summary_files` integer, `summary_diffs` text,
  `metadata` text, `cost` real DEFAULT 0 NOT NULL, `tokens_input` integer DEFAULT 0 NOT NULL,
  `tokens_output` integer DEFAULT 0 NOT NULL, `tokens_reasoning` integer DEFAULT 0 NOT NULL,
  `tokens_cache_read` integer DEFAULT 0 NOT NULL, `tokens_cache_write` integer DEFAULT 0 NOT NULL, `revert` text,
  `permission` text, `agent` text, `model` text, `time_created` integer NOT NULL, `time_updated` integer NOT NULL,
  `time_compacting` integer, `time_archived` integer,
  CONSTRAINT `fk_session_project_id_project_id_fk` FOREIGN KEY (`project_id`) REFERENCES `project`(`id`)
    ON DELETE CASCADE
);
CREATE TABLE `message` (
  `id` text PRIMARY KEY, `session_id` text NOT NULL, `time_created` integer NOT NULL, `time_updated` integer NOT NULL,
  `data` text NOT NULL,
  CONSTRAINT `fk_message_session_id_session_id_fk` FOREIGN KEY (`session_id`) REFERENCES `session`(`id`)
    ON DELETE CASCADE
);
CREATE TABLE `part` (
  `id` text PRIMARY KEY, `message_id` text NOT NULL, `session_id` text NOT NULL, `time_created` integer NOT NULL,
  `time_updated` integer NOT NULL, `data` text NOT NULL,
  CONSTRAINT `fk_part_message_id_message_id_fk` FOREIGN KEY (`message_id`) REFERENCES `message`(`id`) ON DELETE CASCADE
);
CREATE INDEX `message_session_time_created_id_idx` ON `message` (`session_id`,`time_created`,`id`);
CREATE INDEX `part_message_id_id_idx` ON `part` (`message_id`,`id`);
CREATE INDEX `part_session_idx` ON `part` (`session_id`);
CREATE INDEX `session_project_idx` ON `session` (`project_id`);
CREATE INDEX `session_parent_idx` ON `session` (`parent_id`);
"""


class OpenCodeStore:
    """One `opencode.db`, open until `close`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "opencode.db"
        self._connection = sqlite3.connect(self.path)
        for pragma in ("journal_mode=WAL", "synchronous=OFF"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(SCHEMA)
        self._connection.execute(
            "INSERT INTO project (id, worktree, sandboxes, time_created, time_updated)"
            " VALUES ('global', '/', '[]', 0, 0)"
        )
        self._connection.commit()

    def add_session(self, session_id: str, directory: str, at_ms: int) -> None:
        self._connection.execute(
            "INSERT INTO session (id, project_id, slug, directory, title, version, agent, time_created, time_updated)"
            " VALUES (?, 'global', 'calm-orchid', ?, 'Let me do it.', '1.18.33', 'build', ?, ?)",
            (session_id, directory, at_ms, at_ms),
        )

    def add_message(self, message_id: str, session_id: str, created_ms: int, updated_ms: int, data: bytes) -> None:
        """Add a message; the session's own sums, which hold copied history too, grow as OpenCode lets them grow."""
        row = (message_id, session_id, created_ms, updated_ms, data.decode())
        self._connection.execute("INSERT INTO message VALUES (?, ?, ?, ?, ?)", row)
        self._connection.execute(
            "UPDATE session SET time_updated = max(time_updated, ?1),"
            " tokens_input = tokens_input + coalesce(?2 ->> '$.tokens.input', 0),"
            " tokens_output = tokens_output + coalesce(?2 ->> '$.tokens.output', 0) WHERE id = ?3",
            (updated_ms, data.decode(), session_id),
        )

    def add_part(self, part_id: str, message_id: str, session_id: str, at_ms: int, data: bytes) -> None:
        row = (part_id, message_id, session_id, at_ms, at_ms, data.decode())
        self._connection.execute("INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)", row)

    def commit(self) -> None:
        self._connection.commit()

    def fold(self) -> None:
        """Move all rows so far from the write-ahead log into the database."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self, at_ms: int) -> None:
        """Leave both files as a running OpenCode has them."""
        files = (self.path, self.path.with_name("opencode.db-wal"))
        copies = [Path(shutil.copyfile(file, f"{file}.copy")) for file in files]
        self._connection.close()
        for file, copy in zip(files, copies, strict=True):
            copy.replace(file)
            os.utime(file, ns=(at_ms * 1_000_000, at_ms * 1_000_000))
