import os
from pathlib import Path

from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.usage.scanner import default_roots, find_roots, scan


def test_claude_is_looked_for_in_both_of_its_homes() -> None:
    assert default_roots({"HOME": "/home/dev"}) == (
        Path("/home/dev/.claude/projects"),
        Path("/home/dev/.config/claude/projects"),
    )
    assert default_roots({}) == ()


def test_the_agents_own_variable_replaces_them_and_may_be_a_list() -> None:
    environ = {"HOME": "/home/dev", "CLAUDE_CONFIG_DIR": "/a, /b/projects,"}
    assert default_roots(environ) == (Path("/a/projects"), Path("/b/projects"))


def test_a_folder_reached_by_two_names_is_read_once_and_is_the_profiles(tmp_path: Path) -> None:
    (tmp_path / "real" / "projects").mkdir(parents=True)
    (tmp_path / "real" / "projects" / "a.jsonl").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    roots = find_roots({"CLAUDE_CONFIG_DIR": str(tmp_path / "real")}, {"work": tmp_path / "link"})
    found = scan(roots)
    assert [(file.path, file.profile) for file in found.files] == [
        (str(tmp_path / "real" / "projects" / "a.jsonl"), "work")
    ]


def test_files_come_oldest_change_first_and_other_files_not_at_all(tmp_path: Path) -> None:
    logs = tmp_path / "projects"
    logs.mkdir()
    for name, changed in (("a.jsonl", 30), ("b.jsonl", 10), ("c.jsonl", 20), ("d.meta.json", 5)):
        (logs / name).write_text("")
        os.utime(logs / name, (changed, changed))
    found = scan(find_roots({"CLAUDE_CONFIG_DIR": str(tmp_path)}, {}))
    assert [Path(file.path).name for file in found.files] == ["b.jsonl", "c.jsonl", "a.jsonl"]
    assert {file.profile for file in found.files} == {UNATTRIBUTED}
    only = scan(find_roots({"CLAUDE_CONFIG_DIR": str(tmp_path)}, {}), [logs / "c.jsonl", logs / "gone.jsonl", tmp_path])
    assert [Path(file.path).name for file in only.files] == ["b.jsonl", "c.jsonl", "a.jsonl"]


def test_a_folder_that_is_not_there_is_no_problem(tmp_path: Path) -> None:
    assert scan(find_roots({"HOME": str(tmp_path)}, {})) == ((), ())
