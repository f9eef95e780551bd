"""Write a home full of agents' logs, with every trap at least once, and answer what really was billed.

    corpus = write_corpus(tmp_path / "home", Options(seed=7, responses=2_000))
    corpus.truth.by_day(ZoneInfo("Asia/Tokyo"))

The same options give the same bytes. Profiles have homes of their own, in which the agent's folders lie as they do in
the user's home.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.corpus import claude, claude_damage, codex, copilot, gemini, opencode, qwen
from tests.support.corpus.opencode import OpenCode
from tests.support.corpus.stage import Home, Stage
from tests.support.corpus.traps import Trap
from tests.support.corpus.truth import Truth

UNATTRIBUTED = "unattributed"
WEIGHTS = {"claude": 12, "codex": 6, "opencode": 2, "gemini": 2, "qwen": 1, "copilot": 1}
"""How many of the sessions beyond the traps are each agent's."""
AGENTS = tuple(WEIGHTS)
PLAIN: Mapping[str, Callable[[Stage], None]] = {
    "claude": claude.plain,
    "codex": codex.plain,
    "gemini": gemini.plain,
    "qwen": qwen.plain,
    "copilot": copilot.plain,
}
SCENES: Mapping[str, Mapping[Trap, Callable[[Any], None]]] = {
    "claude": claude.SCENES | claude_damage.SCENES,
    "codex": codex.SCENES,
    "opencode": opencode.SCENES,
    "gemini": gemini.SCENES,
    "qwen": qwen.SCENES,
    "copilot": copilot.SCENES,
}
PLAIN_SHARE = 0.93
"""How many of them hold nothing strange."""


class ProfileHome(NamedTuple):
    """A profile has one agent and a home."""

    agent: str
    path: Path


class Options(NamedTuple):
    """What to write.

    Attributes:
        seed: of everything random.
        agents: whose logs.
        responses: billed responses, at least.
        target_bytes: size of all files, at least.
        filler_bytes: what a tool prints, on average; 6,000 is lifelike.
        lean: beyond the traps, write long sessions of one line a response: many records, few bytes.
        profiles: homes of profiles by alias; the user's own home always has logs, too.
        without: traps whose scenes are left out.
    """

    seed: int = 1
    agents: tuple[str, ...] = AGENTS
    responses: int = 0
    target_bytes: int = 0
    filler_bytes: int = 200
    lean: bool = False
    profiles: Mapping[str, ProfileHome] = {}
    without: frozenset[Trap] = frozenset()


DEFAULTS = Options()


class Corpus(NamedTuple):
    """What was written."""

    home: Path
    truth: Truth
    traps: Counter[Trap]
    files: int
    bytes_written: int


Scene = Callable[[], None]


class _Cast(NamedTuple):
    """The scenes of one agent in one home."""

    agent: str
    home: Home
    plain: Scene
    by_trap: Mapping[Trap, Scene]
    end: Scene
    """What comes last: it leaves the files as they are found."""


def write_corpus(home: Path, options: Options = DEFAULTS) -> Corpus:
    """Write logs below a home, and below those of the profiles."""
    stage = Stage(options.seed, Home(UNATTRIBUTED, home), filler_bytes=options.filler_bytes, without=options.without)
    casts = [_cast(stage, agent, where, lean=options.lean) for agent, where in _homes(home, options)]
    for cast in casts:
        stage.home = cast.home
        for trap, scene in cast.by_trap.items():
            if trap not in options.without:
                scene()
        cast.plain()
    weights = [WEIGHTS[cast.agent] for cast in casts]
    while len(stage.truth.rows) < options.responses or stage.bytes_written < options.target_bytes:
        cast = stage.random.choices(casts, weights)[0]
        stage.home = cast.home
        _next(stage, cast, options)()
    for cast in casts:
        stage.home = cast.home
        cast.by_trap.get(Trap.ROWS_IN_WAL, _nothing)()
        cast.end()
    return _corpus(home, stage)


def write_scene(home: Path, agent: str, trap: Trap | None, seed: int = 1) -> Corpus:
    """Write nothing but the scene of one trap, or a plain session: the smallest home that shows it."""
    stage = Stage(seed, Home(UNATTRIBUTED, home), filler_bytes=50, without=frozenset())
    cast = _cast(stage, agent, stage.home)
    scene = cast.plain if trap is None else cast.by_trap[trap]
    scene()
    cast.end()
    return _corpus(home, stage)


def traps_of(agent: str) -> tuple[Trap, ...]:
    """The traps that have a scene of their own."""
    return tuple(SCENES[agent])


def _corpus(home: Path, stage: Stage) -> Corpus:
    return Corpus(home, stage.truth, stage.traps, stage.files, stage.bytes_written)


def _next(stage: Stage, cast: _Cast, options: Options) -> Scene:
    allowed = [cast.by_trap[trap] for trap in cast.by_trap if trap not in options.without | {Trap.HUGE_LINE}]
    if options.lean or not allowed or stage.random.random() < PLAIN_SHARE:
        return cast.plain
    return stage.random.choice(allowed)


def _homes(home: Path, options: Options) -> Iterator[tuple[str, Home]]:
    for agent in options.agents:
        yield agent, Home(UNATTRIBUTED, home)
        for alias, profile in options.profiles.items():
            if profile.agent == agent:
                yield agent, Home(alias, profile.path)


def _cast(stage: Stage, agent: str, home: Home, *, lean: bool = False) -> _Cast:
    stage.home = home
    if agent == "opencode":
        played = OpenCode(stage)
        scenes = {trap: partial(scene, played) for trap, scene in opencode.SCENES.items()}
        return _Cast(agent, home, played.plain, scenes, played.close)
    plain = claude.lean if lean and agent == "claude" else PLAIN[agent]
    scenes = {trap: partial(scene, stage) for trap, scene in SCENES[agent].items()}
    end = partial(gemini.name_projects, stage) if agent == "gemini" else _nothing
    return _Cast(agent, home, partial(plain, stage), scenes, end)


def _nothing() -> None:
    pass
