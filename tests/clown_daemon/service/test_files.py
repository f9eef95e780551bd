"""The files of a service: whose they are is looked at before anything is written or removed."""

from pathlib import Path

import pytest

from clown_daemon.errors import ClownError
from clown_daemon.service.files import FileState, ServiceFiles
from clown_daemon.service.plan import MARKER

TEXTS = {"one": f"# {MARKER}\n1\n", "two": f"# {MARKER}\n2\n"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "below" / "units"


def states(folder: Path) -> list[str]:
    return list(ServiceFiles(folder, TEXTS).states().values())


def test_files_are_written_compared_and_removed(folder: Path) -> None:
    files = ServiceFiles(folder, TEXTS)
    assert states(folder) == [FileState.MISSING, FileState.MISSING]
    files.write()
    assert states(folder) == [FileState.SAME, FileState.SAME]
    assert sorted(file.name for file in folder.iterdir()) == ["one", "two"], "nothing else is left behind"
    (folder / "one").write_text(f"# {MARKER}, of another version\n")
    assert states(folder) == [FileState.DIFFERS, FileState.SAME]
    files.check_ours()
    (folder / "other").write_text("not ours")
    assert files.remove() == (folder / "one", folder / "two")
    assert [file.name for file in folder.iterdir()] == ["other"]
    assert files.remove() == ()


def test_a_file_of_somebody_else_is_found(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "two").write_bytes(b"[Unit]\n\xff")
    assert states(folder) == [FileState.MISSING, FileState.FOREIGN]
    with pytest.raises(ClownError, match="two was not written by clown-daemon service install") as caught:
        ServiceFiles(folder, TEXTS).check_ours()
    assert "--force" in str(caught.value.hint)


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    files = ServiceFiles(tmp_path / "file" / "units", TEXTS)
    with pytest.raises(ClownError, match="cannot be written"):
        files.write()
