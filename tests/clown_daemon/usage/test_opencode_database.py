import json
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clown_daemon.store.ledger import Entry, Response, merge
from clown_daemon.usage import opencode_database, opencode_tables
from clown_daemon.usage.formats.opencode import OpenCodeParser
from clown_daemon.usage.opencode_database import OVERLAP_MS, read_rows
from clown_daemon.usage.pages import UnreadablePagesError
from tests.support.opencode import AT_MS, SCHEMA, SCHEMA_2, Writer, answer, message, samples, unfinished


class Follower:
    """Keeps what is read, as the ledger does, with the state of the last page."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = b""
        self.kept: dict[str, Entry] = {}
        self.broken = 0
        self.pages = 0

    def read(self, **options: float) -> list[Response]:
        """Read what is new; answer what was not known before."""
        new = []
        for page in read_rows(self.path, self.state, **options):
            for response in page.responses:
                entry = Entry(response, None, "p")
                if response.key not in self.kept:
                    new.append(response)
                kept = self.kept.get(response.key)
                self.kept[response.key] = entry if kept is None else merge(kept, entry)
            self.state = page.state
            self.broken += page.rows_broken
            self.pages += 1
        return new

    @property
    def inputs(self) -> list[int]:
        """The input tokens of everything that is known, ascending."""
        return sorted(entry.response.input_tokens for entry in self.kept.values())


def answered(number: int) -> dict[str, object]:
    """A message that is told by its input tokens."""
    return message(at_ms=AT_MS + number, tokens=(number, 1, 0, 0))


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "opencode.db")
    writer.session()
    yield writer
    writer.close()


@pytest.fixture
def follower(writer: Writer) -> Follower:
    return Follower(writer.path)


# What real versions wrote.


def test_a_fork_a_subagent_and_a_compaction_are_counted_once(writer: Writer, follower: Follower) -> None:
    writer.add(samples("1.18.33", "session", "message"))
    follower.read()
    rows = [entry.response for entry in follower.kept.values() if entry.response.cache_read_tokens == 15001]
    # The provider answered nine times in these sessions, and once more what was cut off; two copies are in the fork.
    assert len(rows) == 9
    assert sorted(response.input_tokens for response in rows) == [11, 11, 11, 12, 12, 12, 12, 51, 53]
    assert sum(response.output_tokens for response in rows) == 9 * 201
    assert sum(response.sidechain for response in rows) == 2
    assert len({response.session for response in rows}) == 4
    assert follower.broken == 0


def test_a_forked_session_costs_what_the_provider_billed(writer: Writer, follower: Follower) -> None:
    # OpenCode 1.18.33 tells $0.0152 for the one session and $0.0303 for its fork, which holds a copy of the one.
    first = message(at_ms=1_795_399_250_157, tokens=(19, 209, 15009, 2009), total=17246)
    writer.message(first, session="ses_df9dd9bcfffeI8JnNTgzTpO4oy")
    writer.message(first, session="ses_df9a0ba3dffeTvDV0yPzscG3J3")
    second = message(at_ms=1_795_403_238_338, tokens=(11, 201, 15001, 2001), total=17214)
    writer.message(second, session="ses_df9a0ba3dffeTvDV0yPzscG3J3")
    follower.read()
    responses = [entry.response for entry in follower.kept.values()]
    picodollars = [
        3_000_000 * response.input_tokens
        + 15_000_000 * response.output_tokens
        + 300_000 * response.cache_read_tokens
        + 3_750_000 * response.cache_write_5m_tokens
        for response in responses
    ]
    assert picodollars == [15_228_450_000, 15_052_050_000]
    assert [response.session for response in responses] == [
        "ses_df9dd9bcfffeI8JnNTgzTpO4oy",
        "ses_df9a0ba3dffeTvDV0yPzscG3J3",
    ]


def test_messages_of_several_steps_are_several_responses(writer: Writer, follower: Follower) -> None:
    [file] = samples("0.5.29", "file")
    data = json.loads(file["data"])
    writer.session(data["sessionID"], version="0.5.29")
    writer.message(data, session=data["sessionID"], name=data["id"])
    writer.add(samples("0.5.29", "part"))
    follower.read()
    # The program itself added up $0.0304041 for two answers of $0.01520205 and kept the tokens of one.
    assert [entry.response.output_tokens for entry in follower.kept.values()] == [201, 201]


def test_leftover_files_add_nothing_to_what_was_migrated_and_what_was_not_counts(
    writer: Writer, follower: Follower
) -> None:
    files = [row["data"].encode() for row in samples("1.1.58", "file")]
    for text in files[1:]:
        writer.message(json.loads(text))
    follower.read()
    assert len(follower.kept) == len(files) - 1
    for text in files:
        parser = OpenCodeParser()
        parser.feed(text)
        for response in parser.unfinished():
            follower.kept.setdefault(response.key, Entry(response, None, "p"))
    assert len(follower.kept) == len(files)


# A database that grows and changes.


def test_only_what_is_new_is_read(writer: Writer, follower: Follower) -> None:
    for number in range(1, 4):
        writer.message(answered(number))
    assert len(follower.read()) == 3
    assert follower.read() == []
    writer.message(answered(4))
    assert [response.input_tokens for response in follower.read()] == [4]


def test_nothing_is_answered_when_nothing_is_new(writer: Writer, follower: Follower) -> None:
    writer.message({"role": "user", "time": {"created": 1}})
    assert follower.read() == []
    assert follower.pages == 1
    follower.read()
    assert follower.pages == 1


def test_an_answer_is_read_when_it_has_ended(writer: Writer, follower: Follower) -> None:
    name = writer.message(unfinished())
    writer.message(answered(7))
    follower.read()
    assert follower.inputs == [7]
    writer.update(name, answered(3))
    assert [response.input_tokens for response in follower.read()] == [3]


def test_an_answer_is_read_however_many_came_before_it_ended(
    writer: Writer, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencode_database, "TAIL_ROWS", 2)
    name = writer.message(unfinished())
    for number in range(10, 20):
        writer.message(answered(number), written_ms=AT_MS + 10 * OVERLAP_MS)
    follower.read()
    writer.update(name, answered(3), written_ms=AT_MS)
    assert [response.input_tokens for response in follower.read()] == [3]


def test_an_answer_is_read_though_the_clock_was_set_back(writer: Writer, follower: Follower) -> None:
    name = writer.message(unfinished(), written_ms=AT_MS + 10**9)
    follower.read()
    writer.update(name, answered(3), written_ms=AT_MS)
    writer.message(answered(4), written_ms=AT_MS - 10**9)
    follower.read()
    assert follower.inputs == [3, 4]


def test_answers_that_never_end_are_given_up_in_the_end(
    writer: Writer, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencode_database, "MOST_UNFINISHED", 2)
    monkeypatch.setattr(opencode_database, "TAIL_ROWS", 0)
    names = [writer.message(unfinished()) for _ in range(3)]
    follower.read()
    for number, name in enumerate(names):
        writer.update(name, answered(number + 1))
    follower.read()
    assert follower.inputs == [2, 3]


def test_a_step_that_is_tried_again_in_place_is_another_response(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "opencode.db", SCHEMA_2)
    name = writer.answer(answer(tokens=(5, 1, 0, 0)))
    follower = Follower(writer.path)
    follower.read()
    writer.update(name, answer(tokens=(6, 2, 0, 0)), table="session_message")
    follower.read()
    assert follower.inputs == [5, 6]
    writer.close()


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 6, 7])
def test_pages_lose_and_repeat_nothing_though_all_rows_have_the_same_time(
    writer: Writer, follower: Follower, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(opencode_database, "PAGE_ROWS", rows)
    for number in range(1, 7):
        writer.message(answered(number), written_ms=AT_MS)
    responses = [response.input_tokens for page in read_rows(writer.path) for response in page.responses]
    assert responses == [1, 2, 3, 4, 5, 6]
    assert len(follower.read()) == 6


def test_every_page_is_a_place_to_go_on_from(
    writer: Writer, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencode_database, "PAGE_ROWS", 2)
    for number in range(1, 8):
        writer.message(answered(number))
    for page in [*read_rows(writer.path)]:
        rest = {response.input_tokens for later in read_rows(writer.path, page.state) for response in later.responses}
        assert rest >= set(range(page.responses[-1].input_tokens + 1, 8))


def test_a_database_that_is_written_to_between_two_pages_is_read_on(
    writer: Writer, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencode_database, "PAGE_ROWS", 2)
    for number in range(1, 6):
        writer.message(answered(number))
    seen: list[int] = []
    for page in read_rows(writer.path):
        seen += [response.input_tokens for response in page.responses]
        if len(seen) == 2:
            writer.message(answered(6))
            writer.connection.execute("DELETE FROM message WHERE id = 'msg_0004'")
    assert seen == [1, 2, 3, 5, 6]


def test_rows_of_a_transaction_that_has_not_ended_are_not_seen(writer: Writer, follower: Follower) -> None:
    writer.connection.execute("BEGIN")
    writer.message(answered(1))
    assert follower.read() == []
    writer.connection.execute("COMMIT")
    assert len(follower.read()) == 1


def test_reading_blocks_no_writer(writer: Writer) -> None:
    writer.message(answered(1))
    writer.connection.execute("PRAGMA busy_timeout = 0")
    for _ in read_rows(writer.path):
        writer.message(answered(2))
        assert writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0


def test_nothing_is_lost_while_another_program_writes_all_the_time(writer: Writer, follower: Follower) -> None:
    def write() -> None:
        other = Writer(writer.path, "")
        for number in range(1, 301):
            name = other.message(unfinished(), name=f"other_{number}")
            other.update(name, answered(number))
        other.close()

    thread = threading.Thread(target=write)
    thread.start()
    while thread.is_alive():
        follower.read()
    thread.join()
    follower.read()
    assert follower.inputs == list(range(1, 301))


def test_reading_changes_nothing_in_the_database(writer: Writer, follower: Follower) -> None:
    writer.message(answered(1))
    writer.close()
    before = writer.path.read_bytes()
    follower.read()
    assert writer.path.read_bytes() == before
    # SQLite's companions, with nothing in the log.
    left = {path.name: path.stat().st_size for path in writer.path.parent.iterdir() if path != writer.path}
    assert left == {"opencode.db-wal": 0, "opencode.db-shm": 32768}


# A database that is another one.


def test_a_database_that_was_replaced_is_read_from_its_start(
    tmp_path: Path, writer: Writer, follower: Follower
) -> None:
    for number in range(1, 6):
        writer.message(answered(number))
    follower.read()
    writer.close()
    other = Writer(tmp_path / "other.db")
    for number in range(11, 20):
        other.message(answered(number), name=f"other_{number}")
    other.close()
    other.path.replace(writer.path)
    follower.read()
    assert follower.inputs == [1, 2, 3, 4, 5, *range(11, 20)]


def test_a_backup_that_was_restored_adds_nothing_and_what_follows_it_counts(
    tmp_path: Path, writer: Writer, follower: Follower
) -> None:
    writer.message(answered(1))
    backup = sqlite3.connect(tmp_path / "backup.db")
    writer.connection.backup(backup)
    backup.close()
    for number in range(2, 6):
        writer.message(answered(number))
    follower.read()
    writer.close()
    for companion in ("-wal", "-shm"):
        writer.path.with_name(writer.path.name + companion).unlink(missing_ok=True)
    (tmp_path / "backup.db").replace(writer.path)
    restored = Writer(writer.path, "")
    restored.message(answered(9), name="after_the_backup")
    assert [response.input_tokens for response in follower.read()] == [9]
    assert follower.inputs == [1, 2, 3, 4, 5, 9]
    restored.close()


def test_a_database_that_was_vacuumed_is_read_on(writer: Writer, follower: Follower) -> None:
    names = [writer.message(answered(number)) for number in range(1, 6)]
    follower.read()
    writer.connection.execute("DELETE FROM message WHERE id = ?", (names[0],))
    writer.connection.execute("VACUUM")
    writer.message(answered(9))
    follower.read()
    assert follower.inputs == [1, 2, 3, 4, 5, 9]


def test_a_row_that_took_the_number_of_a_deleted_one_is_read(writer: Writer, follower: Follower) -> None:
    writer.message(answered(1))
    last = writer.message(answered(2))
    follower.read()
    writer.connection.execute("DELETE FROM message WHERE id = ?", (last,))
    writer.message(answered(3))
    follower.read()
    assert follower.inputs == [1, 2, 3]


def test_a_session_that_was_deleted_stays_counted(writer: Writer, follower: Follower) -> None:
    writer.message(answered(1))
    follower.read()
    writer.connection.execute("DELETE FROM message")
    follower.read()
    follower.read()
    assert follower.inputs == [1]


@pytest.mark.parametrize("state", [b"\xff", b"state", b"\x81\xa1\xff\x90", b"\x81\xa7message\x94\xa1x\x01\x02\x03"])
def test_a_state_that_cannot_be_read_stands_for_the_start(writer: Writer, state: bytes) -> None:
    writer.message(answered(1))
    assert [len(page.responses) for page in read_rows(writer.path, state)] == [1]


# OpenCode 2.


def test_answers_of_opencode_2_are_read_beside_what_was_there_before(writer: Writer, follower: Follower) -> None:
    old = writer.message(message(tokens=(1, 315, 0, 0), reasoning=104, provider="openai"))
    follower.read()
    writer.connection.executescript(SCHEMA_2)
    writer.connection.execute(
        "INSERT INTO session_v2 (id, directory, parent_id, version, time_created, time_updated)"
        " VALUES ('ses_2', '/home/dev/two', 'ses_1', '2.0.3', 1, 1)"
    )
    # It takes over what was there, and forgets that the reasoning is in the output.
    writer.answer(answer(tokens=(1, 315, 0, 0), reasoning=104, provider="openai"), name=old)
    writer.answer({"text": "hello"}, kind="user")
    writer.answer(answer(tokens=(2, 211, 0, 0), reasoning=104, provider="openai"), session="ses_2")
    follower.read()
    first, second = (entry.response for entry in follower.kept.values())
    assert (first.output_tokens, second.output_tokens) == (315, 315)
    assert (second.session, second.project, second.sidechain) == ("ses_2", "/home/dev/two", True)


def test_a_database_of_opencode_2_alone_is_read(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "opencode-next.db", SCHEMA_2)
    writer.answer(answer())
    follower = Follower(writer.path)
    assert len(follower.read()) == 1
    writer.close()


# What cannot be read.


@pytest.mark.parametrize(
    "broken",
    [
        None,
        b'\xff"assistant"',
        '{"role":"assistant"',
        '{"role":"assistant","time":{"created":1},"tokens":[]}',
        '["assistant"]',
    ],
)
def test_a_broken_row_is_counted_once_and_the_rest_is_read(tmp_path: Path, broken: str | bytes | None) -> None:
    writer = Writer(tmp_path / "opencode.db", SCHEMA.replace("`data` text NOT NULL", "`data` text"))
    writer.message(answered(1))
    writer.message(broken)
    writer.message(answered(2))
    follower = Follower(writer.path)
    follower.read()
    follower.read()
    assert follower.inputs == [1, 2]
    assert follower.broken == 1
    writer.close()


def test_an_unfinished_answer_that_becomes_broken_is_counted_once(writer: Writer, follower: Follower) -> None:
    name = writer.message(unfinished())
    follower.read()
    writer.update(name, message(tokens=(-1, -1, -1, -1)))
    follower.read()
    follower.read()
    assert follower.broken == 1


def test_a_row_too_large_to_be_read_is_broken_and_the_rest_is_read(
    writer: Writer, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencode_tables, "LARGEST_VALUE_BYTES", 10_000)
    large = answered(2) | {"summary": "x" * 20_000}
    writer.message(answered(1))
    for _ in range(2):
        writer.message(large)
    writer.message(answered(3))
    last = writer.message(large)
    follower.read()
    assert follower.inputs == [1, 3]
    assert follower.broken == 3
    writer.update(last, large, written_ms=AT_MS + OVERLAP_MS)
    follower.read()
    assert follower.broken == 3


def test_invalid_utf8_in_a_row_drops_nothing(writer: Writer, follower: Follower) -> None:
    writer.message(json.dumps(answered(1)).encode().replace(b"/home/dev", b"/home/\xff"))
    writer.connection.execute("UPDATE message SET data = CAST(data AS TEXT)")
    assert len(follower.read()) == 1


def test_a_message_whose_session_is_gone_counts(writer: Writer, follower: Follower) -> None:
    writer.message(answered(1) | {"path": None}, session="ses_gone")
    [response] = follower.read()
    assert (response.session, response.project) == ("ses_gone", None)


def test_a_database_that_is_locked_is_said_and_read_later(writer: Writer, follower: Follower) -> None:
    writer.message(answered(1))
    writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.connection.execute("PRAGMA journal_mode = DELETE")
    writer.connection.execute("BEGIN EXCLUSIVE")
    with pytest.raises(UnreadablePagesError, match="is locked by another program"):
        follower.read(wait_seconds=0)
    writer.connection.execute("COMMIT")
    assert len(follower.read()) == 1


@pytest.mark.parametrize("content", [b"no database at all, but text" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
def test_what_is_no_database_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "opencode.db"
    path.write_bytes(content)
    with pytest.raises(UnreadablePagesError, match=r"^OpenCode's database .*opencode\.db cannot be read: "):
        list(read_rows(path))


def test_a_damaged_database_is_read_as_far_as_it_goes_and_said(
    writer: Writer, follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opencode_database, "PAGE_ROWS", 10)
    for number in range(1, 400):
        writer.message(answered(number))
    writer.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    writer.close()
    with writer.path.open("r+b") as file:
        file.seek(-60_000, os.SEEK_END)
        file.write(b"\xff" * 60_000)
    with pytest.raises(UnreadablePagesError, match="cannot be read: "):
        follower.read()
    assert follower.inputs
    assert follower.inputs == list(range(1, len(follower.inputs) + 1))


def test_a_database_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert list(read_rows(tmp_path / "opencode.db")) == []


def test_a_database_that_cannot_be_reached_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnreadablePagesError, match="cannot be read: Not a directory"):
        list(read_rows(tmp_path / "file" / "opencode.db"))


def test_an_empty_file_holds_nothing_yet(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    path.touch()
    assert list(read_rows(path)) == []


def test_a_pipe_in_its_place_is_said(tmp_path: Path) -> None:
    path = tmp_path / "opencode.db"
    os.mkfifo(path)
    with pytest.raises(UnreadablePagesError, match="is no file"):
        list(read_rows(path))


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ("CREATE TABLE conversation (id TEXT)", "no table of messages that Clown knows"),
        ("CREATE TABLE message (id TEXT, body TEXT)", "a table `message` of a shape that Clown does not know"),
    ],
)
def test_an_unknown_schema_is_said(tmp_path: Path, schema: str, sentence: str) -> None:
    writer = Writer(tmp_path / "opencode.db", schema)
    with pytest.raises(UnreadablePagesError, match=sentence):
        list(read_rows(writer.path))
    writer.close()


def test_what_is_known_is_read_although_the_rest_of_the_schema_is_not(writer: Writer, follower: Follower) -> None:
    writer.message(answered(1))
    writer.connection.execute("CREATE TABLE session_message (id TEXT, body TEXT)")
    with pytest.raises(UnreadablePagesError, match="`session_message`"):
        follower.read()
    assert follower.inputs == [1]


def test_a_path_with_odd_characters_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "a ?mode=rw#%41 ü"
    folder.mkdir()
    writer = Writer(folder / "opencode.db")
    writer.message(answered(1))
    assert [len(page.responses) for page in read_rows(writer.path)] == [1]
    writer.close()


STEP = st.tuples(st.sampled_from(["add", "begin", "end", "delete", "vacuum", "read"]), st.integers(0, 5))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=st.lists(STEP, max_size=25), rows=st.integers(1, 4))
def test_whatever_happens_between_reads_nothing_is_lost_or_counted_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], rows: int
) -> None:
    writer = Writer(tmp_path_factory.mktemp("opencode") / "opencode.db")
    follower = Follower(writer.path)
    begun: list[str] = []
    written: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opencode_database, "PAGE_ROWS", rows)
        patch.setattr(opencode_database, "TAIL_ROWS", 0)
        for place, (step, choice) in enumerate(steps, 1):
            if step == "add":
                writer.message(answered(place))
                written.append(place)
            elif step == "begin":
                begun.append(writer.message(unfinished(AT_MS + place)))
            elif step == "end" and begun:
                writer.update(begun.pop(choice % len(begun)), answered(place))
                written.append(place)
            elif step == "delete" and begun:
                writer.connection.execute("DELETE FROM message WHERE id = ?", (begun.pop(choice % len(begun)),))
            elif step == "vacuum":
                writer.connection.execute("VACUUM")
            elif step == "read":
                follower.read()
        follower.read()
    assert follower.inputs == sorted(written)
    writer.close()
