"""Versions out of what real programs printed, and out of garbage."""

import pytest

from clown_daemon.agents.versions import first_line, is_placeholder, package_version, parse_version
from clown_daemon.manifests.agent import VERSION_PATTERN

PRINTED = [
    # What the real programs print on standard output, with the version that was installed.
    pytest.param("2.1.197 (Claude Code)\n", "2.1.197", id="claude 2.1.197"),
    pytest.param("codex-cli 0.169.0\n", "0.169.0", id="codex 0.169.0"),
    pytest.param("1.18.33\n", "1.18.33", id="opencode 1.18.33"),
    pytest.param("0.61.0\n", "0.61.0", id="gemini 0.61.0"),
    pytest.param("GitHub Copilot CLI 1.0.102.\nRun 'copilot update'\n", "1.0.102", id="copilot 1.0.102"),
    pytest.param("0.15.10\n", "0.15.10", id="qwen 0.15.10"),
    # And what others might.
    pytest.param("v1.2.3-beta.4+build.5\n", "1.2.3-beta.4+build.5", id="pre-release and build"),
    pytest.param("tool 1.2.3rc1, built yesterday", "1.2.3rc1", id="letters at once"),
    pytest.param("\x1b[1mtool\x1b[0m \x1b[32m1.2.3\x1b[0m\n", "1.2.3", id="colours"),
    pytest.param("\n\n  1.2.3\n", "1.2.3", id="blank lines first"),
    pytest.param("", None, id="nothing"),
    pytest.param("welcome\n1.2.3\n", None, id="not on the first line"),
    pytest.param("version 1.2", None, id="two numbers"),
    pytest.param("\x00\x01\ufffd\ufffd", None, id="garbage"),
    pytest.param("x" * 5000 + " 1.2.3", None, id="beyond the longest line"),
]


@pytest.mark.parametrize(("text", "version"), PRINTED)
def test_the_version_on_the_first_line_is_found(text: str, version: str | None) -> None:
    assert parse_version(text, VERSION_PATTERN) == version


def test_the_first_group_of_a_pattern_is_the_version() -> None:
    assert parse_version("tool r42 (1.2.3)", r"r(\d+)") == "42"


def test_a_group_that_took_no_part_is_no_version() -> None:
    assert parse_version("tool", r"tool( \d+)?") is None


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('{"name": "@openai/codex", "version": "0.169.0"}', "0.169.0"),
        ('{"name": "another", "version": "1.0.0"}', None),
        ('{"name": "@openai/codex"}', None),
        ('{"name": "@openai/codex", "version": 3}', None),
        ('{"name": "@openai/codex", "version": ""}', None),
        ("[]", None),
        ("{", None),
        ("[" * 100_000, None),
    ],
)
def test_a_package_is_believed_only_when_it_is_the_right_one(text: str, version: str | None) -> None:
    assert package_version(text, "@openai/codex") == version


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'echo "Error: claude native binary not installed." >&2\n', True),
        (b"", True),
        (b"#!/usr/bin/env node\n", False),
        (b"\x7fELF\x02\x01\x01\x00", False),
        (b"\xcf\xfa\xed\xfe\x07\x00\x00\x01", False),
    ],
)
def test_text_without_an_interpreter_is_a_placeholder(head: bytes, expected: bool) -> None:
    assert is_placeholder(head) is expected


def test_the_first_line_has_no_control_characters() -> None:
    assert first_line("\x1b[2J\x07bell\x9b\nnext") == "bell"
