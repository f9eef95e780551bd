from pathlib import Path

import pytest

from clown_daemon.errors import DomainError
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.usage.places import roots_to_import
from clown_daemon.usage.scanner import scan
from clown_daemon.usage.sources import BY_NAME, Source

CLAUDE = BY_NAME["claude"]
LOOSE = CLAUDE._replace(title="Loose", kinds=(CLAUDE.kinds[0]._replace(pattern="loose*.db"),))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".claude" / "projects").mkdir(parents=True)
    (tmp_path / ".claude" / "projects" / "a.jsonl").touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def places(source: Source, named: str | None, home: Path) -> list[str]:
    return [root.folder for root in roots_to_import(source, named, {"HOME": str(home)})]


@pytest.mark.parametrize("named", [None, "{home}/.claude", "{home}/.claude/projects", "~/.claude"])
def test_logs_are_found_from_the_agents_folder_or_theirs(home: Path, named: str | None) -> None:
    assert places(CLAUDE, named and named.format(home=home), home) == [str(home / ".claude" / "projects")]


def test_one_log_may_be_named(home: Path) -> None:
    (home / "odd [1].jsonl").touch()
    (home / "odd 1.jsonl").touch()
    roots = roots_to_import(CLAUDE, str(home / "odd [1].jsonl"), {})
    assert [file.path for file in scan(roots).files] == [str(home / "odd [1].jsonl")]
    with pytest.raises(DomainError, match=r"notes.txt is no log of Claude Code"):
        (home / "notes.txt").touch()
        places(CLAUDE, str(home / "notes.txt"), home)


def test_where_other_things_lie_too_there_has_to_be_a_log(home: Path) -> None:
    with pytest.raises(DomainError, match="there are no Loose logs in"):
        places(LOOSE, str(home), home)
    (home / "loose-1.db").touch()
    assert places(LOOSE, str(home), home) == [str(home)]


@pytest.mark.parametrize(
    ("named", "sentence"),
    [
        ("/nowhere/at/all", "there is no folder /nowhere/at/all"),
        ("relative", "path: 'relative' is no absolute path"),
        ("~/nothing", "there is no folder {home}/nothing"),
        ("~/empty", "there are no Claude Code logs in {home}/empty"),
    ],
)
def test_a_place_without_logs_is_refused_in_a_sentence(home: Path, named: str, sentence: str) -> None:
    with pytest.raises(DomainError) as raised:
        places(CLAUDE, named, home)
    assert raised.value.code is ProblemCode.BAD_REQUEST
    assert str(raised.value) == sentence.format(home=home)


def test_an_agent_that_was_never_used_has_no_logs() -> None:
    with pytest.raises(DomainError, match=r"there are no Claude Code logs in /h/.claude/projects or /h/.config"):
        roots_to_import(CLAUDE, None, {"HOME": "/h"})
    with pytest.raises(DomainError, match="there are no Claude Code logs in your home folder"):
        roots_to_import(CLAUDE, None, {})
