from clown_daemon.usage.progress import Progress

STARTED_MS = 1_790_000_000_000
PROGRESS = Progress(source="claude", files_total=4, bytes_total=4000, started_ms=STARTED_MS, began_seconds=100.0)


def test_rate_and_time_left_follow_from_what_was_read() -> None:
    progress = PROGRESS.plus(1, 1000, 2)
    early = progress.running(100.1, 0)
    assert (early.bytes_per_second, early.seconds_left) == (None, None)
    state = progress.running(102.0, 7)
    assert (state.source, state.state, state.files_done, state.files_total) == ("claude", "running", 1, 4)
    assert (state.bytes_done, state.bytes_total, state.bytes_per_second, state.seconds_left) == (1000, 4000, 500, 6.0)
    assert (state.records_imported, state.lines_broken, state.started_at) == (7, 2, "2026-09-21T14:13:20Z")


def test_logs_that_grow_or_go_away_leave_no_odd_numbers() -> None:
    progress = PROGRESS.plus(2, 5000, 0)
    assert progress.running(110.0, 0).seconds_left == 0
    done = progress.done(3)
    assert (done.files_done, done.bytes_done, done.bytes_total, done.bytes_per_second) == (4, 5000, 5000, None)


def test_one_that_was_cancelled_says_how_far_it_came() -> None:
    ended = PROGRESS.plus(1, 1500, 0).ended("cancelled", 3)
    assert (ended.state, ended.files_done, ended.bytes_done, ended.bytes_total) == ("cancelled", 1, 1500, 4000)
