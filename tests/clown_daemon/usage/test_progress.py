from clown_daemon.store.positions import Position
from clown_daemon.usage.progress import Progress
from clown_daemon.usage.reader import Answer, Part, Task
from clown_daemon.usage.sources import LogFile

TASKS = [
    Task(LogFile("claude", "claude", f"/{n}", "work", inode=n, size=1000, modified_ns=0), None, None) for n in range(4)
]
STARTED_MS = 1_790_000_000_000


def answer(bytes_read: int, finished: int, broken: int = 0) -> Answer:
    part = Part("claude", "/0", (), Position(0, 0, b"", "work"), bytes_read, broken)
    return Answer((part,), (), finished)


def test_it_is_told_at_most_twice_a_second() -> None:
    progress = Progress("claude", TASKS, STARTED_MS)
    assert [progress.due(seconds) for seconds in (10.0, 10.4, 10.5, 10.9, 11.0)] == [True, False, True, False, True]


def test_rate_and_time_left_follow_from_what_was_read() -> None:
    progress = Progress("claude", TASKS, STARTED_MS)
    progress.began(100.0)
    progress.read(answer(1000, 1, broken=2))
    early = progress.running(100.1)
    assert (early.bytes_per_second, early.seconds_left) == (None, None)
    state = progress.running(102.0, records=7)
    assert (state.state, state.files_done, state.files_total) == ("running", 1, 4)
    assert (state.bytes_done, state.bytes_total, state.bytes_per_second, state.seconds_left) == (1000, 4000, 500, 6.0)
    assert (state.records_imported, state.lines_broken) == (7, 2)


def test_logs_that_grow_or_go_away_leave_no_odd_numbers() -> None:
    progress = Progress("claude", TASKS, STARTED_MS)
    progress.began(100.0)
    progress.read(answer(5000, 2))
    assert progress.running(110.0).seconds_left == 0
    ended = progress.ended("done", 3)
    assert (ended.files_done, ended.bytes_done, ended.bytes_total) == (4, 5000, 5000)
    assert (ended.bytes_per_second, ended.records_imported, ended.started_at) == (None, 3, "2026-09-21T14:13:20Z")


def test_one_that_was_cancelled_says_how_far_it_came() -> None:
    progress = Progress("claude", TASKS, STARTED_MS)
    progress.read(answer(1500, 1))
    ended = progress.ended("cancelled", 3)
    assert (ended.state, ended.files_done, ended.bytes_done, ended.bytes_total) == ("cancelled", 1, 1500, 4000)
