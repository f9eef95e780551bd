"""The event log: bounded, collapsed, filtered as it grows, and still when frozen."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clown_daemon.client.states import EventReceived, GapFound
from clown_daemon.protocol.events import ProfileDeleted, ProxyError
from clown_tui.state.event_log import Accepts, Entry, EventEntry, EventLog, GapEntry, MarkEntry, is_error
from tests.support.dashboard_state import NOW_MS, received, used


def _usage(profile: str = "work", after_ms: int = 0, usd: float | None = 0.01) -> EventReceived:
    return received(used(profile, usd), at_ms=NOW_MS + after_ms)


def _error() -> EventReceived:
    return received(ProxyError(profile="lab", error="taken"))


def _lines(log: EventLog) -> list[Entry]:
    return [log[index] for index in range(len(log))]


def _event(entry: Entry) -> EventEntry:
    assert isinstance(entry, EventEntry)
    return entry


def test_usage_of_one_profile_within_two_seconds_is_one_line_with_sums() -> None:
    log = EventLog()
    log.extend([_usage(), _usage(after_ms=900), _usage(after_ms=2000, usd=None)])
    assert len(log) == 1
    line = _event(log[0])
    assert (line.count, line.tokens, line.nanos, line.unpriced, len(line.earlier)) == (3, 30, 20_000_000, 1, 2)
    assert log.total == 3


@pytest.mark.parametrize("second", [_usage("lab"), _usage(after_ms=2001), _usage(after_ms=-1)])
def test_other_usage_is_a_line_of_its_own(second: EventReceived) -> None:
    log = EventLog()
    log.extend([_usage(), second])
    assert len(log) == 2


def test_errors_never_collapse_and_end_a_collapsed_line() -> None:
    log = EventLog()
    log.extend([_error(), _error(), _usage(), _error(), _usage()])
    assert len(log) == 5
    assert [is_error(entry) for entry in _lines(log)] == [True, True, False, True, False]


def test_a_gap_and_a_mark_are_lines() -> None:
    log = EventLog()
    assert log.extend([GapFound(away_seconds=11.8, missed=4, at_ms=NOW_MS)])
    log.mark(NOW_MS, "here")
    assert isinstance(log[0], GapEntry)
    assert isinstance(log[1], MarkEntry)
    assert log.total == 0
    assert not log.extend([])


def test_it_holds_the_newest_lines_only() -> None:
    log = EventLog(capacity=100)
    log.extend([received(ProfileDeleted(alias=f"p{number}")) for number in range(1000)])
    assert len(log) == 100
    assert log[0].number == 900
    assert log[-1].number == 999
    assert log.find(899 - 50) is None
    assert log.index_of(950) == 50
    assert log.total == 1000


def test_what_comes_while_it_is_frozen_is_counted_and_shown_afterwards() -> None:
    log = EventLog()
    log.extend([_usage()])
    log.hold(freeze=True)
    log.extend([_usage(after_ms=1), _usage(after_ms=2), _error()])
    assert (len(log), log.unseen, log.frozen, _event(log[0]).count) == (1, 3, True, 1)
    log.release()
    assert (len(log), log.unseen, log.frozen) == (3, 0, False)


def test_a_held_view_grows_and_counts() -> None:
    log = EventLog()
    log.set_filter(is_error)
    log.hold(freeze=False)
    log.extend([_error(), _usage(), _error()])
    assert (len(log), log.unseen) == (2, 2)


def test_a_line_outside_the_view_is_still_found() -> None:
    log = EventLog()
    log.extend([_usage(), _error(), _usage("lab")])
    log.set_filter(is_error)
    log.hold(freeze=True)
    assert len(log) == 1
    assert log.find(0) is not None
    assert log.find(7) is None
    assert log.index_of(0) is None


def test_the_latest_lines_of_a_subject_come_newest_first() -> None:
    log = EventLog()
    log.extend([_error(), _usage(), _error()])
    assert [entry.number for entry in log.latest(is_error, 5)] == [2, 0]
    assert [entry.number for entry in log.latest(is_error, 1)] == [2]


def test_there_is_no_line_beyond_the_view() -> None:
    with pytest.raises(IndexError):
        EventLog()[0]


def _many(entry: Entry) -> bool:
    return isinstance(entry, EventEntry) and entry.count % 2 == 0


STEPS = st.lists(st.one_of(st.tuples(st.sampled_from("ab"), st.integers(0, 3000)), st.just(("!", 0))), max_size=120)


@settings(deadline=None)
@given(STEPS, st.sampled_from([is_error, _many, lambda entry: entry.number % 3 == 0]), st.integers(3, 40))
def test_the_view_that_grows_equals_the_view_made_afresh(
    steps: list[tuple[str, int]], accepts: Accepts, capacity: int
) -> None:
    log = EventLog(capacity=capacity)
    log.set_filter(accepts)
    at = 0
    for name, step in steps:
        at += step
        log.extend([_error() if name == "!" else _usage(name, after_ms=at)])
        grown = _lines(log)
        whole = log._entries[-capacity:]
        assert grown == [entry for entry in whole if accepts(entry)]
