"""What holds for every format of JSON lines."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats import lines
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.formats.lines import LineParser
from tests.support.log_samples import LINE_PARSERS, read, read_put_aside, samples
from tests.support.transcripts import LOGS, line

SAMPLES = [(parser, path.read_bytes()) for agent, parser in LINE_PARSERS.items() for path in samples(agent)]
SMALL_SAMPLES = [
    "claude_2.1.197_subagent",
    "codex_0.169_fork_da39d215a6f",
    "copilot_1.0.102_events",
    "gemini_0.61_chat",
    "qwen_0.15.10_chat",
]
DAMAGE = [b"\n", b"\0\0\0", b"\xff\xfe", b'{"', b"}}\n", b"9" * 30, b"null", b'"\\ud800"', b"[" * 3000]

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def small(name: str) -> tuple[type[LineParser], bytes]:
    return LINE_PARSERS[name.partition("_")[0]], (LOGS / f"{name}.jsonl").read_bytes()


@pytest.mark.parametrize("name", SMALL_SAMPLES)
def test_split_at_any_byte_a_file_says_the_same(name: str) -> None:
    parser, content = small(name)
    whole = read(parser(), content)
    assert whole[0]
    for cut in range(len(content) + 1):
        assert read(parser(), content[:cut], content[cut:]) == whole


@pytest.mark.parametrize("name", SMALL_SAMPLES)
def test_put_aside_at_any_byte_a_file_says_the_same(name: str) -> None:
    parser, content = small(name)
    whole = read(parser(), content)
    for cut in range(len(content) + 1):
        assert read_put_aside(parser, content, [cut]) == whole


@given(data=st.data())
def test_however_often_a_parser_is_put_aside_the_file_says_the_same(data: st.DataObject) -> None:
    parser, content = data.draw(st.sampled_from(SAMPLES))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=12)))
    assert read_put_aside(parser, content, cuts) == read(parser(), content)


@pytest.mark.parametrize("name", SMALL_SAMPLES)
def test_a_last_line_without_its_end_is_offered_and_read_again(name: str) -> None:
    parser, content = small(name)
    whole, _ = read(parser(), content)
    ended = content.rstrip(b"\n")
    reader = parser()
    early = reader.feed(ended)
    state = reader.state()
    early += reader.unfinished()
    assert early == whole
    assert reader.state() == state
    assert reader.pending_bytes == len(ended) - ended.rindex(b"\n") - 1
    assert early == whole[: len(early)]


@given(data=st.data())
def test_damage_raises_nothing_and_spares_the_lines_that_it_does_not_touch(data: st.DataObject) -> None:
    parser, content = data.draw(st.sampled_from(SAMPLES))
    at = data.draw(st.integers(0, len(content)))
    damage = data.draw(st.sampled_from(DAMAGE) | st.binary(max_size=40))
    reader = parser()
    found = reader.feed(content[:at] + damage + content[at:])
    reader.unfinished()
    before = content[: content.rfind(b"\n", 0, at) + 1]
    assert found[: len(sound := parser().feed(before))] == sound


@given(data=st.data())
def test_a_value_of_any_type_in_any_place_raises_nothing(data: st.DataObject) -> None:
    parser, content = data.draw(st.sampled_from(SAMPLES))
    rows = [json.loads(row) for row in content.splitlines()]
    place: Any = rows[data.draw(st.integers(0, len(rows) - 1))]
    while True:
        key = data.draw(st.sampled_from(sorted(place))) if isinstance(place, dict) else len(place) - 1
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 4)) == 0:
            break
        place = inner
    place[key] = data.draw(anything)
    _, broken = read(parser(), b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows))
    # Two, where Copilot's only record of a session is the broken one: the sum that follows is then told as not counted.
    assert broken <= read(parser(), content)[1] + 2


@given(data=st.data())
def test_no_bytes_whatsoever_raise(data: st.DataObject) -> None:
    parser = data.draw(st.sampled_from(sorted(LINE_PARSERS.values(), key=str)))
    piece = st.binary(max_size=200) | st.sampled_from([*parser.markers, *DAMAGE])
    reader = parser()
    for fed in data.draw(st.lists(piece, max_size=20)):
        reader.feed(fed)
    reader.unfinished()
    parser(reader.state()).feed(b"\n")


@pytest.mark.parametrize("parser", LINE_PARSERS.values(), ids=LINE_PARSERS)
def test_a_run_of_nuls_and_bytes_that_are_no_text_drop_nothing(parser: type[LineParser]) -> None:
    [content] = [content for name in SMALL_SAMPLES for kind, content in [small(name)] if kind is parser]
    whole, _ = read(parser(), content)
    nuls = b"".join(b"\0" * 512 + row for row in content.splitlines(keepends=True))
    assert read(parser(), nuls) == (whole, 0)
    found, broken = read(parser(), content.replace(b"/home/dev", b"/home/\xff\xfe"))
    assert broken == 0
    assert [response._replace(project=None) for response in found] == [
        response._replace(project=None) for response in whole
    ]


@pytest.mark.parametrize("parser", LINE_PARSERS.values(), ids=LINE_PARSERS)
def test_the_state_stays_small_whatever_names_a_log_holds(parser: type[LineParser]) -> None:
    for kind, content in SAMPLES:
        if kind is parser:
            reader = parser()
            reader.feed(content.replace(b"/home/dev", b"/home/" + b"d" * 50_000))
            assert len(reader.state()) < 8192


def test_two_markers_in_one_line_read_it_once_and_in_order() -> None:
    class Rows(LineParser):
        markers = (b"aa", b"bb", b"cc")

        def _read_line(self, line: bytes) -> tuple[Response, ...]:
            return (Response("rows", "rower", line.decode(), "", "", "", None, 0, 0, 0, 0, 0, 0),)

    rows = b"bb aa cc\nnone\ncc\n\naa aa\nbb\n"
    assert [response.key for response in Rows().feed(rows)] == ["bb aa cc", "cc", "aa aa", "bb"]


LONGEST = 600
LONG = line("msg_long").replace(b"/home/dev", b"/home/" + b"d" * LONGEST)
SHORT = line("msg_short")
OTHER = line("msg_other")


@pytest.fixture
def short_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real limits would make real memory."""
    assert len(SHORT) < LONGEST < len(LONG)
    monkeypatch.setattr(lines, "LONGEST_LINE_BYTES", LONGEST)


def test_a_line_may_be_16_mib_long() -> None:
    assert lines.LONGEST_LINE_BYTES == 16 * 1024 * 1024


def test_a_line_that_is_too_long_is_one_broken_line_wherever_it_is_cut(short_limit: None) -> None:
    content = SHORT + LONG + OTHER
    whole = read(ClaudeParser(), content)
    assert [response.response_id for response in whole[0]] == ["msg_short", "msg_other"]
    assert whole[1] == 1
    for cut in range(len(content) + 1):
        assert read(ClaudeParser(), content[:cut], content[cut:]) == whole
        assert read_put_aside(ClaudeParser, content, [cut]) == whole


def test_a_line_that_is_too_long_leaves_the_memory_at_once(short_limit: None) -> None:
    reader = ClaudeParser()
    for at in range(0, len(LONG) - 10, 100):
        reader.feed(LONG[at : at + 100].rstrip(b"\n"))
        assert reader.pending_bytes <= LONGEST
    assert reader.unfinished() == []
    assert reader.state()
    assert reader.pending_bytes == 0


def test_what_is_skipped_when_a_parser_is_put_aside_is_skipped_by_the_next(short_limit: None) -> None:
    first = ClaudeParser()
    first.feed(LONG[:-100])
    second = ClaudeParser(first.state())
    assert second.feed(LONG[-100:-50]) == []
    third = ClaudeParser(second.state())
    assert len(third.feed(LONG[-50:] + SHORT)) == 1
    assert first.lines_broken + second.lines_broken + third.lines_broken == 1
