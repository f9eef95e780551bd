import pytest

from clown_daemon.usage import pace
from clown_daemon.usage.pace import APART_SECONDS, Pace


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    return seconds


def test_the_first_change_goes_at_once_and_the_next_of_its_profile_waits(now: list[float]) -> None:
    kept = Pace()
    assert kept.wait_seconds(["work", "other"]) == 0
    kept.began(["work"], 100.0)
    assert kept.wait_seconds(["other"]) == 0
    assert kept.wait_seconds(["work", "other"]) == pytest.approx(APART_SECONDS)
    now[0] += APART_SECONDS
    assert kept.wait_seconds(["work"]) == 0
    assert kept.wait_seconds([]) == 0


def test_profiles_that_may_go_on_anyway_are_forgotten(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MOST_KNOWN", 3)
    kept = Pace()
    for number in range(10):
        now[0] += APART_SECONDS
        kept.began([f"p{number}"], now[0])
    assert len(kept._next) <= 4
    assert kept.wait_seconds(["p9"]) > 0


def test_a_second_has_at_most_four(now: list[float]) -> None:
    kept = Pace()
    times = []
    while now[0] < 110:
        now[0] += kept.wait_seconds(["work"])
        kept.began(["work"], now[0])
        times.append(now[0])
    assert all(fifth - first > 1 for first, fifth in zip(times, times[4:], strict=False))
