"""Scenes of Claude Code: whole sessions, forks, sub-agents, side questions, gateways. Damage stands beside."""

from pathlib import Path

from tests.support.corpus.claude_lines import OLD_VERSION, Reply, text, tool_use, usage
from tests.support.corpus.claude_session import Session
from tests.support.corpus.moments import iso
from tests.support.corpus.stage import Stage, slug
from tests.support.corpus.traps import Trap

DAY_MS = 86_400_000


def folder(stage: Stage, session: Session, below: str = ".claude") -> Path:
    """Where the transcripts of a session's project lie."""
    return stage.home.path / below / "projects" / slug(session.transcript.project)


def save(stage: Stage, session: Session, data: bytes | None = None) -> None:
    """Write a main transcript."""
    path = folder(stage, session) / f"{session.id}.jsonl"
    stage.write(path, session.transcript.data() if data is None else data, session.now_ms)


def save_beside(stage: Stage, session: Session, name: str) -> None:
    """Write the transcript of a sub-agent, below the session's own folder."""
    path = folder(stage, session) / session.id / "subagents" / f"{name}.jsonl"
    stage.write(path, session.transcript.data(), session.now_ms)


def plain(stage: Stage) -> None:
    """A session of a few turns; most of any home is this."""
    session = Session(stage)
    session.transcript.note("mode", mode="normal")
    for _ in range(stage.random.randrange(1, 7)):
        session.turn(stage.random.randrange(1, 16))
    stage.spring(Trap.ITERATIONS)
    session.transcript.note("last-prompt", lastPrompt="go on")
    save(stage, session)


def resumed(stage: Stage) -> None:
    """The same file goes on days later, in another time of the year's clocks perhaps."""
    session = Session(stage)
    session.turn(3)
    session.now_ms += stage.random.randrange(1, 9) * DAY_MS
    session.turn(3)
    stage.spring(Trap.RESUMED)
    save(stage, session)


def forked(stage: Stage) -> None:
    """A fork holds the whole history under its own session id; the history stays its parent's."""
    parent = Session(stage)
    parent.turn(4)
    fork = Session(stage, project=parent.transcript.project, at_ms=parent.now_ms + stage.random.randrange(DAY_MS))
    fork.transcript.note("mode", mode="normal")
    fork.transcript.note("queue-operation", operation="enqueue", timestamp=iso(fork.now_ms), content="go on")
    copied = parent.transcript.data().replace(parent.id.encode(), fork.id.encode())
    fork.transcript.lines.append(copied)
    fork.turn(3)
    stage.spring(Trap.FORKED)
    save(stage, fork)
    if stage.allows(Trap.PARENT_RESUMED_AFTER_FORK, 0.5):
        parent.now_ms = fork.now_ms + 60_000
        parent.turn(2)
    save(stage, parent)


def with_subagent(stage: Stage) -> None:
    """A sub-agent has a file of its own, with partial usage first; its parent holds a copy of its last usage."""
    parent = Session(stage)
    parent.turn(1)
    asked = stage.id("toolu_")
    parent.respond(
        block=tool_use(asked, "Agent", description="sub job", prompt="look", subagent_type="general-purpose")
    )
    agent_id = f"a{stage.random.getrandbits(64):016x}"
    child = Session(stage, session=parent.id, project=parent.transcript.project, at_ms=parent.now_ms, agent_id=agent_id)
    child.transcript.say(child.wait(), "look")
    for _ in range(stage.random.randrange(2, 6)):
        child.respond(attributionAgent="general-purpose")
    stage.spring(Trap.PARTIAL_IN_SUBAGENT)
    parent.now_ms = child.now_ms
    copied = child.final_usage(child.given[-1].reply.amounts)
    parent.transcript.result(
        parent.wait(),
        asked,
        [text()],
        toolUseResult={"status": "completed", "agentId": agent_id, "totalTokens": 17_246, "usage": copied},
    )
    stage.spring(Trap.TOOL_RESULT_USAGE)
    parent.turn(2)
    save_beside(stage, child, f"agent-{agent_id}")
    save(stage, parent)


def old_version(stage: Stage) -> None:
    """Early lines of main transcripts hold a part of the output, and `progress` lines copy a sub-agent's messages."""
    parent = Session(stage, version=OLD_VERSION)
    parent.streams_partly = True
    parent.turn(3)
    stage.spring(Trap.PARTIAL_IN_MAIN)
    agent_id = f"a{stage.random.getrandbits(32):08x}"
    child = Session(
        stage,
        session=parent.id,
        project=parent.transcript.project,
        at_ms=parent.now_ms,
        agent_id=agent_id,
        version=OLD_VERSION,
    )
    for _ in range(2):
        given = child.respond()
        copied = _progress(child, given.reply)
        parent.transcript.add(child.now_ms, {"type": "progress", "data": copied, "toolUseID": "toolu_1"})
    stage.spring(Trap.PROGRESS_LINES)
    parent.now_ms = child.now_ms
    parent.turn(1)
    save_beside(stage, child, f"agent-{agent_id}")
    save(stage, parent)


def _progress(child: Session, reply: Reply) -> dict[str, object]:
    message = {"id": reply.message_id, "model": reply.model, "role": "assistant", "usage": usage(reply.amounts)}
    copied = {"type": "assistant", "timestamp": iso(child.now_ms), "message": message, "requestId": reply.request_id}
    return {"type": "agent_progress", "message": copied, "agentId": "a1"}


def side_question(stage: Stage) -> None:
    """A side question's file replays its session with new request ids; only its own answer is billed."""
    main = Session(stage)
    main.turn(3)
    side = Session(
        stage, session=main.id, project=main.transcript.project, at_ms=main.now_ms, agent_id=f"aside{stage.serial()}"
    )
    side.streams_partly = False
    for given in main.given:
        again = given.reply._replace(request_id=stage.id("req_"))
        side.transcript.reply(given.at_ms, again, text(), usage(again.amounts), "end_turn")
    side.respond()
    stage.spring(Trap.SIDE_QUESTION)
    save_beside(stage, side, f"agent-aside_question-{stage.serial()}")
    if stage.allows(Trap.SIDE_QUESTION_READ_FIRST):
        main.now_ms = side.now_ms
        main.turn(1)
    save(stage, main)


def gateway(stage: Stage) -> None:
    """No response of a gateway has a request id; several lines of one are told by message and input counts."""
    session = Session(stage)
    session.with_request_ids = False
    session.turn(4)
    stage.spring(Trap.NO_REQUEST_ID)
    save(stage, session)


def relay(stage: Stage) -> None:
    """Every response of this relay, a sub-agent's too, has the same message id and no request id."""
    parent = Session(stage)
    agent_id = f"a{stage.random.getrandbits(64):016x}"
    child = Session(stage, session=parent.id, project=parent.transcript.project, at_ms=parent.now_ms, agent_id=agent_id)
    for one in (parent, child):
        one.with_request_ids = False
        one.constant_id = "ocgo"
        one.turn(3)
    stage.spring(Trap.CONSTANT_MESSAGE_ID)
    save_beside(stage, child, f"agent-{agent_id}")
    save(stage, parent)


def in_two_folders(stage: Stage) -> None:
    """A home that moved from one folder of Claude Code to the other holds a session twice."""
    session = Session(stage)
    session.turn(3)
    save(stage, session)
    if stage.home.profile == "unattributed":
        again = folder(stage, session, ".config/claude") / f"{session.id}.jsonl"
        stage.write(again, session.transcript.data(), session.now_ms)
        stage.spring(Trap.SECOND_FOLDER)


def synthetic(stage: Stage) -> None:
    """A message about an error that the program wrote itself bills nothing."""
    session = Session(stage)
    session.turn(1)
    reply = Reply(stage.uuid(), None, "<synthetic>", session.given[-1].reply.amounts._replace(output=0))
    nothing = usage(reply.amounts._replace(input=0, cache_read=0, cache_write_5m=0, cache_write_1h=0))
    session.transcript.reply(
        session.wait(), reply, text("API Error: 529"), nothing, "stop_sequence", isApiErrorMessage=True
    )
    stage.spring(Trap.SYNTHETIC)
    session.turn(1)
    save(stage, session)


def lean(stage: Stage) -> None:
    """A long session of one line a response, for many records in few bytes."""
    session = Session(stage)
    for _ in range(200):
        session.respond(block=text("ok"), alone=True)
    save(stage, session)


SCENES = {
    Trap.RESUMED: resumed,
    Trap.FORKED: forked,
    Trap.PARTIAL_IN_SUBAGENT: with_subagent,
    Trap.PARTIAL_IN_MAIN: old_version,
    Trap.SIDE_QUESTION: side_question,
    Trap.NO_REQUEST_ID: gateway,
    Trap.CONSTANT_MESSAGE_ID: relay,
    Trap.SECOND_FOLDER: in_two_folders,
    Trap.SYNTHETIC: synthetic,
}
