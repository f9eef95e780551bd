from functools import partial
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol.resources import ProxySettings
from clown_daemon.proxies.diary import Diary
from clown_daemon.store import proxies
from clown_daemon.store.database import Transaction, open_database


def enable(transaction: Transaction, profile: str) -> None:
    proxies.put_settings(transaction.connection, profile, ProxySettings(enabled=True))


class FullDisk:
    """Refuses changes for as long as it is full."""

    def __init__(self) -> None:
        self.full = True

    def __call__(self, transaction: Transaction, profile: str) -> None:
        if self.full:
            raise StoreUnavailableError("the disk is full")
        enable(transaction, profile)


async def test_changes_wait_in_order_while_the_database_takes_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    database = await open_database(tmp_path / "clown.db", ManualClock())
    diary, disk = Diary(database), FullDisk()
    await diary.write(partial(disk, profile="a"))
    await diary.write(partial(enable, profile="b"))
    assert await database.read(proxies.read_proxies) == ()
    assert "1 changes of proxies wait to be written down" in caplog.text
    disk.full = False
    await diary.catch_up()
    assert [proxy.profile for proxy in await database.read(proxies.read_proxies)] == ["a", "b"]
    await diary.catch_up()
    await database.close()


async def test_a_change_that_is_wrong_is_no_outage(tmp_path: Path) -> None:
    database = await open_database(tmp_path / "clown.db", ManualClock())
    diary = Diary(database)

    def wrong(transaction: Transaction) -> None:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="a fault of ours"):
        await diary.write(wrong)
    await diary.write(partial(enable, profile="a"))
    assert [proxy.profile for proxy in await database.read(proxies.read_proxies)] == ["a"]
    await database.close()
