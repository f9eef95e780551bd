from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from clown_daemon.usage import watcher


async def test_where_notifications_do_not_work_it_says_look_everywhere_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*folders: object, **_: object) -> AsyncIterator[object]:
        if folders:
            raise OSError(28, "inotify watch limit reached")
        yield None

    async def folders() -> tuple[Path, ...]:
        return (tmp_path,)

    monkeypatch.setattr(watcher, "awatch", refuse)
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.001)
    seen: list[watcher.Hint] = []
    async with aclosing(watcher.hints(folders)) as hints:
        async for hint in hints:
            seen.append(hint)
            if len(seen) == 4:
                break
    assert seen == [None] * 4


@pytest.mark.timeout(30)
async def test_a_folder_that_was_replaced_is_watched_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "WAKE_SECONDS", 0.05)
    logs = tmp_path / "projects"
    logs.mkdir()

    async def folders() -> tuple[Path, ...]:
        return (logs, tmp_path / "never")

    async with aclosing(watcher.hints(folders)) as hints:
        assert await anext(hints) is None
        assert await anext(hints) is None  # The watch stands; what changed before it did is looked for.
        logs.rename(tmp_path / "old")
        logs.mkdir()
        async for hint in hints:
            if hint is None:
                break
        assert await anext(hints) is None
        (logs / "a.jsonl").write_text("x")
        async for hint in hints:
            if hint is not None and logs / "a.jsonl" in hint:
                break
