import json
import stat
from pathlib import Path

import pytest

from clown_daemon.instance import (
    AlreadyRunningError,
    InstanceLock,
    prepare_folders,
    write_daemon_file,
)
from clown_daemon.paths import Paths


def test_folders_are_for_the_user_alone(tmp_path: Path) -> None:
    paths = Paths.from_environment({"CLOWN_HOME": str(tmp_path / "clown")})
    prepare_folders(paths)
    assert stat.S_IMODE(paths.state_dir.stat().st_mode) == 0o700


def test_the_second_holder_of_the_lock_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    first = InstanceLock(tmp_path / "lock")
    with pytest.raises(AlreadyRunningError):
        InstanceLock(tmp_path / "lock")
    first.release()
    InstanceLock(tmp_path / "lock").release()


def test_the_daemon_file_is_replaced_whole(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    write_daemon_file(file, {"pid": 1})
    write_daemon_file(file, {"pid": 2})
    assert json.loads(file.read_text()) == {"pid": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["daemon.json"]
