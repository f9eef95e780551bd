import os
import socket
from pathlib import Path

import pytest

from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.usage.scanner import Root, Scan, find_roots, roots_below, scan, with_roots
from clown_daemon.usage.sources import BY_NAME, LogKind
from tests.support.unprivileged import run_unprivileged

CLAUDE = BY_NAME["claude"]
LOOK = """
import sys
from clown_daemon.usage.scanner import find_roots, scan
found = scan(find_roots({"HOME": sys.argv[1]}, {}))
print([file.path for file in found.files], [problem.sentence for problem in found.problems])
"""


def names(found: Scan) -> list[str]:
    return [Path(file.path).name for file in found.files]


def write(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / ".claude" / "projects"


@pytest.fixture
def roots(tmp_path: Path) -> tuple[Root, ...]:
    return find_roots({"HOME": str(tmp_path)}, {})


def of_kind(folder: Path, pattern: str) -> tuple[Root, ...]:
    kind: LogKind = CLAUDE.kinds[0]._replace(pattern=pattern)
    return roots_below(CLAUDE._replace(kinds=(kind,)), folder, UNATTRIBUTED)


def test_a_folder_reached_by_two_names_is_read_once_and_is_the_profiles(tmp_path: Path) -> None:
    path = write(tmp_path / "home" / ".claude" / "projects" / "a.jsonl")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    found = scan(find_roots({"HOME": str(tmp_path / "home")}, {"work": tmp_path / "link"}))
    assert [(file.path, file.profile) for file in found.files] == [(str(path), "work")]


def test_files_come_oldest_change_first_and_other_files_not_at_all(logs: Path, roots: tuple[Root, ...]) -> None:
    for name, changed in (("a.jsonl", 30), ("b.jsonl", 10), ("c.jsonl", 20), ("d.meta.json", 5)):
        os.utime(write(logs / name), (changed, changed))
    found = scan(roots)
    assert names(found) == ["b.jsonl", "c.jsonl", "a.jsonl"]
    assert {file.profile for file in found.files} == {UNATTRIBUTED}
    assert {(file.source, file.kind, file.size) for file in found.files} == {("claude", "claude", 1)}


def test_only_what_changed_is_looked_at(tmp_path: Path, logs: Path, roots: tuple[Root, ...]) -> None:
    for name in ("a.jsonl", "deep/b.jsonl", "deep/c.jsonl", "deep/no.json"):
        write(logs / name)
    assert names(scan(roots, [logs / "a.jsonl", logs / "gone.jsonl", logs / "deep" / "no.json"])) == ["a.jsonl"]
    assert sorted(names(scan(roots, [logs / "deep"]))) == ["b.jsonl", "c.jsonl"]
    assert sorted(names(scan(roots, [logs]))) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    assert scan(roots, [tmp_path, tmp_path / "else" / "d.jsonl"]) == ((), ())


def test_the_chats_of_geminis_sub_agents_lie_in_a_folder_of_their_parents(
    tmp_path: Path, roots: tuple[Root, ...]
) -> None:
    chats = tmp_path / ".gemini" / "tmp" / "project" / "chats"
    write(chats / "session-2026-11-25T08-28-77135fdb.jsonl")
    write(chats / "77135fdb-f09b-416d-a179-4312681dc7ea" / "08b5cf99-17ab-4a66-be71-4987b4cedc1a.jsonl")
    assert {file.kind for file in scan(roots).files} == {"gemini"}
    assert len(scan(roots).files) == 2


def test_a_folder_that_is_not_there_is_no_problem(roots: tuple[Root, ...]) -> None:
    assert scan(roots) == ((), ())


def test_a_pattern_reaches_so_deep_and_no_deeper(tmp_path: Path) -> None:
    for name in ("x.json", "s/x.json", "s/t/x.json", "s/x.txt"):
        write(tmp_path / "storage" / name)
    found = scan(of_kind(tmp_path, "storage/*/*.json"))
    assert [file.path for file in found.files] == [str(tmp_path / "storage" / "s" / "x.json")]
    fixed = of_kind(tmp_path, "storage/*/t/*.json")
    assert [file.path for file in scan(fixed).files] == [str(tmp_path / "storage" / "s" / "t" / "x.json")]
    assert names(scan(fixed, [tmp_path / "storage" / "s" / "x.json", tmp_path / "storage" / "s"])) == ["x.json"]
    assert names(scan(of_kind(tmp_path, "*.json"), [tmp_path / "storage"])) == []


def test_a_profiles_folder_within_another_is_the_profiles(tmp_path: Path, logs: Path) -> None:
    write(logs / "a.jsonl")
    write(logs / "work" / ".claude" / "projects" / "b.jsonl")
    found = scan(find_roots({"HOME": str(tmp_path)}, {"work": logs / "work"}))
    assert {Path(file.path).name: file.profile for file in found.files} == {"a.jsonl": UNATTRIBUTED, "b.jsonl": "work"}


def test_a_folder_that_a_profile_has_is_not_added_for_nobody(tmp_path: Path) -> None:
    roots = find_roots({}, {"work": tmp_path})
    assert with_roots(roots, roots_below(CLAUDE, tmp_path / ".claude", UNATTRIBUTED)) == roots


# -- links ------------------------------------------------------------------------------------------------------------


def test_links_are_followed_once_and_loops_end(tmp_path: Path, logs: Path, roots: tuple[Root, ...]) -> None:
    write(logs / "a.jsonl")
    write(tmp_path / "elsewhere" / "b.jsonl")
    for name, target in (
        ("loop", logs),
        ("self", logs / "self"),
        ("gone.jsonl", tmp_path / "nothing"),
        ("other", tmp_path / "elsewhere"),
        ("again", tmp_path / "elsewhere"),
        ("a2.jsonl", logs / "a.jsonl"),
    ):
        (logs / name).symlink_to(target)
    found = scan(roots)
    assert sorted(file.path for file in found.files) == [
        str(logs / "a.jsonl"),
        str(tmp_path / "elsewhere" / "b.jsonl"),
    ]
    assert found.problems == ()
    assert [file.path for file in scan(roots, [logs / "other" / "b.jsonl"]).files] == [
        str(tmp_path / "elsewhere" / "b.jsonl")
    ]


def test_what_a_link_leads_to_is_whose_folder_it_is_in(tmp_path: Path, logs: Path) -> None:
    write(logs / "a.jsonl")
    work = tmp_path / "work" / ".claude" / "projects"
    work.mkdir(parents=True)
    (work / "mine").symlink_to(logs)
    (work / "far").symlink_to(tmp_path / "far")
    write(tmp_path / "far" / "b.jsonl")
    found = scan(find_roots({"HOME": str(tmp_path)}, {"work": tmp_path / "work"}))
    assert {Path(file.path).name: file.profile for file in found.files} == {"a.jsonl": UNATTRIBUTED, "b.jsonl": "work"}


# -- what is no log ---------------------------------------------------------------------------------------------------


def test_pipes_and_sockets_are_said_and_never_opened(
    logs: Path, roots: tuple[Root, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(logs / "a.jsonl")
    os.mkfifo(logs / "pipe.jsonl")
    (logs / "link.jsonl").symlink_to("/dev/null")
    monkeypatch.chdir(logs)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jsonl")
        found = scan(roots)
    assert names(found) == ["a.jsonl"]
    assert [problem.sentence for problem in found.problems] == [
        "/dev/null is a device, no file, and is not read",
        f"{logs}/pipe.jsonl is a named pipe, no file, and is not read",
        f"{logs}/socket.jsonl is a socket, no file, and is not read",
    ]
    assert {problem.source for problem in found.problems} == {"claude"}


def test_a_file_in_place_of_the_folder_is_a_problem(logs: Path, roots: tuple[Root, ...]) -> None:
    write(logs)
    assert [problem.sentence for problem in scan(roots).problems] == [
        f"the log folder {logs} cannot be read: Not a directory"
    ]


def test_a_folder_without_permission_is_a_problem_and_the_rest_is_found(tmp_path: Path, logs: Path) -> None:
    write(logs / "a.jsonl")
    write(logs / "secret" / "b.jsonl")
    (logs / "secret").chmod(0)
    said = run_unprivileged(LOOK, str(tmp_path))
    assert said == f"['{logs}/a.jsonl'] ['the log folder {logs}/secret cannot be read: Permission denied']\n"


def test_a_folder_of_very_many_files_is_looked_at_like_any_other(logs: Path, roots: tuple[Root, ...]) -> None:
    logs.mkdir(parents=True)
    for number in range(2000):
        (logs / f"{number}.jsonl").touch()
    assert len(scan(roots).files) == 2000


# -- databases --------------------------------------------------------------------------------------------------------


def test_a_change_in_the_companion_of_a_database_is_one_of_the_database(tmp_path: Path) -> None:
    folder = tmp_path / ".local" / "share" / "opencode"
    database = write(folder / "opencode.db", "12345")
    roots = find_roots({"HOME": str(tmp_path)}, {})
    [before] = scan(roots).files
    os.utime(write(folder / "opencode.db-wal", "123"), (2_000_000_000, 2_000_000_000))
    write(folder / "opencode.db-shm", "1")
    for within in (None, [folder / "opencode.db-wal"], [database], [folder]):
        [after] = scan(roots, within).files
        assert (after.path, after.size, after.modified_ns) == (str(database), 8, 2_000_000_000 * 10**9)
    assert (before.size, before.kind, before.inode) == (5, "opencode", database.stat().st_ino)
    assert scan(roots, [folder / "opencode.db-shm"]).files == ()
