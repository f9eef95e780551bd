import json
import os
from pathlib import Path

import pytest

from clown_daemon.proxies.engine import spool as module
from clown_daemon.proxies.engine.spool import Spool
from clown_daemon.proxies.records import Record


def record(number: int) -> Record:
    return Record(id=f"boot:{number}", kind="end", at_ms=number, profile="work", agent_id="claude")


def ids(folder: Path) -> list[str]:
    lines = [line for file in sorted(folder.iterdir()) for line in file.read_text().splitlines()]
    return [json.loads(line)["id"] for line in lines]


def test_records_are_in_a_private_file_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "work", "boot")
    spool.append(record(1))
    spool.append(record(2))
    assert ids(tmp_path / "work") == ["boot:1", "boot:2"]
    assert (tmp_path / "work" / "boot-0000.jsonl").stat().st_mode & 0o777 == 0o600
    spool.close()


def test_a_file_that_has_grown_is_followed_by_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_BYTES", 300)
    spool = Spool(tmp_path, "boot")
    for number in range(10):
        spool.append(record(number))
    spool.close()
    assert len(list(tmp_path.iterdir())) > 1
    assert ids(tmp_path) == [f"boot:{number}" for number in range(10)]


def test_what_a_full_disk_refuses_is_held_and_never_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, "boot")
    spool.append(record(1))
    whole = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda descriptor, data: whole(descriptor, data[:5]))
        spool.append(record(2))
        problem = spool.problem
        assert ids(tmp_path) == ["boot:1"]
    assert problem == "usage cannot be written down: No space left on device"
    spool.append(record(3))
    assert spool.problem is None
    assert ids(tmp_path) == ["boot:1", "boot:2", "boot:3"]
    spool.close()


def test_what_is_held_is_bounded_and_what_is_let_go_of_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    (tmp_path / "file").touch()
    spool = Spool(tmp_path / "file", "boot")  # a file in the folder's place: nothing can be written
    for number in range(5):
        spool.append(record(number))
    assert spool.lost == 2
    assert spool.problem is not None
