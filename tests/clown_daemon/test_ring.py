import pytest

from clown_daemon import ring as module
from clown_daemon.ring import Ring, pong_frame, text_frame
from clown_daemon.store.event_log import EncodedEvent


def event(seq: int, name: str = "ProfileCreated", size: int = 10) -> EncodedEvent:
    return EncodedEvent(seq, name, None, b"%03d" % seq + b"x" * (size - 3))


def filled(count: int, *, size: int = 10) -> Ring:
    ring = Ring(0)
    for seq in range(1, count + 1):
        ring.add(event(seq, ("ProfileCreated", "UsageUpdated")[seq % 2], size))
    return ring


@pytest.mark.parametrize(("length", "header"), [(125, 2), (126, 4), (65535, 4), (65536, 10)])
def test_a_frame_has_the_shortest_header(length: int, header: int) -> None:
    frame = text_frame(b"x" * length)
    assert frame[0] == 0x81
    assert frame[1] < 128  # a server does not mask
    assert len(frame) == header + length


def test_a_pong_returns_the_payload_of_the_ping() -> None:
    assert pong_frame(b"") == b"\x8a\x00"
    assert pong_frame(b"x" * 125) == b"\x8a\x7d" + b"x" * 125


def test_who_stands_at_the_same_place_gets_the_same_object() -> None:
    ring = filled(6)
    assert ring.batch(2, None) is ring.batch(2, None)
    assert ring.batch(2, None).data == b"".join(text_frame(event(seq).body) for seq in (3, 4, 5, 6))
    ring.forget_batches()
    ring.add(event(7))
    assert ring.batch(2, None).upto == 7


def test_a_filter_leaves_out_and_counts_along() -> None:
    batch = filled(6).batch(0, frozenset({"UsageUpdated"}))
    assert (batch.frames, batch.upto) == (3, 6)


def test_a_write_ends_with_the_frame_that_passes_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_BYTES", 25)
    assert filled(6).batch(0, None).upto == 3
    monkeypatch.setattr(module, "BATCH_EVENTS", 2)
    assert filled(6).batch(3, None).upto == 5


def test_the_oldest_leave_one_by_one_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RING_EVENTS", 4)
    ring = filled(6)
    assert len(ring) == 6
    ring.trim()
    assert (ring.before, ring.head, len(ring), ring.bytes) == (2, 6, 4, 4 * 12)
    ring.add(event(7))
    ring.trim()
    assert (ring.before, ring.head, len(ring)) == (3, 7, 4)
    assert ring.batch(3, None).data.startswith(text_frame(event(4).body))


def test_the_oldest_leave_when_they_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RING_BYTES", 500)
    ring = filled(6, size=100)
    ring.trim()
    assert (ring.before, ring.bytes) == (2, 408)
    ring.add(event(7, size=1000))
    ring.trim()
    assert (ring.before, ring.head, len(ring), ring.bytes) == (7, 7, 0, 0)


def test_types_are_counted_though_their_events_have_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RING_EVENTS", 1)
    ring = filled(6)
    ring.trim()
    assert ring.by_type == {"ProfileCreated": 3, "UsageUpdated": 3}
