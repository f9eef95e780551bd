"""The example of `docs/client.md` runs as it is printed."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.support.following import started
from tests.support.scripted_daemon import empty_snapshot, scripted_daemon
from tests.support.waiting import until

PAGE = Path(__file__).parents[3] / "docs" / "client.md"


def example() -> Callable[[str], Coroutine[Any, Any, None]]:
    source = re.search(r"runs this -->\n```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert source is not None
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(source[1], str(PAGE), "exec"), names)  # noqa: S102  # our own page
    main: Callable[[str], Coroutine[Any, Any, None]] = names["main"]
    return main


async def test_the_example_follows_a_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    printed = ""

    def shows(text: str) -> bool:
        nonlocal printed
        printed += capsys.readouterr().out
        return text in printed

    async with scripted_daemon(empty_snapshot(seq=100)) as daemon, asyncio.TaskGroup() as tasks:
        following = tasks.create_task(example()(daemon.url), name="example")
        await until(lambda: shows("live"))
        daemon.emit(*started("work"))
        await until(lambda: shows("101 ProfileStarted"))
        daemon.drop_all()
        daemon.emit(*started("work"))
        await until(lambda: shows("102 ProfileStarted"))
        following.cancel()
    assert "0 profiles as of event 100" in printed
    assert "backoff: the connection to the daemon broke" in printed
    assert "0 events were not seen" in printed
