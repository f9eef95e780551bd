import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from clown_daemon.store.ledger import Costs, Response
from clown_daemon.store.positions import Position
from clown_daemon.usage import reader
from clown_daemon.usage.formats import lines
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.pages import Page, UnreadablePagesError
from clown_daemon.usage.reader import Task, UnreadableError, read_log, read_logs
from clown_daemon.usage.sources import KINDS, Document, Pages
from tests.support.reading import Ledger, chunks, log_file, told
from tests.support.transcripts import LOGS, line, sample
from tests.support.unprivileged import run_unprivileged


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "a.jsonl"


def free(_: Response) -> Costs | None:
    return Costs(0, 0, 0, 0, 0, "free")


def numbered(*numbers: int) -> bytes:
    return b"".join(line(str(number), str(number)) for number in numbers)


def keys(*numbers: int) -> list[str]:
    return [f"anthropic|{number}|{number}" for number in numbers]


# -- appended ---------------------------------------------------------------------------------------------------------


def test_a_log_split_at_every_byte_tells_the_same(tmp_path: Path) -> None:
    data = numbered(1) + b'{"type":"assistant","usage":}\n' + line("3", None).rstrip(b"\n")
    whole = Ledger()
    (tmp_path / "whole").write_bytes(data)
    whole.read(tmp_path / "whole")
    assert len(set(whole.keys)) == 2
    for place in range(len(data) + 1):
        ledger, log = Ledger(), tmp_path / "log"
        log.write_bytes(data[:place])
        ledger.read(log)
        log.write_bytes(data)
        ledger.read(log)
        ledger.read(log)
        assert set(ledger.keys) == set(whole.keys), place
        assert ledger.position(log).lines_broken == 1, place
        assert ledger.position(log).offset == whole.position(tmp_path / "whole").offset, place


@pytest.mark.parametrize("seed", range(10))
def test_a_log_that_grows_by_any_chunks_tells_the_same(tmp_path: Path, seed: int) -> None:
    for path in LOGS.glob("claude_*.jsonl"):
        whole, ledger, log = Ledger(), Ledger(), tmp_path / path.name
        whole.read(path)
        log.touch()
        for chunk in chunks(path.read_bytes(), seed, 4000):
            with log.open("ab") as stream:
                stream.write(chunk)
            ledger.read(log)
        assert set(ledger.keys) == set(whole.keys)


def test_what_was_read_is_not_read_again(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(1, 2))
    assert told(ledger.read(log)) == keys(1, 2)
    assert ledger.read(log) == []
    assert ledger.read(log, suspicious=True) == []
    with log.open("ab") as stream:
        stream.write(numbered(3))
    assert told(ledger.read(log)) == keys(3)
    assert ledger.bytes_read == log.stat().st_size


def test_an_empty_log_is_known_once_it_was_seen(ledger: Ledger, log: Path) -> None:
    log.touch()
    [part] = ledger.read(log)
    assert (part.entries, part.position.offset, part.position.size) == ((), 0, 0)
    assert ledger.read(log) == []


def test_lines_of_one_response_are_one_entry_with_its_price(log: Path) -> None:
    log.write_bytes(line(tokens=(1, 2, 3, 4), stop_reason=None) + line(tokens=(1, 9, 3, 4)) + line(tokens=(1, 9, 3, 4)))
    [part] = read_log(Task(log_file(log, profile="work"), None, "bedrock"), free)
    [entry] = part.entries
    assert (entry.response.output_tokens, entry.profile, entry.response.provider) == (9, "work", "bedrock")
    assert entry.costs == free(entry.response)


def test_a_position_in_the_middle_is_never_taken_for_the_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "READ_BYTES", 700)
    monkeypatch.setattr(reader, "PART_ENTRIES", 2)
    log.write_bytes(numbered(*range(10)))
    before: list[str] = []
    for part in read_log(Task(log_file(log), None, None), free):
        before += told([part])
        after = Ledger()
        after.known["claude", str(log)] = part.position
        assert sorted(before + told(after.read(log))) == keys(*range(10))


def test_what_is_appended_while_it_is_read_is_for_the_next_time(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(1))
    reading = read_log(Task(log_file(log), None, None), free)
    first = next(reading)
    with log.open("ab") as stream:
        stream.write(numbered(2))
    assert list(reading) == []
    ledger.known["claude", str(log)] = first.position
    assert told(ledger.read(log)) == keys(2)


# -- cut, replaced, moved, restored -----------------------------------------------------------------------------------


def test_a_log_that_was_cut_is_read_from_its_start(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(1, 2, 3))
    ledger.read(log)
    log.write_bytes(numbered(1))
    assert told(ledger.read(log)) == keys(1)
    log.write_bytes(numbered(1, 4))
    assert told(ledger.read(log)) == keys(4)


def test_a_log_that_was_cut_and_written_on_between_two_looks_is_read_from_its_start(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(10, 20, 30))
    ledger.read(log)
    log.write_bytes(numbered(10, 40, 50, 60))  # the same head, and longer than before
    assert set(told(ledger.read(log))) == set(keys(10, 40, 50, 60))


def test_a_log_in_whose_place_another_one_is_is_read_from_its_start(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(1, 2))
    ledger.read(log)
    other = log.with_suffix(".new")
    other.write_bytes(numbered(3, 4, 5))
    other.replace(log)
    assert told(ledger.read(log)) == keys(3, 4, 5)


def test_a_log_that_was_moved_is_read_on(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(1, 2))
    ledger.read(log)
    archived = log.with_name("archived.jsonl")
    log.rename(archived)
    assert told(ledger.read(archived)) == []
    assert ledger.position(archived).offset == archived.stat().st_size
    assert ledger.read(archived) == []
    with archived.open("ab") as stream:
        stream.write(numbered(3))
    assert told(ledger.read(archived)) == keys(3)
    assert ledger.bytes_read == archived.stat().st_size


def test_a_number_that_was_given_to_another_file_means_nothing(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(1, 2))
    ledger.read(log)
    position = ledger.known.pop(("claude", str(log)))
    other = log.with_name("other.jsonl")
    other.write_bytes(numbered(3, 4, 5))
    ledger.known["claude", str(log)] = position._replace(inode=other.stat().st_ino)
    assert told(ledger.read(other)) == keys(3, 4, 5)


def test_a_log_restored_from_a_backup_is_read_on(ledger: Ledger, log: Path) -> None:
    log.write_bytes(numbered(1, 2))
    ledger.read(log)
    shutil.copy(log, log.with_suffix(".backup"))
    log.unlink()
    log.with_suffix(".backup").replace(log)
    with log.open("ab") as stream:
        stream.write(numbered(3))
    assert told(ledger.read(log)) == keys(3)


def test_a_log_that_went_away_is_no_problem(log: Path) -> None:
    log.touch()
    task = Task(log_file(log), None, None)
    log.unlink()
    assert list(read_log(task, free)) == []


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_to_a_log_nothing_is_lost(tmp_path: Path, seed: int) -> None:
    """Appended, cut, replaced, moved, restored, in any order: in the end every line that stands there was told."""
    source = random.Random(seed)  # noqa: S311  # a seeded test, no secret
    ledger, log, archive = Ledger(), tmp_path / "log.jsonl", tmp_path / "moved.jsonl"
    log.touch()
    number = 0
    for _ in range(40):
        action = source.randrange(8)
        if action < 4:
            number += 1
            with log.open("ab") as stream:
                stream.write(numbered(number)[: source.choice((None, 50, -20))])
        elif action == 4:
            os.truncate(log, source.randint(0, log.stat().st_size))
        elif action == 5:
            shutil.copy(log, archive)
            archive.replace(log)
        elif action == 6:
            log.rename(archive)
            ledger.read(archive)
            archive.rename(log)
        else:
            log.write_bytes(numbered(*range(source.randrange(number + 1))))
        if source.random() < 0.7:
            ledger.read(log)
    ledger.read(log)
    there = Ledger()
    there.read(log)
    assert set(there.keys) <= set(ledger.keys)


# -- strange ----------------------------------------------------------------------------------------------------------


def test_a_line_that_is_too_long_is_broken_and_the_memory_bounded(
    ledger: Ledger, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "LONGEST_LINE_BYTES", 10_000)
    monkeypatch.setattr(reader, "READ_BYTES", 4096)
    log.write_bytes(numbered(1) + b'{"type":"assistant","usage":"' + b"x" * 100_000)
    assert told(ledger.read(log)) == keys(1)
    assert ledger.position(log).offset == log.stat().st_size, "what is skipped is not read again"
    with log.open("ab") as stream:
        stream.write(b"x" * 50_000 + b'"}\n' + numbered(2))
    assert told(ledger.read(log)) == keys(2)
    assert ledger.position(log).lines_broken == 1


def test_a_pipe_in_the_place_of_a_log_is_not_waited_for(log: Path) -> None:
    log.touch()
    task = Task(log_file(log), None, None)
    log.unlink()
    os.mkfifo(log)
    with pytest.raises(UnreadableError, match="is no file, and is not read"):
        list(read_log(task, free))


def test_a_log_without_permission_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl", "c.jsonl"):
        (tmp_path / name).write_bytes(numbered(ord(name[0])))
    (tmp_path / "b.jsonl").chmod(0)
    said = run_unprivileged(
        """
import sys
from pathlib import Path
from clown_daemon.usage.reader import Task, read_logs
from tests.support.reading import log_file
tasks = [Task(log_file(path), None, None) for path in sorted(Path(sys.argv[1]).iterdir())]
[answer] = read_logs(tasks, lambda _: None)
print(len(answer.parts), answer.finished, [(found.source, found.sentence) for found in answer.unreadable])
""",
        str(tmp_path),
    )
    sentence = f"the log {tmp_path}/b.jsonl cannot be read: Permission denied"
    assert said == f"2 3 [('claude', '{sentence}')]\n"


def test_a_document_is_read_whole_whenever_it_changed_and_not_when_it_is_huge(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = KINDS["claude"]._replace(reading=Document(ClaudeParser))
    monkeypatch.setattr(reader, "KINDS", {"claude": kind})
    ledger = Ledger()
    log.write_bytes(numbered(1))
    assert told(ledger.read(log)) == keys(1)
    assert ledger.read(log) == []
    log.write_bytes(numbered(1, 2))
    assert told(ledger.read(log)) == keys(1, 2)
    monkeypatch.setattr(reader, "LARGEST_DOCUMENT_BYTES", 100)
    log.write_bytes(numbered(1, 2, 3))
    with pytest.raises(UnreadableError, match="is larger than 0 MiB, and is not read"):
        ledger.read(log)


# -- several ----------------------------------------------------------------------------------------------------------


def test_what_is_small_is_answered_together_and_the_end_always(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "ANSWER_ENTRIES", 4)
    paths = [tmp_path / f"{number}.jsonl" for number in range(5)]
    for number, path in enumerate(paths):
        path.write_bytes(numbered(number * 10, number * 10 + 1))
    answers = list(read_logs([Task(log_file(path), None, None) for path in paths], free))
    assert [(len(answer.parts), answer.finished) for answer in answers] == [(2, 1), (2, 2), (1, 2)]
    assert list(read_logs([], free)) == [((), (), 0)]


def test_the_real_logs_are_read() -> None:
    [part] = read_log(Task(log_file(sample("main_then_resumed")), None, None), free)
    assert len(part.entries) == 4
    assert isinstance(part.position, Position)


# -- with a reader of their own ---------------------------------------------------------------------------------------


def paged(monkeypatch: pytest.MonkeyPatch, *pages: Page | UnreadablePagesError) -> list[bytes]:
    """Have logs read by pages; answer the states that were gone on from."""
    states: list[bytes] = []

    def read(path: Path, state: bytes) -> Iterator[Page]:
        assert path.exists()
        states.append(state)
        for page in pages:
            if isinstance(page, UnreadablePagesError):
                raise page
            if page.state > state:
                yield page

    monkeypatch.setattr(reader, "KINDS", {"claude": KINDS["claude"]._replace(reading=Pages(read))})
    return states


def response(key: str) -> Response:
    return Response("claude", "claude", key, "p", "m", "s", None, 0, 1, 1, 0, 0, 0)


def test_pages_are_kept_with_their_states_and_the_end_with_size_and_time(
    ledger: Ledger, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = paged(monkeypatch, Page((response("1"), response("1")), b"a", 1), Page((response("2"),), b"b", 2))
    log.write_bytes(b"12345")
    parts = ledger.read(log)
    assert [(told([part]), part.position.state, part.position.size) for part in parts] == [
        (["1"], b"a", reader.NOT_DONE),
        (["2"], b"b", reader.NOT_DONE),
        ([], b"b", 5),
    ]
    assert sum(part.bytes_read for part in parts) == 5
    assert ledger.position(log).lines_broken == 3
    assert ledger.read(log) == []
    assert ledger.read(log, suspicious=True) == []
    log.write_bytes(b"123")  # tidied up: nothing is read again
    assert [(part.entries, part.bytes_read) for part in ledger.read(log)] == [((), 0)]
    assert states == [b"", b"b", b"b"]


def test_pages_that_say_the_same_again_leave_a_file_that_is_done(
    ledger: Ledger, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paged(monkeypatch, Page((response("1"),), b"a", 0))
    log.write_bytes(b"12345")
    ledger.read(log)
    monkeypatch.undo()

    def again(_path: Path, state: bytes) -> Iterator[Page]:
        yield Page((response("1"),), state, 0)

    monkeypatch.setattr(reader, "KINDS", {"claude": KINDS["claude"]._replace(reading=Pages(again))})
    ledger.read(log, suspicious=True)
    assert ledger.position(log).size == 5


def test_pages_that_cannot_be_read_are_told_and_tried_again(
    ledger: Ledger, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = paged(monkeypatch, Page((response("1"),), b"a", 0), UnreadablePagesError("it is locked"))
    log.write_bytes(b"12345")
    for _ in range(2):
        with pytest.raises(UnreadableError, match="it is locked"):
            ledger.read(log)
    assert states == [b"", b"a"]
    assert ledger.keys == ["1"]
