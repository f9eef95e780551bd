import sqlite3
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from clown_daemon.usage import following, opencode_database
from clown_daemon.usage.reader import Answer, Price, Task
from clown_daemon.usage.reading import read_in_thread
from tests.support.corpus.generate import UNATTRIBUTED
from tests.support.corpus.opencode import Conversation
from tests.support.corpus.opencode_store import OpenCodeStore
from tests.support.corpus.stage import Home, Stage
from tests.support.usage import Bench, open_bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with open_bench(tmp_path) as opened:
        yield opened


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of all files that are read, as often as they are."""
    names: list[str] = []

    def read(tasks: Sequence[Task], price: Price) -> AsyncGenerator[Answer, None]:
        names.extend(Path(task.file.path).name for task in tasks)
        return read_in_thread(tasks, price)

    monkeypatch.setattr(following, "read_in_thread", read)
    return names


class Running:
    """An OpenCode that runs, with one session."""

    def __init__(self, home: Path) -> None:
        self._store = OpenCodeStore(home / ".local" / "share" / "opencode")
        self._session = Conversation(Stage(1, Home(UNATTRIBUTED, home), filler_bytes=0, without=frozenset()))
        self._store.add_session(self._session.id, self._session.project, self._session.began_ms)
        self._store.commit()
        self.log = self._store.path.with_name("opencode.db-wal")

    def answer(self) -> None:
        self._session.answer()
        one = self._session.messages[-1]
        self._store.add_message(one.id, self._session.id, one.created_ms, one.created_ms, one.data)
        self._store.commit()


async def test_reading_a_database_is_not_taken_for_a_change_of_it(bench: Bench, reads: list[str]) -> None:
    opencode = Running(bench.home)
    await bench.catch_up()
    await bench.look()
    opencode.answer()
    await bench.look(opencode.log)
    assert [update.responses for update in bench.updates()] == [1]
    reads.clear()
    # To close a database that somebody writes to is told as a change of its write-ahead log.
    await bench.look(opencode.log)
    await bench.look(opencode.log)
    assert not reads
    opencode.answer()
    await bench.look(opencode.log)
    assert reads == ["opencode.db"]
    assert [update.responses for update in bench.updates()] == [1, 1]


async def test_a_database_that_was_read_without_a_change_told_is_read_once_more(bench: Bench, reads: list[str]) -> None:
    opencode = Running(bench.home)
    opencode.answer()
    await bench.catch_up()
    await bench.look()
    reads.clear()
    # A change in the same instant as the first reading has the same time and size.
    await bench.look(opencode.log)
    assert reads == ["opencode.db"]


def refuse(_path: Path, _wait_seconds: float) -> sqlite3.Connection:
    raise sqlite3.OperationalError("disk I/O error")


async def test_a_database_that_cannot_be_read_is_tried_again(
    bench: Bench, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opencode = Running(bench.home)
    await bench.catch_up()
    opencode.answer()
    with monkeypatch.context() as refusing:
        refusing.setattr(opencode_database, "_connect", refuse)
        await bench.look(opencode.log)
    await bench.look(opencode.log)
    assert reads == ["opencode.db", "opencode.db"]
    assert [update.responses for update in bench.updates()] == [1]
