import stat
from pathlib import Path

from clown_daemon.profiles.homes import make_home, write_first_files, write_fresh_files


def test_a_first_file_is_written_once_and_is_then_the_users(tmp_path: Path) -> None:
    make_home(tmp_path / "work")
    write_first_files(tmp_path / "work", {".agent/settings.json": "first"})
    write_first_files(tmp_path / "work", {".agent/settings.json": "second"})
    assert (tmp_path / "work" / ".agent" / "settings.json").read_text() == "first"


def test_a_fresh_file_follows_the_profile(tmp_path: Path) -> None:
    make_home(tmp_path / "work")
    write_fresh_files(tmp_path / "work", {".agent/clown.json": "first"})
    write_fresh_files(tmp_path / "work", {".agent/clown.json": "second"})
    file = tmp_path / "work" / ".agent" / "clown.json"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("second", 0o600)


def test_no_file_is_written_through_a_link_out_of_the_home(tmp_path: Path) -> None:
    home = tmp_path / "work"
    make_home(home)
    (tmp_path / "elsewhere").mkdir()
    (home / ".agent").symlink_to(tmp_path / "elsewhere")
    write_first_files(home, {".agent/a": "x"})
    write_fresh_files(home, {".agent/b": "x"})
    assert list((tmp_path / "elsewhere").iterdir()) == []
