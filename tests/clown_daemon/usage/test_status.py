from clown_daemon.protocol.requests import USAGE_SOURCES
from clown_daemon.protocol.resources import UsageFolder
from clown_daemon.usage.sources import BY_NAME, SOURCES
from clown_daemon.usage.status import LogFolder, Seen, describe

CLAUDE = BY_NAME["claude"]
MINE = LogFolder("/home/dev/.claude/projects", "unattributed")
WORK = LogFolder("/profiles/work/.claude/projects", "work")


def test_the_contract_names_every_source_that_can_be_read() -> None:
    assert tuple(source.name for source in SOURCES if source.kinds) == USAGE_SOURCES


def test_the_agents_own_folders_are_told_and_of_profiles_those_that_are_there() -> None:
    nothing = describe(CLAUDE, [MINE, WORK], {WORK.path}, (), Seen())
    assert [(folder.profile, folder.state) for folder in nothing.folders] == [
        ("unattributed", "absent"),
        ("work", "watched"),
    ]
    assert (nothing.source, nothing.agent_id, nothing.name, nothing.state) == (
        *("claude", "claude", "Claude Code"),
        "following",
    )
    own = describe(CLAUDE, [MINE, WORK], {MINE.path}, {MINE.path}, Seen())
    assert own.folders == (UsageFolder(path=MINE.path, profile="unattributed", state="polled"),)


def test_a_source_is_absent_importing_or_cancelled() -> None:
    assert describe(CLAUDE, [MINE], (), (), Seen()).state == "absent"
    assert describe(CLAUDE, [MINE], {MINE.path}, (), Seen(importing=True, left_alone=True)).state == "importing"
    assert describe(CLAUDE, [MINE], {MINE.path}, (), Seen(left_alone=True)).state == "cancelled"


def test_an_agent_whose_logs_are_not_known_is_said_and_not_guessed() -> None:
    grok = LogFolder("/home/dev/.grok", "unattributed")
    described = describe(BY_NAME["grok"], [grok], {grok.path}, (), Seen())
    assert (described.state, described.folders[0].state) == ("unsupported", "unread")
    assert describe(BY_NAME["grok"], [grok], (), (), Seen()).folders[0].state == "absent"


def test_numbers_and_troubles_are_told() -> None:
    seen = Seen(files=3, bytes=7, records=2, lines_broken=1, last_read_ms=1_790_000_000_000, problems=("x",))
    told = describe(CLAUDE, [MINE], {MINE.path}, (), seen)
    assert (told.files, told.bytes, told.records, told.lines_broken, told.problems) == (3, 7, 2, 1, ("x",))
    assert told.last_read == "2026-09-21T14:13:20Z"
