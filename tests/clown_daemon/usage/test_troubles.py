from clown_daemon.usage.reader import Unreadable
from clown_daemon.usage.scanner import Problem
from clown_daemon.usage.troubles import Troubles


def test_a_log_is_a_trouble_until_it_can_be_read_or_is_gone() -> None:
    troubles = Troubles()
    troubles.read([], [Unreadable("claude", "/a", "a is locked"), Unreadable("codex", "/b", "b is locked")])
    assert troubles.sentences() == ("a is locked", "b is locked")
    troubles.read([("claude", "/a")], [])
    assert troubles.of("claude") == ()
    troubles.looked([], [("claude", "/a")])
    assert troubles.sentences() == ()


def test_folders_are_as_the_last_look_at_everything_found_them() -> None:
    troubles = Troubles()
    troubles.looked([Problem("claude", "the folder is locked")], [])
    assert troubles.of("claude") == ("the folder is locked",)
    troubles.looked([], [])
    assert troubles.sentences() == ()


def test_very_many_are_told_in_few_sentences() -> None:
    troubles = Troubles()
    troubles.read([], [Unreadable("claude", f"/{n}", f"{n:05} is locked") for n in range(50_000)])
    assert troubles.of("claude", 2) == (
        "00000 is locked",
        "00001 is locked",
        "49,998 more logs or folders of claude cannot be read",
    )
    assert len(troubles.sentences()) == 3
