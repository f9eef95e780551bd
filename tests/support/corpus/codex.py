"""Scenes of Codex: threads of today, threads of older versions with their counters, forks, sub-agents, the archive."""

from tests.support.corpus.amounts import Amounts, long_context, reasoning
from tests.support.corpus.codex_session import STAMP_BYTES, Counts, Thread
from tests.support.corpus.moments import iso
from tests.support.corpus.rates import UNKNOWN_MODEL
from tests.support.corpus.stage import Stage
from tests.support.corpus.traps import Trap

DAY_MS = 86_400_000


def plain(stage: Stage) -> None:
    """A thread of a few turns; one in three is of an older version."""
    thread = _begun(stage, old=stage.random.random() < 0.33)
    for _ in range(stage.random.randrange(1, 7)):
        thread.turn(stage.random.randrange(1, 16))
    stage.spring(Trap.OLD_COUNTERS if thread.old else Trap.USAGE_RECORDS)
    thread.save()


def records_and_more_counters(stage: Stage) -> None:
    """A file with usage records may tell its counters more often; the records alone count."""
    thread = _begun(stage)
    for _ in range(4):
        last = thread.respond()
        thread.count(Counts.of(last))
        thread.count(None, total=False)
    stage.spring(Trap.USAGE_RECORDS)
    thread.save()


def strange_counters(stage: Stage) -> None:
    """An older version tells a counter again, without counts, without its last response, and from zero again."""
    thread = _begun(stage, old=True)
    thread.turn(3)
    for _ in range(3):
        last = thread.respond()
        for _ in range(stage.random.randrange(1, 7)):
            thread.run_tool()
            thread.count(Counts.of(last))
        stage.spring(Trap.REEMITTED)
    thread.count(None, total=False)
    stage.spring(Trap.NULL_INFO)
    for _ in range(2):
        thread.call()
        thread.count(None)
        stage.spring(Trap.MISSING_LAST)
    thread.total = Counts()
    thread.respond()
    thread.turn(4)
    thread.total = Counts()
    thread.call(Amounts(input=10, output=20, cache_read=30))
    thread.count(None)
    stage.spring(Trap.COUNTER_RESET)
    thread.turn(2)
    thread.save()


def equal_strangers(stage: Stage) -> None:
    """Two threads that have nothing to do with each other used the very same tokens."""
    script = [reasoning(stage.random) for _ in range(4)]
    for _ in range(2):
        thread = _begun(stage, old=True)
        for amounts in script:
            thread.respond(amounts)
        thread.save()
    stage.spring(Trap.EQUAL_COUNTS_ELSEWHERE)


def replayed_fork(stage: Stage) -> None:
    """A fork of an older version holds its parent's lines with new times, all within a second; so does its own fork."""
    parent = _begun(stage, old=True)
    parent.turn(5)
    parent.save()
    child = _replayed(stage, parent)
    child.turn(3)
    child.save()
    stage.spring(Trap.REPLAYED_FORK)
    grandchild = _replayed(stage, child)
    grandchild.turn(2)
    grandchild.save()
    stage.spring(Trap.REPLAYED_FORK_OF_FORK)


def _replayed(stage: Stage, parent: Thread) -> Thread:
    fork = Thread(stage, old=True, project=parent.project, at_ms=parent.now_ms + stage.random.randrange(DAY_MS))
    fork.begin(forked_from_id=parent.id)
    for number, old_line in enumerate(parent.lines):
        stamp = f'{{"timestamp":"{iso(fork.now_ms + number // 8)}"'.encode()
        fork.lines.append(stamp + old_line[STAMP_BYTES:])
    fork.now_ms += len(parent.lines) // 8
    fork.total = parent.total
    fork.model = parent.model
    return fork


def paged_fork(stage: Stage) -> None:
    """A fork of today holds no line of its parent, but its totals go on from there."""
    parent = _begun(stage)
    parent.turn(5)
    parent.save()
    fork = Thread(stage, project=parent.project, at_ms=parent.now_ms + stage.random.randrange(DAY_MS))
    base = {"thread_id": parent.id, "end_ordinal_exclusive": len(parent.lines)}
    fork.begin(forked_from_id=parent.id, history_base=base)
    fork.total = parent.total
    fork.turn(3)
    stage.spring(Trap.PAGED_FORK)
    fork.save()


def subagent(stage: Stage) -> None:
    """A sub-agent's file begins with its own session line and then has its parent's."""
    parent = _begun(stage)
    parent.turn(2)
    child = Thread(stage, project=parent.project, at_ms=parent.now_ms)
    spawn = {"thread_spawn": {"parent_thread_id": parent.id, "depth": 1, "agent_nickname": "Boyle"}}
    child.begin(session_id=parent.id, forked_from_id=parent.id, parent_thread_id=parent.id, source={"subagent": spawn})
    child.add("session_meta", parent.meta())
    child.turn(3)
    stage.spring(Trap.SUBAGENT)
    child.save()
    parent.now_ms = child.now_ms
    parent.turn(1)
    parent.save()


def changing_models(stage: Stage) -> None:
    """The model changes with a turn in an older version's file, and with the settings alone in one of today."""
    old = _begun(stage, old=True)
    old.turn(2, model="gpt-5-codex")
    old.turn(2, model="gpt-5.5")
    stage.spring(Trap.MODEL_IN_TURN)
    old.save()
    new = _begun(stage)
    new.turn(2, model="gpt-5.3-codex")
    new.apply_settings("gpt-6.1-sol")
    new.respond()
    stage.spring(Trap.MODEL_IN_SETTINGS)
    new.save()


def archived(stage: Stage) -> None:
    """Threads in the archive, and threads that lie there and in their old place."""
    for old in (False, True):
        moved = _begun(stage, old=old)
        moved.turn(3)
        moved.save(archived=True)
        stage.spring(Trap.ARCHIVED)
        copied = _begun(stage, old=old)
        copied.turn(3)
        copied.save()
        copied.save(archived=True)
        stage.spring(Trap.ARCHIVED_COPY)


def priced(stage: Stage) -> None:
    """Requests at their model's threshold and above, cache writes, and a model that nobody knows."""
    thread = _begun(stage)
    for model in ("gpt-5.5", "gpt-6.1-sol"):
        thread.turn(0, model=model)
        for whole_input in (272_000, 272_001, 400_000):
            thread.respond(long_context(reasoning(stage.random), whole_input))
            stage.spring(Trap.AT_THRESHOLD if whole_input == 272_000 else Trap.LONG_CONTEXT)
    thread.turn(2, model=UNKNOWN_MODEL)
    thread.save()


def _begun(stage: Stage, *, old: bool = False) -> Thread:
    """A thread whose file has its first two lines."""
    thread = Thread(stage, old=old)
    thread.begin()
    thread.turn(0)
    return thread


SCENES = {
    Trap.USAGE_RECORDS: records_and_more_counters,
    Trap.REEMITTED: strange_counters,
    Trap.EQUAL_COUNTS_ELSEWHERE: equal_strangers,
    Trap.REPLAYED_FORK: replayed_fork,
    Trap.PAGED_FORK: paged_fork,
    Trap.SUBAGENT: subagent,
    Trap.MODEL_IN_TURN: changing_models,
    Trap.ARCHIVED: archived,
    Trap.LONG_CONTEXT: priced,
}
