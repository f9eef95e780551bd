import json
import os
from pathlib import Path

import pytest

from clown_daemon.usage.droid_sessions import LARGEST_SETTINGS_BYTES, read_rows
from clown_daemon.usage.pages import Page, UnreadablePagesError

ODD_TIME = {"tokenUsage": {"inputTokens": 1}, "providerLockTimestamp": "yesterday"}


def write(folder: Path, name: str, *lines: dict[str, object], output: int = 20, **sums: int) -> Path:
    """A session: its settings, and the first lines of its transcript."""
    path = folder / f"{name}.settings.json"
    usage = {"inputTokens": 10, "outputTokens": output} | sums
    path.write_text(json.dumps({"model": "claude-sonnet-4-5", "tokenUsage": usage}, indent=2))
    if lines:
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        (folder / f"{name}.jsonl").write_text(text)
    return path


def start(name: str, **more: object) -> dict[str, object]:
    return {"type": "session_start", "id": name, "title": "t", "version": 2, "cwd": "/home/dev/project"} | more


def outputs(pages: list[Page]) -> list[int]:
    return [response.output_tokens for page in pages for response in page.responses]


def test_a_session_is_named_by_its_file_and_told_by_its_transcript(tmp_path: Path) -> None:
    path = write(tmp_path, "s-1", start("s-1"), {"type": "message"})
    os.utime(path, ns=(0, 1_795_428_000_123_000_000))
    [page] = read_rows(path)
    [response] = page.responses
    assert (response.session, response.project, response.sidechain) == ("s-1", "/home/dev/project", False)
    assert response.at_ms == 1_795_428_000_123
    assert (response.output_tokens, page.rows_broken) == (20, 0)


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "s-1", start("s-1"))
    [page] = read_rows(path)
    assert list(read_rows(path, page.state)) == []
    write(tmp_path, "s-1", output=30)
    assert outputs(list(read_rows(path, page.state))) == [30]


def test_a_subagents_session_is_a_side_conversation(tmp_path: Path) -> None:
    path = write(tmp_path, "s-2", start("s-2", callingSessionId="s-1", callingToolUseId="t"), {"type": "message"})
    [page] = read_rows(path)
    assert [response.sidechain for response in page.responses] == [True]


@pytest.mark.parametrize("transcript", [None, b"", b"no json\n", b"[]\n", b"\xff\xfe"])
def test_a_session_without_a_readable_transcript_counts(tmp_path: Path, transcript: bytes | None) -> None:
    path = write(tmp_path, "s-1")
    if transcript is not None:
        (tmp_path / "s-1.jsonl").write_bytes(transcript)
    assert outputs(list(read_rows(path))) == [20]


def test_a_session_that_goes_on_from_a_compacted_one_counts_what_is_its_own(tmp_path: Path) -> None:
    write(tmp_path, "s-1", start("s-1"), output=90, inputTokens=100)
    path = write(
        tmp_path,
        "s-2",
        start("s-2", parent="s-1"),
        {"type": "compaction_state", "id": "c"},
        output=97,
        inputTokens=101,
    )
    [page] = read_rows(path)
    assert outputs([page]) == [7]
    # What it began with is known from then on, whatever becomes of the other.
    (tmp_path / "s-1.settings.json").unlink()
    write(tmp_path, "s-2", output=98, inputTokens=101)
    assert outputs(list(read_rows(path, page.state))) == [8]


@pytest.mark.parametrize(
    "lines",
    [
        (start("s-2", parent="s-1", forkedAtMessageId="m"), {"type": "compaction_state", "id": "c"}),
        (start("s-2", parent="s-1"), {"type": "message"}),
        (start("s-2"), {"type": "compaction_state", "id": "c"}),
    ],
)
def test_forks_and_others_begin_without_sums(tmp_path: Path, lines: tuple[dict[str, object], ...]) -> None:
    write(tmp_path, "s-1", start("s-1"), output=15)
    assert outputs(list(read_rows(write(tmp_path, "s-2", *lines)))) == [20]


@pytest.mark.parametrize("parent", ["gone", "../s-1", "s-1\0", "s-1"])
def test_a_session_that_began_with_unknown_sums_is_said(tmp_path: Path, parent: str) -> None:
    write(tmp_path, "s-1", start("s-1"), output=90)
    path = write(tmp_path, "s-2", start("s-2", parent=parent), {"type": "compaction_state", "id": "c"})
    with pytest.raises(UnreadablePagesError, match="which part of its tokens is its own is not known"):
        list(read_rows(path))


@pytest.mark.parametrize("content", ["{", "", '{"tokenUsage":{"inputTokens":-1}}', json.dumps(ODD_TIME)])
def test_settings_that_cannot_be_read_are_said(tmp_path: Path, content: str) -> None:
    path = tmp_path / "s-1.settings.json"
    path.write_text(content)
    with pytest.raises(
        UnreadablePagesError, match=r"^Droid's session .*s-1\.settings\.json cannot be (read|counted): "
    ):
        list(read_rows(path))


def test_settings_too_large_to_be_settings_are_said(tmp_path: Path) -> None:
    path = tmp_path / "s-1.settings.json"
    path.write_bytes(b" " * (LARGEST_SETTINGS_BYTES + 1))
    with pytest.raises(UnreadablePagesError, match="holds no settings"):
        list(read_rows(path))


def test_a_pipe_in_their_place_is_said(tmp_path: Path) -> None:
    path = tmp_path / "s-1.settings.json"
    os.mkfifo(path)
    with pytest.raises(UnreadablePagesError, match="holds no settings"):
        list(read_rows(path))


def test_settings_that_cannot_be_opened_are_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnreadablePagesError, match="cannot be read: Not a directory"):
        list(read_rows(tmp_path / "file" / "s-1.settings.json"))


def test_a_session_that_is_gone_holds_nothing(tmp_path: Path) -> None:
    assert list(read_rows(tmp_path / "s-1.settings.json")) == []
