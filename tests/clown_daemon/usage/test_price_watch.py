from pathlib import Path

import pytest

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.usage.price_files import PriceFiles
from clown_daemon.usage.price_watch import PriceWatch
from clown_daemon.usage.pricing import PriceList
from tests.support.transcripts import line
from tests.support.usage import open_bench
from tests.support.waiting import until

OWN = '[models."house-model"]\ninput = 3\noutput = 15\n'


class Listener:
    """Keeps the prices that it is told, and refuses as often as it is asked to."""

    def __init__(self, refusals: int = 0) -> None:
        self.told: list[PriceList] = []
        self.refusals = refusals

    async def __call__(self, prices: PriceList) -> None:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailableError("full")
        self.told.append(prices)


def files(folder: Path) -> PriceFiles:
    return PriceFiles(folder / "prices.toml", folder / "table.json")


async def test_prices_that_did_not_change_are_told_to_nobody(tmp_path: Path) -> None:
    listener = Listener()
    watch = PriceWatch(files(tmp_path), listener)
    await watch.look()
    first = await watch.current()
    await watch.look()
    assert await watch.current() is first
    assert listener.told == []


async def test_a_file_that_appears_changes_and_goes_is_read_each_time(tmp_path: Path) -> None:
    listener = Listener()
    watch = PriceWatch(files(tmp_path), listener)
    assert (await watch.current()).find("house-model") == ()
    (tmp_path / "prices.toml").write_text(OWN)
    await watch.look()
    assert (await watch.current()).find("house-model") != ()
    (tmp_path / "prices.toml").write_text("[models")
    await watch.look()
    assert (await watch.current()).find("house-model") == ()
    assert "are not used" in watch.problems[0]
    (tmp_path / "prices.toml").unlink()
    await watch.look()
    assert watch.problems == ()
    assert len(listener.told) == 3


async def test_what_could_not_be_written_is_tried_again(tmp_path: Path) -> None:
    listener = Listener(refusals=1)
    watch = PriceWatch(files(tmp_path), listener)
    await watch.current()
    (tmp_path / "prices.toml").write_text(OWN)
    await watch.look()
    assert listener.told == []
    await watch.look()
    assert len(listener.told) == 1


async def test_a_price_that_appears_prices_what_had_none_while_the_daemon_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clown_daemon.usage.price_watch.LOOK_SECONDS", 0.01)
    async with open_bench(tmp_path) as bench:
        bench.write("one", line(model="house-model", tokens=(1_000_000, 0, 0, 0)))
        async with bench.following():
            await until(lambda: len(bench.updates()) == 1)
            assert bench.updates()[-1].cost.total_cost is None
            bench.paths.prices_file.parent.mkdir(parents=True, exist_ok=True)
            bench.paths.prices_file.write_text(OWN)
            await until(lambda: len(bench.updates()) == 2)
        assert bench.updates()[-1].cost.total_cost == 3.0
        assert bench.updates()[-1].responses == 0
