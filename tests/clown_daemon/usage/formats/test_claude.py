import pytest

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.claude import ClaudeParser
from tests.support.transcripts import line, sample


def parse(data: bytes) -> list[Response]:
    return ClaudeParser().feed(data)


def test_a_line_becomes_a_response_in_five_classes_of_tokens() -> None:
    [response] = parse(line("msg_7", "req_7", tokens=(11, 201, 15001, 2001), one_hour=1501, searches=2, speed="fast"))
    assert response.response_id == "msg_7"
    assert response.key == "anthropic|msg_7|req_7"
    assert response.provider == "anthropic"
    assert response.model == "claude-sonnet-4-5"
    assert response.session == "session-1"
    assert response.project == "/home/dev/project"
    assert response.at_ms == 1_795_428_000_000
    assert (response.input_tokens, response.output_tokens, response.cache_read_tokens) == (11, 201, 15001)
    assert (response.cache_write_5m_tokens, response.cache_write_1h_tokens) == (500, 1501)
    assert response.web_searches == 2
    assert response.tier == "fast"
    assert response.complete


def test_a_cache_write_that_is_not_split_counts_as_one_for_five_minutes() -> None:
    [response] = parse(line(tokens=(1, 2, 3, 700)))
    assert (response.cache_write_5m_tokens, response.cache_write_1h_tokens) == (700, 0)


@pytest.mark.parametrize(
    "quiet",
    [
        b'{"type":"user","toolUseResult":{"usage":{"input_tokens":5}}}',
        b'{"type":"progress","data":{"message":{"message":{"id":"m","model":"x","usage":{"input_tokens":5}}}}}',
        b'{"type":"summary","text":"\\"usage\\" is mentioned here"}',
        b'{"type":"assistant","timestamp":"2026-11-23T10:00:00Z","message":{"id":"m","model":"x","x":{"usage":1}}}',
        b'{"type":"user","message":{"content":"log line: \\"usage\\": 5"}}',
    ],
)
def test_what_only_looks_like_usage_counts_nothing_and_is_not_broken(quiet: bytes) -> None:
    parser = ClaudeParser()
    assert parser.feed(quiet + b"\n") == []
    assert parser.lines_broken == 0


def test_lines_the_program_wrote_itself_are_left_out() -> None:
    assert parse(line(model="<synthetic>", tokens=(0, 0, 0, 0))) == []


@pytest.mark.parametrize(
    "broken",
    [
        line()[:-30] + b"\n",
        line(at="yesterday"),
        line(tokens=(-1, 2, 3, 4)),
        line(tokens=(2**60, 2, 3, 4)),
        b'{"type":"assistant","timestamp":"2026-11-23T10:00:00Z","message":{"usage":{"input_tokens":1}}}\n',
        b'\xff\xfe"assistant" "usage"\n',
        b"[" * 5000 + b'"assistant" "usage"\n',
    ],
)
def test_a_broken_line_is_counted_and_the_next_one_read(broken: bytes) -> None:
    parser = ClaudeParser()
    assert [response.response_id for response in parser.feed(broken + line("msg_good"))] == ["msg_good"]
    assert parser.lines_broken == 1


def test_invalid_utf8_in_a_string_drops_nothing() -> None:
    damaged = line().replace(b"/home/dev", b"/home/\xff\xfe")
    [response] = parse(damaged)
    assert response.input_tokens == 10
    assert response.project is not None


def test_nuls_before_a_line_are_skipped() -> None:
    assert len(parse(b"\0" * 4096 + line() + b"\0\0\n" + line("msg_2"))) == 2


def test_a_tool_argument_with_a_null_id_does_not_hide_the_response() -> None:
    odd = line().replace(b'"message": {', b'"message": {"content": [{"input": {"id": null, "usage": null}}], ')
    assert len(parse(odd)) == 1


def test_half_a_line_waits_for_its_end() -> None:
    parser = ClaudeParser()
    whole = line()
    assert parser.feed(whole[:50]) == []
    assert parser.pending_bytes == 50
    assert parser.unfinished() == []
    assert len(parser.feed(whole[50:])) == 1
    assert parser.pending_bytes == 0


def test_a_last_line_without_its_end_is_offered_once_it_is_whole() -> None:
    parser = ClaudeParser()
    assert parser.feed(line().rstrip(b"\n")) == []
    assert len(parser.unfinished()) == 1
    assert parser.pending_bytes == len(line()) - 1


def test_a_relay_with_one_message_id_has_a_key_for_each_response() -> None:
    responses = parse(sample("relay_constant_id_0").read_bytes())
    assert len(responses) == len({response.key for response in responses}) == 4


def test_other_blocks_of_a_response_tell_nothing_more() -> None:
    assert len(parse(line(at="2026-11-23T10:00:00Z") + line(at="2026-11-23T10:00:01Z"))) == 1
    told = (
        line(at="2026-11-23T10:00:01Z"),
        line(at="2026-11-23T10:00:00Z"),
        line(tokens=(10, 21, 30, 40)),
        line(tokens=(10, 21, 30, 40), sidechain=True),
        line(tokens=(10, 21, 30, 40), sidechain=True, session="other"),
        line(request_id="req_2", tokens=(10, 21, 30, 40), sidechain=True, session="other"),
        line(stop_reason=None),
    )
    assert len(parse(b"".join(told))) == len(told)
