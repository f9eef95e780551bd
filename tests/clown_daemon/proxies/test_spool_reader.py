import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from clown_daemon.clock import ManualClock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event, ProxyMetered
from clown_daemon.protocol.resources import ProxySettings
from clown_daemon.proxies import spool_reader
from clown_daemon.proxies.metering.measured import Counts
from clown_daemon.proxies.records import Kind, Record
from clown_daemon.proxies.spool_reader import Add, SpoolReader
from clown_daemon.store import proxies
from clown_daemon.store.database import Database, Transaction, open_database
from clown_daemon.store.event_log import EncodedEvent
from tests.support.waiting import until

pytestmark = pytest.mark.asyncio


@dataclass
class Bench:
    """A reader, and what it told."""

    folder: Path
    database: Database
    events: list[Event]
    billed: list[tuple[str, str]] = field(default_factory=list)
    busy: bool = False
    refuses: bool = False

    def reader(self) -> SpoolReader:
        return SpoolReader(folder=self.folder / "spool", database=self.database, ledger=self, is_busy=lambda: self.busy)

    def wait_seconds(self, profiles: Iterable[str]) -> float:  # noqa: ARG002  # what is called
        return 0.0

    async def record_metered(self, change: Callable[[Transaction, Add], None], profiles: Iterable[str]) -> None:
        billed: list[tuple[str, str]] = []

        def whole(transaction: Transaction) -> None:
            change(transaction, lambda profile, responses: billed.extend((profile, one.key) for one in responses))
            if self.refuses:
                raise StoreUnavailableError("the disk is full")

        await self.database.write(whole)
        assert {profile for profile, _ in billed} <= set(profiles)
        self.billed += billed

    def write(self, *records: Record, profile: str = "work", file: str = "boot-0000.jsonl") -> Path:
        path = self.folder / "spool" / profile / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as out:
            out.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
        return path

    def told(self) -> list[tuple[int, int]]:
        data = [event.data for event in self.events]
        return [(one.requests, one.errors) for one in data if isinstance(one, ProxyMetered)]


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    events: list[Event] = []

    def announce(batch: Sequence[EncodedEvent]) -> None:
        frames = [codec.decode_frame(event.body) for event in batch]
        events.extend(frame for frame in frames if isinstance(frame, Event))

    database = await open_database(tmp_path / "clown.db", ManualClock(), announce)
    await database.write(lambda transaction: proxies.put_settings(transaction.connection, "work", ProxySettings()))
    yield Bench(tmp_path, database, events)
    await database.close()


def record(number: int, kind: Kind = "end", *, request_id: str | None = "req", status: int = 200) -> Record:
    return Record(
        id=f"boot:{number}",
        kind=kind,
        at_ms=1_795_000_000_000 + number,
        profile="work",
        agent_id="claude",
        wire="anthropic",
        response_id=f"msg_{number}",
        request_id=request_id,
        status=status,
        ended="whole" if kind == "end" else None,
        counts=Counts(input_tokens=1),
        first_ms=1.0,
    )


def keys(*numbers: int, last: str = "req") -> list[tuple[str, str]]:
    return [("work", f"anthropic|msg_{number}|{last}") for number in numbers]


async def test_records_are_read_once_whoever_reads(bench: Bench) -> None:
    bench.write(record(1), record(2, status=529))
    reader = bench.reader()
    await reader.read()
    await reader.read()
    assert bench.billed == keys(1, 2)
    bench.write(record(3))
    await bench.reader().read()  # another daemon
    assert bench.billed == keys(1, 2, 3)


async def test_what_was_not_committed_is_read_again(bench: Bench) -> None:
    bench.write(record(1))

    bench.refuses = True
    with pytest.raises(StoreUnavailableError):
        await bench.reader().read()
    bench.refuses = False
    await bench.reader().read()
    assert bench.billed == keys(1)


async def test_traffic_is_told_at_most_once_a_second_and_never_lost(bench: Bench) -> None:
    bench.write(record(1))
    reader = bench.reader()
    await reader.read()
    assert bench.told() == [(1, 0)]
    bench.write(record(2), record(3, status=500))
    await reader.read()
    assert bench.told() == [(1, 0)]
    await reader.finish()
    assert bench.told() == [(1, 0), (2, 1)]
    bench.write(record(4))
    await bench.reader().read()
    later = bench.reader()
    bench.write(record(5))
    await later.finish()
    assert sum(requests for requests, _ in bench.told()) == 5


async def test_a_reader_that_watches_tells_what_waits(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_reader, "TRAFFIC_SECONDS", 0.2)
    watching = asyncio.create_task(bench.reader().watch())
    bench.write(record(1))
    await until(lambda: bench.told() == [(1, 0)])
    bench.write(record(2))
    bench.write(record(3))
    await until(lambda: sum(requests for requests, _ in bench.told()) == 3)
    watching.cancel()


async def test_a_reader_that_rests_is_woken(bench: Bench) -> None:
    reader = bench.reader()
    watching = asyncio.create_task(reader.watch())
    await reader.read()
    bench.busy = True
    bench.write(record(1))
    reader.wake()
    await until(lambda: bench.billed == keys(1), seconds=spool_reader.REST_SECONDS - 1)
    watching.cancel()


async def test_a_file_that_is_over_goes_and_what_it_left_open_counts(bench: Bench) -> None:
    open_one, closed_one = record(1, "partial", request_id=None), record(2, "partial", request_id=None)
    path = bench.write(open_one, closed_one, record(2, request_id=None))
    reader = bench.reader()
    await reader.read()
    assert bench.billed == keys(2, last="1|0|0")
    await reader.tidy()
    assert bench.billed == keys(2, 1, last="1|0|0")
    assert not path.exists()
    assert not path.parent.exists()
    assert await bench.database.read(proxies.read_offsets) == {}
    await reader.tidy()
    assert bench.billed == keys(2, 1, last="1|0|0")


async def test_a_full_file_waits_for_the_ends_of_its_requests(bench: Bench) -> None:
    full = bench.write(record(1, "partial", request_id=None))
    reader = bench.reader()
    bench.write(record(2), file="boot-0001.jsonl")
    await reader.read()
    bench.write(record(1, request_id=None), file="boot-0001.jsonl")
    await reader.tidy()
    assert full.exists()
    await reader.read()
    await reader.tidy()
    assert not full.exists()
    assert bench.billed == [*keys(2), *keys(1, last="1|0|0")]


async def test_broken_lines_are_said_and_the_rest_counts(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    path = bench.write(record(1))
    with path.open("ab") as out:
        out.write(b"{]\n")
    bench.write(record(2))
    await bench.reader().read()
    assert bench.billed == keys(1, 2)
    assert "1 lines of work/boot-0000.jsonl are no records" in caplog.text


async def test_usage_of_a_deleted_profile_still_counts(bench: Bench) -> None:
    bench.write(record(1), profile="gone")
    await bench.reader().finish()
    assert bench.billed == [("gone", "anthropic|msg_1|req")]
    assert bench.told() == []
