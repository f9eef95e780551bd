import os
from pathlib import Path

import pytest

from clown_daemon.usage.project_marker import LONGEST_BYTES, marked_project
from clown_daemon.usage.reader import Task, read_log
from tests.support.reading import log_file

MARKER = ".project_root"
HEADER = b'{"sessionId":"s1","projectHash":"h","startTime":"2026-06-01T10:00:00.000Z","kind":"main"}\n'
MESSAGE = (
    b'{"id":"m1","timestamp":"2026-06-01T10:00:00.000Z","type":"gemini","content":"","model":"gemini-2.5-pro",'
    b'"tokens":{"input":1,"output":2,"cached":0,"thoughts":0,"tool":0,"total":3}}\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / ".gemini" / "tmp" / "shop"
    (found / "chats" / "parent").mkdir(parents=True)
    return found


@pytest.mark.parametrize("place", ["chats", "chats/parent"])
def test_the_marker_above_a_log_names_its_project(folder: Path, place: str) -> None:
    (folder / MARKER).write_text("/home/dev/naïve shop\n", "utf-8")
    assert marked_project(folder / place / "session-1.jsonl", MARKER) == "/home/dev/naïve shop"


@pytest.mark.parametrize("text", [None, b"", b" \n"])
def test_without_one_nobody_knows(folder: Path, text: bytes | None) -> None:
    if text is not None:
        (folder / MARKER).write_bytes(text)
    assert marked_project(folder / "chats" / "session-1.jsonl", MARKER) is None


def test_what_is_no_text_or_no_file_harms_nothing(folder: Path) -> None:
    log = folder / "chats" / "session-1.jsonl"
    os.mkfifo(folder / MARKER)
    assert marked_project(log, MARKER) is None
    (folder / MARKER).unlink()
    (folder / MARKER).write_bytes(b"/caf\xe9" + b"x" * 2 * LONGEST_BYTES)
    project = marked_project(log, MARKER)
    assert project is not None
    assert project.startswith("/caf�x")
    assert len(project) < LONGEST_BYTES


@pytest.mark.parametrize(("marked", "project"), [(True, "/home/dev/shop"), (False, None)])
def test_a_chat_of_gemini_belongs_to_the_project_of_its_folder(folder: Path, marked: bool, project: str | None) -> None:
    log = folder / "chats" / "session-1.jsonl"
    log.write_bytes(HEADER + MESSAGE)
    if marked:
        (folder / MARKER).write_text("/home/dev/shop")
    parts = list(read_log(Task(log_file(log, "gemini"), None, None), lambda _: None))
    assert [entry.response.project for part in parts for entry in part.entries] == [project]
