import pytest

from clown_daemon.proxies.metering import events
from clown_daemon.proxies.metering.events import EventCutter


def test_data_on_several_lines_is_joined() -> None:
    assert list(EventCutter(b"usage").feed(b"data: {\ndata: usage}\n\n")) == [b"{\nusage}"]


def test_an_event_that_is_too_large_is_let_go_of_and_the_next_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LARGEST_EVENT_BYTES", 100)
    cutter = EventCutter(b"usage")
    found = [
        data
        for piece in (b"data: " + b"x" * 90, b"usage" * 10, b"\n\ndata: usage 2\n\n")
        for data in cutter.feed(piece)
    ]
    assert found == [b"usage 2"]
    assert cutter.overflowed == 1


def test_the_blank_line_that_ends_a_large_event_may_come_in_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LARGEST_EVENT_BYTES", 100)
    cutter = EventCutter(b"usage")
    assert list(cutter.feed(b"data: " + b"x" * 200 + b"\n")) == []
    assert list(cutter.feed(b"\ndata: usage 2\n\n")) == [b"usage 2"]
