from pathlib import Path

import pytest

from clown_daemon.paths import Paths


def test_clown_home_moves_every_file_below_one_folder(tmp_path: Path) -> None:
    paths = Paths.from_environment({"CLOWN_HOME": str(tmp_path)})
    files = [getattr(paths, name) for name, value in vars(Paths).items() if isinstance(value, property)]
    assert len(files) > 10
    assert all(tmp_path in file.parents for file in files)
    assert len(set(files)) == len(files)
    assert list(tmp_path.iterdir()) == [], "nothing is created by looking"


def test_clown_home_may_be_relative(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Paths.from_environment({"CLOWN_HOME": "here"}).config_dir == tmp_path / "here"


@pytest.mark.parametrize("environ", [{}, {"CLOWN_HOME": ""}])
def test_without_it_the_systems_own_places_are_used(environ: dict[str, str]) -> None:
    paths = Paths.from_environment(environ)
    folders = [paths.config_dir, paths.state_dir, paths.data_dir, paths.log_dir]
    assert all(folder.is_absolute() and "clown" in folder.parts for folder in folders)
