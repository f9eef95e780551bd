"""The corpus holds what it promises: every trap, the same for the same seed, lines like those of the real agents."""

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import date, tzinfo
from pathlib import Path
from typing import Any

import pytest

from tests.support.corpus.generate import (
    AGENTS,
    UNATTRIBUTED,
    Corpus,
    Options,
    ProfileHome,
    traps_of,
    write_corpus,
    write_scene,
)
from tests.support.corpus.moments import NEW_YORK, ZONES
from tests.support.corpus.traps import Trap
from tests.support.corpus.truth import Dimension, Totals, local_day

LOGS = Path(__file__).parents[2] / "data" / "logs"
RESPONSES = 1_200
DIMENSIONS: tuple[Dimension, ...] = ("agent", "provider", "model", "session", "project", "profile")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    profiles = {"work": ProfileHome("claude", folder / "work"), "play": ProfileHome("codex", folder / "play")}
    return write_corpus(folder / "home", Options(responses=RESPONSES, profiles=profiles))


def added(parts: Iterator[Totals] | list[Totals]) -> tuple[int, ...]:
    """Sums over groups, without sessions: one may have responses in several groups."""
    return tuple(sum(column) for column in zip(*(part[:-1] for part in parts), strict=True))


def contents(home: Path) -> dict[str, str]:
    """Every log by its path; a database by its rows, since its file names a random salt."""
    found: dict[str, str] = {}
    for path in sorted(home.rglob("*")):
        if path.suffix == ".db":
            found[path.name] = repr(list(sqlite3.connect(path).execute("SELECT * FROM message ORDER BY id")))
        elif path.is_file() and not path.name.startswith("opencode.db-"):
            found[str(path.relative_to(home))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_the_same_seed_writes_the_same_logs_and_another_one_others(tmp_path: Path) -> None:
    first, again, other = (
        write_corpus(tmp_path / name, Options(seed=seed, responses=300))
        for name, seed in (("first", 1), ("again", 1), ("other", 2))
    )
    assert first.truth.rows == again.truth.rows
    assert contents(first.home) == contents(again.home)
    sessions = {path for path in contents(other.home) if path.endswith(".jsonl")}
    assert sessions
    assert sessions.isdisjoint(contents(first.home))


@pytest.mark.parametrize("trap", list(Trap))
def test_every_trap_is_there(corpus: Corpus, trap: Trap) -> None:
    assert corpus.traps[trap] > 0


def test_sums_by_every_dimension_are_equal(corpus: Corpus) -> None:
    whole = corpus.truth.total()
    assert whole.responses >= RESPONSES
    for dimension in DIMENSIONS:
        assert added(list(corpus.truth.by(dimension).values())) == whole[:-1], dimension
    for zone in ZONES:
        assert added(list(corpus.truth.by_day(zone).values())) == whole[:-1], zone


def test_zones_cut_the_same_responses_into_other_days(corpus: Corpus) -> None:
    by_zone = [{day: totals.responses for day, totals in corpus.truth.by_day(zone).items()} for zone in ZONES]
    assert by_zone[0] != by_zone[1] != by_zone[2] != by_zone[0]


def test_every_agent_and_profile_has_its_part(corpus: Corpus) -> None:
    assert set(corpus.truth.by("agent")) == set(AGENTS)
    assert set(corpus.truth.by("profile")) == {UNATTRIBUTED, "work", "play"}
    assert (corpus.home.parent / "work" / ".claude" / "projects").is_dir()
    assert (corpus.home.parent / "play" / ".codex" / "sessions").is_dir()


@pytest.mark.parametrize("zone", ZONES)
def test_sessions_cross_local_midnights(corpus: Corpus, zone: tzinfo) -> None:
    days: dict[str, set[date]] = {}
    for row in corpus.truth.rows:
        days.setdefault(row.session, set()).add(local_day(row.at_ms, zone))
    assert sum(len(found) > 1 for found in days.values()) > 3


def test_clocks_change_within_the_corpus(corpus: Corpus) -> None:
    days = corpus.truth.by_day(NEW_YORK)
    assert {date(2026, 3, 8), date(2026, 11, 1)} <= days.keys()


def test_a_size_can_be_asked_for(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path, Options(agents=("claude", "codex"), target_bytes=6_000_000, filler_bytes=6_000))
    on_disk = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert on_disk == corpus.bytes_written
    assert 6_000_000 <= on_disk < 12_000_000


def test_lean_sessions_have_a_line_a_response(tmp_path: Path) -> None:
    options = Options(agents=("claude",), responses=3_000, lean=True, without=frozenset({*Trap}))
    corpus = write_corpus(tmp_path, options)
    assert corpus.bytes_written < 1_300 * corpus.truth.total().responses


def test_traps_can_be_left_out(tmp_path: Path) -> None:
    without = frozenset({Trap.FORKED, Trap.HUGE_LINE})
    corpus = write_corpus(tmp_path, Options(agents=("claude",), responses=400, without=without))
    assert not without & corpus.traps.keys()
    assert corpus.traps[Trap.RESUMED]


@pytest.mark.parametrize("agent", AGENTS)
def test_a_scene_alone_is_a_small_home(tmp_path: Path, agent: str) -> None:
    for number, trap in enumerate((None, *traps_of(agent))):
        corpus = write_scene(tmp_path / str(number), agent, trap)
        assert set(corpus.truth.by("agent")) == {agent}
        assert trap is None or corpus.traps[trap]


def shape(value: object, path: str = "") -> Iterator[str]:
    """Every field of a JSON value, with the way to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}"
            yield from shape(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from shape(inner, f"{path}[]")


def records(path: Path, marker: str) -> Iterator[dict[str, Any]]:
    for text in path.read_text("utf-8").splitlines():
        if marker in text:
            yield json.loads(text)


@pytest.mark.parametrize(
    ("agent", "sample", "marker"),
    [
        ("claude", "claude_2.1.197_*", '"requestId"'),
        ("codex", "codex_0.169_main_b3b376e3d67", '"token_usage_record"'),
        ("codex", "codex_0.169_main_b3b376e3d67", '"token_count"'),
        ("gemini", "gemini_0.61_chat", '"type":"gemini"'),
        ("qwen", "qwen_0.15.10_chat", '"ui_telemetry"'),
        ("copilot", "copilot_1.0.102_events", '"session.usage_record"'),
    ],
)
def test_lines_have_the_fields_of_real_ones(tmp_path: Path, agent: str, sample: str, marker: str) -> None:
    write_corpus(tmp_path, Options(agents=(agent,), without=frozenset({*Trap}), responses=60))
    real = {
        field for path in LOGS.glob(f"{sample}.jsonl") for record in records(path, marker) for field in shape(record)
    }
    written = {
        field
        for path in tmp_path.rglob("*.jsonl")
        for record in records(path, marker)
        for field in shape(record)
        if not field.startswith((".toolCalls[]", ".message.content[]"))
    }
    assert written
    assert written <= real


def test_a_part_of_the_database_is_in_its_log_alone(tmp_path: Path) -> None:
    corpus = write_scene(tmp_path, "opencode", Trap.ROWS_IN_WAL)
    path = tmp_path / ".local" / "share" / "opencode" / "opencode.db"
    count = "SELECT count(*) FROM message WHERE data LIKE '%\"assistant\"%'"
    without_log = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    assert without_log.execute(count).fetchone() == (0,)
    without_log.close()
    whole = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert whole.execute(count).fetchone() == (corpus.truth.total().responses,)
    whole.close()


def test_another_seed_gives_other_ids(tmp_path: Path) -> None:
    ids = []
    for seed in (1, 2):
        write_scene(tmp_path / str(seed), "claude", None, seed)
        lines = (record for path in (tmp_path / str(seed)).rglob("*.jsonl") for record in records(path, '"requestId"'))
        ids.append({(line["message"]["id"], line["requestId"]) for line in lines})
    assert ids[0].isdisjoint(ids[1])
