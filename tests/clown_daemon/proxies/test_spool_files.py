import fcntl
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from clown_daemon.proxies import spool_files
from clown_daemon.proxies.records import Record
from clown_daemon.proxies.spool_files import Over, find_over, read_pieces, read_whole, remove


def line(number: int, boot: str = "boot") -> bytes:
    record = Record(id=f"{boot}:{number}", kind="end", at_ms=number, profile="work", agent_id="claude")
    return msgspec.json.encode(record) + b"\n"


def write(folder: Path, name: str, data: bytes, profile: str = "work") -> Path:
    file = folder / profile / name
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as stream:
        stream.write(data)
    return file


def test_whole_lines_are_read_once_and_half_ones_later(tmp_path: Path) -> None:
    write(tmp_path, "boot-0000.jsonl", line(1) + line(2) + line(3)[:10])
    [piece] = read_pieces(tmp_path, {})
    assert (piece.profile, piece.file, piece.broken) == ("work", "boot-0000.jsonl", 0)
    assert [record.id for record in piece.records] == ["boot:1", "boot:2"]
    offsets = {(piece.profile, piece.file): piece.offset}
    assert read_pieces(tmp_path, offsets) == []
    write(tmp_path, "boot-0000.jsonl", line(3)[10:])
    [piece] = read_pieces(tmp_path, offsets)
    assert [record.id for record in piece.records] == ["boot:3"]


def test_damage_is_counted_and_nothing_else_is_lost(tmp_path: Path) -> None:
    write(tmp_path, "boot-0000.jsonl", line(1) + b"{]\n" + b"\0\0\0\0" + line(2) + b"\xff\xfe\n" + line(3))
    [piece] = read_pieces(tmp_path, {})
    assert [record.id for record in piece.records] == ["boot:1", "boot:2", "boot:3"]
    assert piece.broken == 2


def test_one_reading_is_bounded_over_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_files, "READ_BYTES", len(line(1)) * 3 + 5)
    for profile in ("a", "b"):
        write(tmp_path, "boot-0000.jsonl", b"".join(line(number) for number in range(2)), profile)
    offsets: dict[spool_files.Place, int] = {}
    found: list[int] = []
    while pieces := read_pieces(tmp_path, offsets):
        found.append(sum(len(piece.records) for piece in pieces))
        offsets.update({(piece.profile, piece.file): piece.offset for piece in pieces})
    assert found == [3, 1]


def test_a_line_longer_than_a_reading_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_files, "READ_BYTES", 10)
    write(tmp_path, "boot-0000.jsonl", line(1) + line(2))
    [piece] = read_pieces(tmp_path, {})
    assert [record.id for record in piece.records] == ["boot:1"]


@pytest.fixture
def growing(tmp_path: Path) -> Iterator[Path]:
    file = write(tmp_path, "two-0001.jsonl", line(1, "two"))
    with file.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield file


def test_a_file_is_over_when_nobody_holds_it_and_all_of_it_was_read(tmp_path: Path, growing: Path) -> None:
    size = len(line(1, "two"))
    write(tmp_path, "two-0000.jsonl", line(1, "two"))
    write(tmp_path, "one-0000.jsonl", line(1, "one"))
    write(tmp_path, "one-0001.jsonl", line(1, "one"))
    offsets = {
        ("work", "one-0000.jsonl"): size,
        ("work", "one-0001.jsonl"): size - 1,
        ("work", "two-0000.jsonl"): size,
        ("work", growing.name): size,
        ("gone", "three-0000.jsonl"): 3,
    }
    assert find_over(tmp_path, offsets) == (
        Over((("work", "one-0000.jsonl"),), ended=False),
        Over((("work", "two-0000.jsonl"),), ended=False),
        Over((("gone", "three-0000.jsonl"),), ended=True),
    )
    offsets["work", "one-0001.jsonl"] = size
    assert find_over(tmp_path, offsets)[0] == Over((("work", "one-0000.jsonl"), ("work", "one-0001.jsonl")), ended=True)


def test_the_last_file_takes_its_folder_along(tmp_path: Path) -> None:
    write(tmp_path, "one-0000.jsonl", line(1))
    write(tmp_path, "one-0001.jsonl", line(2))
    assert [record.id for record in read_whole(tmp_path, ("work", "one-0001.jsonl"))] == ["boot:2"]
    remove(tmp_path, ("work", "one-0000.jsonl"))
    assert (tmp_path / "work").exists()
    remove(tmp_path, ("work", "one-0001.jsonl"))
    remove(tmp_path, ("work", "one-0001.jsonl"))
    assert not (tmp_path / "work").exists()
    assert read_whole(tmp_path, ("work", "one-0001.jsonl")) == ()
