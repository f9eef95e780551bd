"""Scenes of Claude Code with damaged, strange or dearly priced lines: what is whole counts, whatever lies beside it."""

import msgspec

from tests.support.corpus.amounts import anthropic, long_context
from tests.support.corpus.claude import save
from tests.support.corpus.claude_lines import broken_text, text, tool_use
from tests.support.corpus.claude_session import Session
from tests.support.corpus.rates import UNKNOWN_MODEL
from tests.support.corpus.stage import Stage
from tests.support.corpus.traps import Trap

HUGE_BYTES = 1_000_000


def nuls(stage: Stage) -> None:
    """What a crash leaves where the file system had not written yet; the line behind them is good."""
    session = Session(stage)
    session.turn(2)
    session.transcript.lines.append(b"\0" * 4096)
    session.respond(block=text(), alone=True)
    stage.spring(Trap.NULS)
    save(stage, session)


def carriage_returns(stage: Stage) -> None:
    """A copy that went through another operating system."""
    session = Session(stage)
    session.turn(3)
    stage.spring(Trap.CARRIAGE_RETURNS)
    save(stage, session, session.transcript.data().replace(b"\n", b"\r\n"))


def no_last_line_end(stage: Stage) -> None:
    """The last response is whole, but for the end of its line."""
    session = Session(stage)
    session.turn(2)
    session.respond(block=text(), alone=True)
    stage.spring(Trap.NO_LAST_LINE_END)
    save(stage, session, session.transcript.data()[:-1])


def truncated_last_line(stage: Stage) -> None:
    """The last response was never written whole, so nobody can count it."""
    session = Session(stage)
    session.turn(2)
    session.tell(block=text(), alone=True)
    whole = session.transcript.data()
    stage.spring(Trap.TRUNCATED_LAST_LINE)
    save(stage, session, whole[: whole.rindex(b'"stop_sequence"')])


def truncated_middle(stage: Stage) -> None:
    """A crash cut a line off; the program that came back wrote on at once, so the next line is glued to it."""
    session = Session(stage)
    session.turn(2)
    session.transcript.say(session.wait(), "a long prompt")
    session.transcript.lines[-1] = session.transcript.lines[-1][:100]
    session.transcript.note("mode", mode="normal")
    session.turn(2)
    stage.spring(Trap.TRUNCATED_MIDDLE)
    save(stage, session)


def invalid_utf8(stage: Stage) -> None:
    """Bytes that are no text, once in a line that bills and once in one that does not."""
    session = Session(stage)
    session.turn(1)
    session.respond(block=broken_text(), alone=True)
    session.transcript.result(session.wait(), "toolu_1", msgspec.Raw(b'"\xff\xfe\x80"'))
    session.turn(1)
    stage.spring(Trap.INVALID_UTF8)
    save(stage, session)


def strange_arguments(stage: Stage) -> None:
    """Arguments of tools hold null ids, and whole lines that look as if they billed."""
    session = Session(stage)
    fake = {"id": "msg_fake", "model": "claude-opus-4-5", "usage": {"input_tokens": 9_999, "output_tokens": 99_999}}
    billed = {"type": "assistant", "message": fake, "requestId": "req_fake", "timestamp": "2026-03-08T00:00:00.000Z"}
    session.respond(block=tool_use("toolu_1", "mcp__db__find", id=None, requestId=None, sessionId=None), alone=True)
    stage.spring(Trap.NULL_ID_IN_ARGUMENTS)
    session.respond(block=tool_use("toolu_2", "Write", usage={"input_tokens": 7}, **billed), alone=True)
    session.respond(block=tool_use("toolu_3", "Write", content=msgspec.json.encode(billed).decode() + "\n"), alone=True)
    session.transcript.result(session.wait(), "toolu_3", msgspec.json.encode(billed).decode() + "\n")
    stage.spring(Trap.ARGUMENTS_LIKE_USAGE)
    save(stage, session)


def unknown_fields(stage: Stage) -> None:
    """What a later version may write: new fields on every level, counts that are null, a new kind of line."""
    session = Session(stage)
    session.respond(newField={"usage": None}, budget=[1, {"usage": 2}])
    session.transcript.note("hologram", usage={"input_tokens": 5}, message={"usage": {"output_tokens": 5}})
    session.respond(anthropic(stage.random)._replace(cache_write_5m=0, cache_write_1h=0))
    stage.spring(Trap.UNKNOWN_FIELDS)
    save(stage, session, _of_a_later_version(session.transcript.data()))


def _of_a_later_version(data: bytes) -> bytes:
    for known, later in (
        (b'"cache_creation_input_tokens":0', b'"cache_creation_input_tokens":null'),
        (b'"ephemeral_1h_input_tokens":0', b'"ephemeral_24h_input_tokens":null'),
        (b'"service_tier":"standard"', b'"service_tier":null,"quantum_tokens":[]'),
    ):
        data = data.replace(known, later)
    return data


def huge_line(stage: Stage) -> None:
    """A response that wrote a file of megabytes, and a result as large."""
    session = Session(stage)
    session.turn(1)
    session.respond(block=tool_use("toolu_1", "Write", content="x" * HUGE_BYTES))
    session.transcript.result(session.wait(), "toolu_1", '{"usage":' * (HUGE_BYTES // 9))
    session.turn(1)
    stage.spring(Trap.HUGE_LINE)
    save(stage, session)


def untold_writes(stage: Stage) -> None:
    """A gateway tells cache writes as one number; they cost what five minutes cost."""
    session = Session(stage)
    session.splits_writes = False
    session.turn(3)
    stage.spring(Trap.NO_CACHE_SPLIT)
    save(stage, session)


def priced(stage: Stage) -> None:
    """Long context before and after its price ended, fast mode, web searches, and a model that nobody knows."""
    session = Session(stage)
    for whole_input in (200_000, 200_001, 640_000):
        amounts = long_context(anthropic(stage.random), whole_input)
        session.respond(amounts, model="claude-sonnet-4-5")
        stage.spring(Trap.AT_THRESHOLD if whole_input == 200_000 else Trap.LONG_CONTEXT)
    session.respond(anthropic(stage.random)._replace(fast=True), model="claude-opus-4-8")
    session.respond(model="claude-opus-4-8")
    session.respond(anthropic(stage.random)._replace(web_searches=stage.random.randrange(1, 9)))
    session.respond(model=UNKNOWN_MODEL)
    save(stage, session)


SCENES = {
    Trap.NULS: nuls,
    Trap.CARRIAGE_RETURNS: carriage_returns,
    Trap.NO_LAST_LINE_END: no_last_line_end,
    Trap.TRUNCATED_LAST_LINE: truncated_last_line,
    Trap.TRUNCATED_MIDDLE: truncated_middle,
    Trap.INVALID_UTF8: invalid_utf8,
    Trap.ARGUMENTS_LIKE_USAGE: strange_arguments,
    Trap.UNKNOWN_FIELDS: unknown_fields,
    Trap.HUGE_LINE: huge_line,
    Trap.NO_CACHE_SPLIT: untold_writes,
    Trap.LONG_CONTEXT: priced,
}
