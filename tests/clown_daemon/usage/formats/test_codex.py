import json

import pytest

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats.codex import CodexParser
from tests.support.log_samples import Totals, read, read_put_aside, totals
from tests.support.rollouts import event, line, meta, record, token_count, turn, usage
from tests.support.transcripts import LOGS

FIRST, SECOND = usage(12100, 9100, 0, 301, 128), usage(12200, 9200, 0, 302, 128)
BOTH = usage(24300, 18300, 0, 603, 256)
LEGACY = "0.50_then_0.98_then_0.169_main_0eb39f6bf08f"
REPLAYED = "2026-11-23T12:00:00.000Z"


def parse(*rows: bytes) -> list[Response]:
    responses, broken = read(CodexParser(), b"".join(rows))
    assert broken == 0
    return responses


def sample(name: str) -> list[Response]:
    return parse((LOGS / f"codex_{name}.jsonl").read_bytes())


def tokens(responses: list[Response]) -> list[tuple[int, int, int, int]]:
    return [
        (response.input_tokens, response.output_tokens, response.cache_read_tokens, response.cache_write_tokens)
        for response in responses
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # input - cached, output, cached of each `token_usage_record`, added up by hand
        ("0.169_main_ad07e7552f7", Totals(5, 15_000, 1517, 46_700, 0)),
        ("0.169_subagent_04f8b34ba89", Totals(2, 6_000, 611, 19_100, 0)),
        ("0.169_main_b3b376e3d67", Totals(2, 6_000, 603, 18_300, 0)),
        ("0.169_main_ba6da4affdc", Totals(4, 12_000, 1250, 41_000, 0)),
        ("0.169_fork_da39d215a6f", Totals(2, 6_000, 631, 21_100, 0)),
        ("0.169_main_ce53b772c45", Totals(0, 0, 0, 0, 0)),
        # `last_token_usage` of three counters of 0.50 (the sum began again when it resumed), one of 0.98, one record
        (LEGACY, Totals(5, 515, 245, 10_105, 0)),
    ],
)
def test_a_real_rollout_bills(name: str, expected: Totals) -> None:
    assert totals(sample(name)) == expected


@pytest.mark.parametrize(
    ("name", "last_sum"),
    [
        ("main_ad07e7552f7", (61_700, 46_700, 1517)),
        ("subagent_04f8b34ba89", (25_100, 19_100, 611)),
        ("main_ba6da4affdc", (53_000, 41_000, 1250)),
    ],
)
def test_a_real_rollout_bills_what_its_own_last_sum_says(name: str, last_sum: tuple[int, int, int]) -> None:
    found = totals(sample(f"0.169_{name}"))
    assert (found.input + found.cache_read, found.cache_read, found.output) == last_sum


def test_all_real_rollouts_together_bill_every_response_once() -> None:
    names = ("main_ad07e7552f7", "subagent_04f8b34ba89", "main_b3b376e3d67", "main_ba6da4affdc", "fork_da39d215a6f")
    responses = [response for name in names for response in sample(f"0.169_{name}")]
    # Two of them come from servers that number their responses from 1: the ids alone would make 13 of these 15.
    assert totals(responses) == Totals(15, 45_000, 4612, 146_200, 0)
    assert len({response.response_id for response in responses}) == 13


def test_a_real_fork_of_an_older_thread_copies_it_and_adds_one_response() -> None:
    parent, fork = sample(LEGACY), sample("0.169_fork_of_0.50_c069a164122d")
    told = {response.twin for response in parent if response.twin}
    new = [response for response in fork if response.twin not in told]
    assert totals([*parent, *new]) == Totals(6, 621, 303, 12_147, 0)
    copied, own = new
    # The copied record is its parent's, whichever file is read first.
    assert copied._replace(at_ms=0) == parent[-1]._replace(at_ms=0)
    assert (own.session, own.parent_session) == ("01a211c4-3807-7502-b652-c069a164122d", parent[-1].session)


def test_a_real_fork_begins_at_its_parents_sum_which_is_not_billed_again() -> None:
    [first, _] = sample("0.169_fork_da39d215a6f")
    assert tokens([first]) == [(3000, 315, 10_500, 0)]
    assert first.parent_session == "01a2061f-6d69-75e0-8b9d-6ba6da4affdc"


def test_a_real_sub_agent_is_a_session_of_its_own() -> None:
    responses = sample("0.169_subagent_04f8b34ba89")
    assert {response.session for response in responses} == {"01a20621-e1d3-7db3-ba40-a04f8b34ba89"}
    assert {response.parent_session for response in responses} == {"01a20621-de43-7523-a5b2-fad07e7552f7"}
    assert all(response.sidechain for response in responses)


def test_a_record_becomes_a_response_in_classes_that_do_not_overlap() -> None:
    [response] = parse(meta(), turn(), record("resp_" + "a" * 40, usage(13_100, 10_100, 500, 311, 128)))
    assert tokens([response]) == [(2500, 311, 10_100, 500)]
    assert response.cache_write_5m_tokens == 500
    assert response.reasoning_tokens == 128
    assert response.key == "openai|resp_" + "a" * 40
    assert response.response_id == "resp_" + "a" * 40
    assert (response.source, response.agent_id, response.provider) == ("codex", "codex", "openai")
    assert (response.session, response.project, response.model) == ("thread-1", "/home/dev/project", "gpt-5-codex")
    assert response.at_ms == 1_795_428_000_000
    assert response.tier == "standard"
    assert not response.sidechain
    assert (response.parent_session, response.twin) == (None, None)


def test_a_token_count_after_its_record_is_not_billed_again() -> None:
    rows = (record("resp_1", FIRST, total=FIRST), token_count(FIRST, FIRST))
    assert len(parse(meta(), turn(), *rows, record("resp_2", SECOND, total=BOTH), token_count(BOTH, SECOND))) == 2


def test_a_thread_that_a_newer_version_went_on_with_bills_both_halves() -> None:
    responses = parse(
        meta(), turn(), token_count(FIRST, FIRST), record("r", SECOND, total=BOTH), token_count(BOTH, SECOND)
    )
    assert tokens(responses) == [(3000, 301, 9100, 0), (3000, 302, 9200, 0)]


def test_token_counts_of_an_older_version_bill_the_last_response_each() -> None:
    responses = parse(meta(), turn(), token_count(FIRST, FIRST), token_count(BOTH, SECOND))
    assert tokens(responses) == [(3000, 301, 9100, 0), (3000, 302, 9200, 0)]
    assert [response.reasoning_tokens for response in responses] == [128, 128]
    assert len({response.key for response in responses}) == 2


def test_a_sum_that_is_told_again_is_billed_once() -> None:
    assert len(parse(meta(), turn(), *[token_count(FIRST, FIRST)] * 3, *[token_count(BOTH, SECOND)] * 2)) == 2


def test_rate_limits_alone_bill_nothing() -> None:
    limits = event("token_count", info=None, rate_limits={"primary": {"used_percent": 1.0}})
    assert len(parse(meta(), turn(), limits, token_count(FIRST, FIRST), limits, token_count(FIRST, FIRST))) == 1


def test_without_the_last_response_the_difference_of_two_sums_is_billed() -> None:
    responses = parse(meta(), turn(), token_count(FIRST), token_count(BOTH))
    assert tokens(responses) == [(3000, 301, 9100, 0), (3000, 302, 9200, 0)]


def test_a_sum_that_fell_began_again_and_is_billed_whole() -> None:
    responses = parse(meta(), turn(), token_count(BOTH), token_count(FIRST))
    assert tokens(responses) == [(6000, 603, 18_300, 0), (3000, 301, 9100, 0)]


def test_the_first_sum_of_a_fork_is_never_billed_as_a_whole() -> None:
    fork = meta("fork", forked_from_id="thread-1")
    assert parse(fork, turn(), token_count(BOTH)) == []
    [response] = parse(fork, turn(), token_count(BOTH, SECOND))
    assert response.output_tokens == 302


def test_an_estimate_after_compaction_is_no_response() -> None:
    estimate = {"total_tokens": 9000}
    assert len(parse(meta(), turn(), token_count(FIRST, FIRST), token_count(FIRST, estimate))) == 1
    assert len(parse(meta(), turn(), token_count(FIRST, FIRST), token_count({"total_tokens": 258_400}, estimate))) == 1


def test_what_an_older_fork_copied_is_the_twin_of_what_its_parent_wrote() -> None:
    parent = parse(meta(), turn(), token_count(FIRST, FIRST), token_count(BOTH, SECOND))
    copied = (token_count(FIRST, FIRST, at=REPLAYED), token_count(BOTH, SECOND, at=REPLAYED))
    own = token_count(usage(36_600, 27_600, 0, 906, 384), usage(12_300, 9300, 0, 303, 128), at=REPLAYED)
    fork = parse(meta("fork", forked_from_id="thread-1"), meta(), turn(), *copied, own)
    assert [response.twin for response in fork[:2]] == [response.twin for response in parent]
    assert fork[2].twin not in {response.twin for response in parent}
    assert {response.parent_session for response in fork} == {"thread-1"}
    assert {response.session for response in fork} == {"fork"}
    assert len({response.key for response in (*parent, *fork)}) == 5


@pytest.mark.parametrize(
    "head",
    [
        meta("fork", forked_from_id="thread-1"),
        meta("fork", parent_thread_id="thread-1"),
        meta("fork") + meta("thread-1") + meta("thread-0"),
    ],
)
def test_a_fork_names_its_parent_in_its_own_header_or_in_the_one_it_copied(head: bytes) -> None:
    [response] = parse(head, turn(), token_count(BOTH, SECOND))
    assert (response.session, response.parent_session) == ("fork", "thread-1")


def test_files_without_a_header_do_not_share_keys() -> None:
    [one] = parse(token_count(FIRST, FIRST))
    [other] = parse(token_count(FIRST, FIRST, at=REPLAYED))
    assert one.key != other.key


def test_an_archived_copy_has_the_same_keys() -> None:
    rows = (meta(), turn(), token_count(FIRST, FIRST), record())
    assert [response.key for response in parse(*rows)] == [response.key for response in parse(*rows)]


def test_ids_that_a_local_server_counts_or_repeats_do_not_merge_responses() -> None:
    responses = parse(
        meta(),
        turn(),
        record("resp_1", FIRST, total=FIRST),
        record("resp_1", SECOND, total=BOTH),
        record(None, SECOND, total=usage(36_500, 27_500, 0, 905, 384)),
    ) + parse(meta("thread-2"), turn(), record("resp_1", FIRST, total=FIRST, thread="thread-2"))
    assert len({response.key for response in responses}) == 4


def test_the_model_is_that_of_the_turn() -> None:
    rows = (turn("gpt-5"), token_count(FIRST, FIRST), turn("gpt-5.5"), token_count(BOTH, SECOND))
    assert [response.model for response in parse(meta(), *rows)] == ["gpt-5", "gpt-5.5"]


def test_a_model_that_is_chosen_in_the_middle_of_a_turn_holds_for_what_is_not_of_that_turn() -> None:
    chosen = event("thread_settings_applied", thread_settings={"model": "gpt-6", "model_provider_id": "openai"})
    rows = (turn("gpt-5"), chosen, record("a", turn_id="turn-1"), record("b", turn_id="compaction"), turn("gpt-7"))
    assert [response.model for response in parse(meta(), *rows, record("c"))] == ["gpt-5", "gpt-6", "gpt-7"]
    assert [response.model for response in parse(meta(), turn("gpt-5"), chosen, token_count(FIRST, FIRST))] == ["gpt-6"]


def test_before_the_first_turn_the_settings_tell_the_model() -> None:
    chosen = event("thread_settings_applied", thread_settings={"model": "gpt-6"})
    assert [response.model for response in parse(meta(), chosen, token_count(FIRST, FIRST))] == ["gpt-6"]


def test_a_model_that_is_never_told_is_unknown_and_not_guessed() -> None:
    assert [response.model for response in parse(meta(), token_count(FIRST, FIRST))] == ["unknown"]
    assert [response.model for response in parse(meta(), turn(None), record())] == ["unknown"]


@pytest.mark.parametrize(
    ("rows", "provider"),
    [
        ([meta()], "openai"),
        ([meta(model_provider="Azure")], "azure"),
        (
            [
                meta(model_provider="openai"),
                event("thread_settings_applied", thread_settings={"model_provider_id": "ollama"}),
            ],
            "ollama",
        ),
        ([meta(model_provider="azure"), meta("parent", model_provider="openai")], "azure"),
    ],
)
def test_the_provider_is_the_one_the_log_names(rows: list[bytes], provider: str) -> None:
    [response] = parse(*rows, turn(), record())
    assert response.provider == provider


def test_the_project_is_the_folder_of_the_turn() -> None:
    [response] = parse(meta(), turn(cwd="/home/dev/other"), record())
    assert response.project == "/home/dev/other"


def test_after_a_restart_in_the_middle_everything_before_is_still_known() -> None:
    content = b"".join(
        (
            meta("fork", forked_from_id="thread-1", model_provider="azure"),
            turn("gpt-5"),
            token_count(FIRST, FIRST),
            token_count(FIRST, FIRST),
            turn("gpt-5.5", "turn-2"),
            token_count(BOTH),
            record("resp_3", usage(12_300, 9300), total=usage(36_600, 27_600), thread="fork", turn_id="turn-2"),
            token_count(usage(36_600, 27_600), usage(12_300, 9300)),
        )
    )
    whole = read(CodexParser(), content)
    assert [response.model for response in whole[0]] == ["gpt-5", "gpt-5.5", "gpt-5.5"]
    for cut in range(len(content) + 1):
        assert read_put_aside(CodexParser, content, [cut]) == whole


LOOKALIKE = '{"type":"token_usage_record","payload":{"usage":{"input_tokens":5}}}\n"token_count" "session_meta"'


@pytest.mark.parametrize(
    "quiet",
    [
        line("response_item", {"type": "function_call_output", "output": LOOKALIKE * 3000}),
        line("response_item", {"type": "token_count", "info": {"total_token_usage": FIRST, "last_token_usage": FIRST}}),
        event("mcp_tool_call_end", result={"type": "token_count", "info": 5, "id": "token_usage_record"}),
        event("exec_command_end", token_count={"type": "token_count"}, info="turn_context"),
        line("compacted", {"latest_token_usage_record": {"usage": FIRST, "kind": "token_usage_record"}}),
        line("world_state", {"session_meta": 1, "turn_context": [], "token_count": None}),
        b'{"payload":{"type":"token_count","info":3},"type":"response_item","timestamp":5}\n',
    ],
)
def test_what_only_looks_like_usage_bills_nothing_and_is_not_broken(quiet: bytes) -> None:
    parser = CodexParser()
    assert parser.feed(quiet) == []
    parser.feed(quiet.rstrip(b"\n"))
    assert parser.unfinished() == []
    assert parser.lines_broken == 0
    assert parser.state() == b""


def test_keys_in_another_order_and_fields_nobody_knows_change_nothing() -> None:
    expected = parse(meta(), turn(), record(), token_count(FIRST, FIRST))
    rows = [json.loads(row) for row in (meta(), turn(), record(), token_count(FIRST, FIRST))]
    turned = [dict(reversed([*row.items(), ("future", {"usage": [row["type"]]})])) for row in rows]
    assert parse(b"".join(json.dumps(row, indent=None).encode() + b"\n" for row in turned)) == expected


@pytest.mark.parametrize(
    "broken",
    [
        record()[:-40] + b"\n",
        record(used={"input_tokens": -1}),
        record(used={"input_tokens": 2**25}),
        record(used={"input_tokens": 100, "cached_input_tokens": 101}),
        record(used={"input_tokens": 10**400}),
        record(at="yesterday"),
        line("token_usage_record", {"usage": "much"}),
        line("token_usage_record", []),
        line("session_meta", {"id": 5}),
        line("turn_context", {"model": ["gpt-5"]}),
        event("token_count", info={"last_token_usage": FIRST}),
        event("token_count", info={"total_token_usage": {"input_tokens": "12"}}),
        token_count(usage(2**26), usage(2**25)),
        event("thread_settings_applied", thread_settings=None),
        b'{"type":"token_usage_record","payload":' + b"[" * 5000 + b"\n",
        b'\xff\xfe"token_usage_record"\n',
    ],
)
def test_a_broken_line_is_counted_and_the_next_one_read(broken: bytes) -> None:
    responses, lines_broken = read(CodexParser(), meta() + turn() + broken + record("resp_" + "b" * 40))
    assert [response.response_id for response in responses] == ["resp_" + "b" * 40]
    assert lines_broken == 1


def test_sums_of_a_thread_may_be_larger_than_any_response() -> None:
    large = usage(2**40, 2**39, 0, 2**30)
    assert len(parse(meta(), turn(), token_count(large, FIRST), record(total=large))) == 2
