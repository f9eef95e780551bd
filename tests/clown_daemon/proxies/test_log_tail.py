from pathlib import Path

from clown_daemon.proxies.log_tail import READ_BYTES, last_lines


def test_the_last_lines_come_oldest_first(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("one\ntwo\nthree\n")
    assert last_lines(file, 2) == ("two", "three")
    assert last_lines(file, 10) == ("one", "two", "three")


def test_there_are_none_where_there_is_no_file(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "log", 5) == ()


def test_of_a_long_file_only_the_end_is_read_and_no_half_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("".join(f"{number:09}\n" for number in range(READ_BYTES // 10 + 500)))
    found = last_lines(file, 1_000_000)
    assert len(found) <= READ_BYTES // 10
    assert {len(line) for line in found} == {9}
    assert found[-1] == f"{READ_BYTES // 10 + 499:09}"
