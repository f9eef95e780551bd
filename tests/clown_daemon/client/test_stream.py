from collections.abc import AsyncIterator

import pytest

from clown_daemon.client.continuity import Resume
from clown_daemon.client.errors import IncompatibleError, RefusedError, StreamLostError, UnreachableError
from clown_daemon.client.stream import open_stream
from clown_daemon.protocol.events import Event
from tests.support.following import started
from tests.support.scripted_daemon import ScriptedDaemon, empty_snapshot, scripted_daemon
from tests.support.waiting import until


@pytest.fixture
async def daemon() -> AsyncIterator[ScriptedDaemon]:
    async with scripted_daemon(empty_snapshot(seq=100)) as running:
        yield running


async def test_it_greets_and_answers_all_frames_that_are_there_at_once(daemon: ScriptedDaemon) -> None:
    async with open_stream(daemon.url) as stream:
        assert (stream.hello.seq, stream.hello.resumed) == (100, False)
        for number in range(500):
            daemon.emit(*started("a", number))
        numbers: list[int] = []
        batches = 0
        while len(numbers) < 500:
            numbers += [frame.seq for frame in await stream.next_batch() if isinstance(frame, Event)]
            batches += 1
        assert numbers == list(range(101, 601))
        assert batches < 250


async def test_it_resumes(daemon: ScriptedDaemon) -> None:
    daemon.emit(*started("a"))
    async with open_stream(daemon.url, resume=Resume(100, "log-a")) as stream:
        assert stream.hello.resumed
        frame = (await stream.next_batch())[0]
        assert isinstance(frame, Event)
        assert frame.seq == 101


async def test_frames_that_arrived_are_answered_before_the_end_is_raised(daemon: ScriptedDaemon) -> None:
    with pytest.raises(StreamLostError, match="shut down") as caught:
        async with open_stream(daemon.url) as stream:
            daemon.emit(*started("a"))
            daemon.drop_all(1001)
            await until(lambda: daemon.clients == 0)
            assert len(await stream.next_batch()) == 1
            await stream.next_batch()
    assert caught.value.code == 1001


async def test_the_body_fails_with_its_own_error(daemon: ScriptedDaemon) -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_stream(daemon.url):
            raise ZeroDivisionError
    await until(lambda: daemon.clients == 0)


async def test_nothing_listens(daemon: ScriptedDaemon) -> None:
    await daemon.stop()
    with pytest.raises(UnreachableError, match="nothing listens") as caught:
        async with open_stream(daemon.url):
            pass
    assert caught.value.refused


async def test_a_name_with_two_addresses_says_that_nothing_listens(daemon: ScriptedDaemon) -> None:
    await daemon.stop()
    with pytest.raises(UnreachableError, match="nothing listens") as caught:
        async with open_stream(daemon.url.replace("127.0.0.1", "localhost")):
            pass
    assert caught.value.refused


async def test_a_refusal_carries_the_daemons_words(daemon: ScriptedDaemon) -> None:
    problem = {"success": False, "error": "unknown event X", "code": "unknown_event", "hint": "did you mean Y?"}
    daemon.refusal = 400, problem
    with pytest.raises(RefusedError, match="unknown event X") as caught:
        async with open_stream(daemon.url, events=("X",)):
            pass
    assert (caught.value.status, caught.value.hint) == (400, "did you mean Y?")


async def test_another_protocol_and_no_greeting_are_incompatible(daemon: ScriptedDaemon) -> None:
    daemon.protocol = 2
    with pytest.raises(IncompatibleError, match="protocol 2"):
        async with open_stream(daemon.url):
            pass


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1:1"])
async def test_what_is_no_address_is_told(url: str) -> None:
    with pytest.raises(IncompatibleError, match="no address"):
        async with open_stream(url):
            pass
