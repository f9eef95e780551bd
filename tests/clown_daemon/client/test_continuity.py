import pytest

from clown_daemon.client.continuity import Continuity, Resume
from clown_daemon.protocol.stream import Hello


def hello(seq: int, log: str = "a", *, resumed: bool = False) -> Hello:
    return Hello(version="1", instance="i", log=log, seq=seq, floor=0, head=seq, resumed=resumed)


def at(seq: int, *, filtered: bool = False) -> Continuity:
    continuity = Continuity(filtered=filtered)
    continuity.greeted(hello(seq))
    continuity.load(seq)
    return continuity


def test_there_is_nothing_to_resume_before_the_first_greeting() -> None:
    assert Continuity(filtered=False).resume is None
    assert at(7).resume == Resume(7, "a")


@pytest.mark.parametrize(
    ("greeting", "missed"),
    [(hello(7, resumed=True), 0), (hello(12), 5), (hello(7), 0), (hello(12, log="b"), None), (hello(3), None)],
    ids=["resumed", "expired", "quiet", "another log", "future"],
)
def test_what_was_missed_is_known_within_one_log(greeting: Hello, missed: int | None) -> None:
    continuity = at(7)
    assert continuity.greeted(greeting) == missed
    assert continuity.resume == Resume(greeting.seq, greeting.log)


def test_of_a_part_of_the_events_nobody_knows_how_many_were_missed() -> None:
    assert at(7, filtered=True).greeted(hello(12)) is None


def test_a_snapshot_fits_when_it_is_of_the_same_log_and_not_older() -> None:
    continuity = at(7)
    assert continuity.accepts("a", 7)
    assert continuity.accepts("a", 9)
    assert not continuity.accepts("a", 6)
    assert not continuity.accepts("b", 9)


def test_the_next_event_the_gap_and_the_double_are_told_apart() -> None:
    continuity = at(7)
    assert continuity.skipped(8) == 0
    assert continuity.skipped(11) == 3
    assert continuity.skipped(7) == -1


def test_a_part_of_the_events_has_holes_and_no_gaps() -> None:
    continuity = at(7, filtered=True)
    assert continuity.skipped(11) == 0
    assert continuity.skipped(7) == -1


def test_events_that_the_snapshot_has_are_replayed() -> None:
    continuity = at(7)
    continuity.load(9)
    assert [continuity.advance(seq) for seq in (8, 9, 10)] == [True, True, False]
