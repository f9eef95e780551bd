import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import websockets
from prometheus_client.parser import text_string_to_metric_families
from websockets.asyncio.client import connect

from clown_daemon.api.metrics import FAMILIES
from clown_daemon.protocol.events import DaemonUpdated
from tests.support.api_server import ApiServer, running_api
from tests.support.waiting import until

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[ApiServer]:
    async with running_api(tmp_path) as server:
        yield server


async def scrape(api: ApiServer, query: str = "") -> Samples:
    async with api.client() as client:
        reply = await client.get(f"/metrics{query}")
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.text)
        for sample in family.samples
    }


def follow(api: ApiServer, query: str = "") -> connect:
    return connect(api.stream_url + query, proxy=None, compression=None)


async def test_clients_are_counted_by_mode(api: ApiServer) -> None:
    async with follow(api), follow(api), follow(api, "?hello=1&passive=1"):
        await until(lambda: api.broadcaster.connections == 3)
        samples = await scrape(api)
    assert samples["clown_stream_clients", (("mode", "plain"), ("passive", "false"))] == 2
    assert samples["clown_stream_clients", (("mode", "extended"), ("passive", "true"))] == 1
    assert samples["clown_stream_clients", (("mode", "extended"), ("passive", "false"))] == 0


async def test_events_are_counted_by_type_and_by_delivery(api: ApiServer) -> None:
    async with follow(api, "?hello=1") as client:
        await client.recv()
        async with follow(api, "?events=ProfileDeleted") as narrow:
            await narrow.recv()
            await api.record("a", "b")
            await api.record_data([DaemonUpdated(problems=1)])
            await narrow.recv()
            await narrow.recv()
        for _ in range(3):
            await client.recv()
        await until(lambda: api.broadcaster.connections == 1)
        samples = await scrape(api)
    assert samples["clown_events_total", (("type", "ProfileDeleted"),)] == 2
    assert samples["clown_events_total", (("type", "DaemonUpdated"),)] == 1
    # Those of the client that left are not forgotten.
    assert samples["clown_stream_deliveries_total", ()] == 5
    assert samples["clown_ring_events", ()] == 3
    assert samples["clown_ring_bytes", ()] > 300
    assert samples["clown_write_seconds_count", ()] == 2
    assert samples["clown_write_wait_seconds_count", ()] == 2


async def test_the_log_says_what_it_holds(api: ApiServer) -> None:
    await api.record(*"abcde")
    await api.database.write(lambda transaction: transaction.connection.execute("DELETE FROM events WHERE seq <= 3"))
    samples = await scrape(api)
    assert [samples[f"clown_log_{name}", ()] for name in ("head_seq", "floor_seq", "events")] == [5, 3, 2]
    assert samples["clown_database_bytes", (("file", "main"),)] >= 4096
    assert samples["clown_database_bytes", (("file", "wal"),)] > 0


async def test_a_client_that_stands_still_lags(api: ApiServer) -> None:
    async with follow(api, "?hello=1") as client:
        await client.recv()
        await api.record(*"abc")
        await client.recv()
        (cursor,) = api.broadcaster.cursors
        cursor.seq -= 2
        samples = await scrape(api)
        cursor.seq += 2
    assert (samples["clown_stream_lag_events", ()], samples["clown_stream_max_lag_events", ()]) == (2, 2)
    assert samples["clown_stream_max_unsent_bytes", ()] == 0


async def test_who_was_refused_is_counted(api: ApiServer) -> None:
    with pytest.raises(websockets.InvalidStatus):
        async with connect(api.stream_url, proxy=None, additional_headers={"Origin": "https://evil.example"}):
            pass
    assert (await scrape(api))["clown_refusals_total", (("reason", "foreign_origin"),)] == 1


async def test_without_a_database_the_rest_is_told(api: ApiServer) -> None:
    await api.database.close()
    names = {name for name, _ in await scrape(api)}
    assert "clown_stream_max_lag_events" in names
    assert "process_resident_memory_bytes" in names
    assert not any(name.startswith(("clown_log", "clown_database")) for name in names)


async def test_a_passive_scrape_does_not_keep_the_daemon(api: ApiServer) -> None:
    touched = api.daemon.touched
    await scrape(api, "?passive=1")
    assert api.daemon.touched == touched
    await scrape(api)
    assert api.daemon.touched == touched + 1


async def test_the_rules_of_access_hold_here_too(tmp_path: Path) -> None:
    async with running_api(tmp_path, auth="token") as api, api.client() as client:
        assert (await client.get("/metrics")).status_code == 401
        assert (await client.get("/metrics?what=1")).status_code == 401


async def test_the_page_has_exactly_what_is_served(api: ApiServer) -> None:
    await api.record("a")
    async with api.client() as client:
        assert (await client.get("/metrics", headers={"Host": "evil.example"})).status_code == 403
        text = (await client.get("/metrics")).text
    served = [
        (name + "_total" * (kind == "counter" and not name.endswith("_total")), kind, help_)
        for name, help_, kind in re.findall(r"^# HELP (\S+) (.+)\n# TYPE \S+ (\S+)$", text, re.MULTILINE)
    ]
    labels = {family.name: ", ".join(f"`{label}`" for label in family.labels) for family in FAMILIES}
    rows = [tuple(cell.strip() for cell in line.split("|")[1:-1]) for line in PAGE.read_text("utf-8").splitlines()]
    written = [row for row in rows if len(row) == 4 and row[0].startswith("`")]
    assert written == [(f"`{name}`", kind, labels[name], help_) for name, kind, help_ in served]
