import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from clown_daemon.usage import watcher
from clown_daemon.usage.watcher import Changes, Folder, Hint, Watcher


class Watched:
    """Folders that are watched, and what was told since."""

    def __init__(self, *folders: Folder) -> None:
        self.folders = list(folders)
        self.changes = Changes()
        self.watcher = Watcher(self._answer, self.changes)

    async def _answer(self) -> Iterable[Folder]:
        return self.folders

    async def next(self) -> Hint:
        async with asyncio.timeout(20):
            await self.changes.wait()
        return self.changes.take()

    async def told(self, path: Path) -> None:
        """Wait until something is told of a path."""
        hint: Hint = None
        while hint is None or path not in hint:
            hint = await self.next()


@asynccontextmanager
async def watching(*folders: Folder) -> AsyncIterator[Watched]:
    watched = Watched(*folders)
    task = asyncio.create_task(watched.watcher.watch())
    try:
        yield watched
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "WAKE_SECONDS", 0.02)
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.02)


def nested(path: Path) -> Folder:
    return Folder(str(path), nested=True)


async def test_once_the_watch_stands_everywhere_is_looked_at_and_then_where_something_changes(tmp_path: Path) -> None:
    async with watching(nested(tmp_path)) as watched:
        assert await watched.next() is None
        (tmp_path / "a.jsonl").write_text("x")
        await watched.told(tmp_path / "a.jsonl")
        (tmp_path / "deep").mkdir()
        await watched.told(tmp_path / "deep")
        (tmp_path / "deep" / "b.jsonl").write_text("x")
        await watched.told(tmp_path / "deep" / "b.jsonl")
        assert watched.watcher.polled == frozenset()


async def test_what_lies_deeper_is_told_only_where_it_matters(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    async with watching(Folder(str(tmp_path), nested=False)) as watched:
        assert await watched.next() is None
        (tmp_path / "deep" / "b.db").write_text("x")
        (tmp_path / "a.db").write_text("x")
        hint = await watched.next()
    assert hint is not None
    assert tmp_path / "a.db" in hint
    assert tmp_path / "deep" / "b.db" not in hint


async def test_a_folder_that_appears_or_was_replaced_is_watched(tmp_path: Path) -> None:
    logs = tmp_path / "projects"
    async with watching(nested(logs), nested(tmp_path / "never")) as watched:
        logs.mkdir()
        assert await watched.next() is None
        logs.rename(tmp_path / "old")
        logs.mkdir()
        while await watched.next() is not None:
            pass
        (logs / "a.jsonl").write_text("x")
        await watched.told(logs / "a.jsonl")


async def test_a_new_set_of_folders_is_watched(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    async with watching(nested(tmp_path / "a")) as watched:
        assert await watched.next() is None
        watched.folders.append(nested(tmp_path / "b"))
        assert await watched.next() is None
        (tmp_path / "b" / "x").write_text("x")
        await watched.told(tmp_path / "b" / "x")


async def test_where_notifications_do_not_work_the_folders_are_looked_at_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "OS file watch limit reached")

    monkeypatch.setattr(watcher, "RustNotify", refuse)
    async with watching(nested(tmp_path)) as watched:
        for _ in range(3):
            assert await watched.next() == frozenset({tmp_path})
        assert watched.watcher.polled == {str(tmp_path)}


async def test_a_folder_on_a_network_is_looked_at_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watcher, "read_mountinfo", lambda: f"1 1 0:1 / {tmp_path}/far rw - nfs4 server:/ rw\n")
    for name in ("far", "near"):
        (tmp_path / name).mkdir()
    async with watching(nested(tmp_path / "far"), nested(tmp_path / "near")) as watched:
        for _ in range(3):
            hint = await watched.next()
            assert hint is None or hint == frozenset({tmp_path / "far"})
        assert watched.watcher.polled == {str(tmp_path / "far")}


async def test_everywhere_is_looked_at_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "RESCAN_SECONDS", 0.01)
    async with watching() as watched:
        for _ in range(3):
            assert await watched.next() is None


async def test_changes_are_gathered_until_they_are_taken() -> None:
    changes = Changes()
    changes.add(frozenset([Path("/a")]))
    changes.add(frozenset([Path("/b")]))
    assert changes.take() == frozenset({Path("/a"), Path("/b")})
    changes.add(frozenset([Path("/a")]))
    changes.add(None)
    assert changes.take() is None
    assert changes.take() == frozenset()
