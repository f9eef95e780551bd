from pathlib import Path, PurePosixPath

import pytest

from clown_daemon.usage.sources import BY_NAME, KINDS, SOURCES, Home, LogKind, Pages, Source

CLAUDE = BY_NAME["claude"]
WITH_VARIABLES = Source("a", "a", "A", (Home("FIRST", "below"), Home("SECOND")), (".a", ".config/a"), ())


def kind(pattern: str) -> LogKind:
    return CLAUDE.kinds[0]._replace(pattern=pattern)


def test_claude_is_looked_for_in_both_of_its_homes() -> None:
    assert CLAUDE.folders({"HOME": "/home/dev"}) == (Path("/home/dev/.claude"), Path("/home/dev/.config/claude"))
    assert CLAUDE.folders({}) == ()


def test_the_agents_own_variable_replaces_them_and_may_be_a_list() -> None:
    environ = {"HOME": "/home/dev", "CLAUDE_CONFIG_DIR": "/a, /b/projects,"}
    assert CLAUDE.folders(environ) == (Path("/a"), Path("/b"))


@pytest.mark.parametrize(
    ("environ", "folders"),
    [
        ({"HOME": "/h", "FIRST": "/1", "SECOND": "/2"}, ("/1/below",)),
        ({"HOME": "/h", "FIRST": " ", "SECOND": "/2"}, ("/2",)),
        ({"HOME": "/h", "FIRST": "/with,comma"}, ("/with,comma/below",)),
        ({"HOME": "/h"}, ("/h/.a", "/h/.config/a")),
    ],
)
def test_the_first_variable_that_is_set_decides(environ: dict[str, str], folders: tuple[str, ...]) -> None:
    assert WITH_VARIABLES.folders(environ) == tuple(map(Path, folders))


def test_a_profile_has_the_first_of_the_default_folders_below_its_home() -> None:
    assert WITH_VARIABLES.folder_of_profile(Path("/p/work")) == Path("/p/work/.a")


def test_the_folder_of_the_logs_may_be_named_for_that_of_the_agent() -> None:
    assert CLAUDE.folder_around(Path("/x/projects")) == Path("/x")
    assert CLAUDE.folder_around(Path("/x/.claude")) == Path("/x/.claude")


@pytest.mark.parametrize(
    ("pattern", "folder", "parts"),
    [
        ("projects/**/*.jsonl", "projects", ("**", "*.jsonl")),
        ("storage/message/*/*.json", "storage/message", ("*", "*.json")),
        ("tmp/*/chats/session-*.json*", "tmp", ("*", "chats", "session-*.json*")),
        ("name*.db", ".", ("name*.db",)),
    ],
)
def test_what_is_watched_is_the_innermost_folder_that_holds_all_logs(
    pattern: str, folder: str, parts: tuple[str, ...]
) -> None:
    assert (kind(pattern).folder, kind(pattern).parts) == (PurePosixPath(folder), parts)


def test_names_of_sources_and_kinds_are_unique_and_every_parser_begins_empty() -> None:
    assert len(BY_NAME) == len(SOURCES)
    assert len(KINDS) == sum(len(source.kinds) for source in SOURCES)
    for found in KINDS.values():
        if isinstance(found.reading, Pages):
            continue
        parser = found.reading.parser(b"")
        assert (parser.feed(b""), parser.pending_bytes, parser.lines_broken, parser.state()) == ([], 0, 0, b"")
