from clown_daemon.store.positions import Position
from clown_daemon.usage.backlog import bytes_left, to_read
from clown_daemon.usage.reader import NOT_DONE
from clown_daemon.usage.sources import LogFile

FILE = LogFile("claude", "claude", "/logs/a.jsonl", "work", inode=7, size=100, modified_ns=5)
POSITION = Position(7, 90, b"f", "work", size=100, modified_ns=5)


def test_a_log_that_is_as_it_was_is_not_opened() -> None:
    known = {("claude", FILE.path): POSITION}
    assert to_read([FILE], known, {}) == []
    for other in (FILE._replace(size=101), FILE._replace(modified_ns=6), FILE._replace(inode=8)):
        assert to_read([other], known, {}) == [(other, POSITION, None)]


def test_a_log_that_is_known_to_have_changed_is_opened_whatever_its_size() -> None:
    assert to_read([FILE], {("claude", FILE.path): POSITION}, {}, suspicious=True) == [(FILE, POSITION, None)]


def test_a_new_log_is_read_and_billed_by_the_provider_of_its_profile() -> None:
    assert to_read([FILE], {}, {"work": "bedrock", "other": "x"}) == [(FILE, None, "bedrock")]


def test_a_log_with_a_new_name_and_a_known_number_is_read_on_and_remembered() -> None:
    [task] = to_read([FILE], {("claude", "/logs/old.jsonl"): POSITION}, {})
    assert task.known == POSITION._replace(size=NOT_DONE)


def test_what_is_left_is_what_was_appended_or_all_of_a_log_that_was_cut() -> None:
    [new] = to_read([FILE], {}, {})
    assert bytes_left(new) == 100
    assert bytes_left(new._replace(known=POSITION)) == 10
    assert bytes_left(new._replace(known=POSITION._replace(offset=101))) == 100
