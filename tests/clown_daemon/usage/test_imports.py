from collections import deque

from clown_daemon.store.positions import Position
from clown_daemon.usage.imports import Batch, Import
from clown_daemon.usage.reader import Answer, Part, Task, Unreadable
from clown_daemon.usage.recorder import Recorded
from clown_daemon.usage.sources import LogFile

FILES = [
    LogFile(source, source, f"/{source}/{n}", "work", inode=n, size=100, modified_ns=0)
    for source in ("claude", "codex")
    for n in range(2)
]
TASKS = [Task(file, None, None) for file in FILES]


def answer(*files: LogFile, finished: int) -> Answer:
    parts = [Part(file.source, file.path, (), Position(0, 0, b"", "work"), 60, 1) for file in files]
    return Answer(tuple(parts), (), finished)


def two_imports(*, always: bool = False) -> tuple[Import, Import]:
    both = Import("claude", FILES[:2], always=always), Import("codex", FILES[2:], always=always)
    for entry, tasks in zip(both, (TASKS[:2], TASKS[2:]), strict=True):
        entry.begin(tasks, 0, 0.0)
    return both


def batch_of(*answers: Answer) -> Batch:
    batch = Batch(0.0)
    left = deque((file.source, file.path) for file in FILES)
    for found in answers:
        batch.add(found, left)
    return batch


def test_a_batch_may_hold_the_end_of_one_import_and_the_begin_of_the_next() -> None:
    claude, codex = two_imports()
    batch = batch_of(answer(*FILES[:3], finished=2))
    told = [*claude.told(batch, Recorded(5), 10.0), *codex.told(batch, Recorded(), 10.0)]
    assert [(state.source, state.state, state.files_done, state.records_imported) for state in told] == [
        ("claude", "running", 2, 5),
        ("claude", "done", 2, 5),
        ("codex", "running", 0, 0),
    ]
    claude.took(batch, Recorded(5), told, 10.0)
    codex.took(batch, Recorded(), told, 10.0)
    assert claude.left == {}
    assert list(codex.left) == [("codex", "/codex/0"), ("codex", "/codex/1")]
    assert claude.state == told[1]
    assert codex.progress is not None
    assert (codex.progress.bytes_done, codex.progress.lines_broken) == (60, 1)


def test_it_is_told_at_most_twice_a_second() -> None:
    claude, _ = two_imports()
    times = []
    for seconds in (1.0, 1.2, 1.49, 1.5, 1.9, 2.0):
        batch = batch_of(answer(FILES[0], finished=0))
        told = tuple(claude.told(batch, Recorded(), seconds))
        claude.took(batch, Recorded(), told, seconds)
        times += [seconds] * len(told)
    assert times == [1.0, 1.5, 2.0]


def test_an_import_without_anything_new_is_told_only_if_somebody_asked_for_it() -> None:
    quiet, asked = Import("claude", [], always=False), Import("claude", [], always=True)
    for entry, told in ((quiet, []), (asked, ["done"])):
        entry.begin([], 0, 0.0)
        assert [state.state for state in entry.told(batch_of(), Recorded(), 1.0)] == told


def test_one_that_goes_on_after_a_wait_keeps_its_numbers() -> None:
    claude, _ = two_imports()
    batch = batch_of(answer(FILES[0], finished=1))
    claude.took(batch, Recorded(2), (), 1.0)
    claude.begin(TASKS[1:2], 99, 99.0)
    assert claude.progress is not None
    assert (claude.progress.files_done, claude.progress.files_total, claude.progress.began_seconds) == (1, 2, 0.0)
    assert (claude.recorded.records, list(claude.left)) == (2, [("claude", "/claude/1")])


def test_logs_that_cannot_be_read_are_read_to_their_ends() -> None:
    claude, _ = two_imports()
    locked = Unreadable("claude", "/claude/0", "it is locked")
    batch = batch_of(Answer((), (locked,), 1), answer(FILES[1], finished=1))
    assert batch.unreadable == [locked]
    assert claude.ends_with(batch)
