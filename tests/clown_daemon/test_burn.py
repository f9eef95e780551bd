"""How fast, and where that leads."""

import pytest

from clown_daemon.burn import DAY_MS, HOUR_MS, MINUTE_MS, burn_per_hour, projection, usual_per_hour

NOW_MS = 1_790_000_040_000


def test_the_burn_rate_is_that_of_the_last_15_minutes() -> None:
    minutes = [(NOW_MS - ago * MINUTE_MS, 1) for ago in range(60)]
    assert burn_per_hour(minutes, NOW_MS) == 60
    assert burn_per_hour([(NOW_MS - 14 * MINUTE_MS, 5)], NOW_MS) == 20
    assert burn_per_hour([(NOW_MS - 16 * MINUTE_MS, 5)], NOW_MS) == 0


def test_what_has_not_happened_yet_does_not_burn() -> None:
    assert burn_per_hour([(NOW_MS + MINUTE_MS, 5)], NOW_MS) == 0


def test_nothing_burns_nothing() -> None:
    assert burn_per_hour([], NOW_MS) == 0
    assert usual_per_hour([], NOW_MS) == 0


def test_the_usual_rate_is_measured_over_a_day_at_least() -> None:
    assert usual_per_hour([(NOW_MS - HOUR_MS, 2_400)], NOW_MS) == 100


def test_the_usual_rate_is_measured_since_the_first_step() -> None:
    days = [(NOW_MS - 2 * DAY_MS, 2_400), (NOW_MS - DAY_MS, 0), (NOW_MS - HOUR_MS, 2_400)]
    assert usual_per_hour(days, NOW_MS) == 100


@pytest.mark.parametrize(
    ("left_ms", "expected"),
    [
        (-HOUR_MS, 100),
        (0, 100),
        (HOUR_MS // 2, 120),
        (HOUR_MS, 140),
        (11 * HOUR_MS, 190),
    ],
    ids=["over", "at the end", "half an hour", "an hour", "a long day"],
)
def test_a_projection_takes_the_burn_rate_for_an_hour_and_the_usual_one_after_it(left_ms: int, expected: int) -> None:
    assert projection(100, burn=40, usual=5, left_ms=left_ms) == expected


def test_a_burst_in_the_morning_does_not_last_until_midnight() -> None:
    burn = burn_per_hour([(NOW_MS - 5 * MINUTE_MS, 300)], NOW_MS)
    usual = usual_per_hour([(NOW_MS - 5 * MINUTE_MS, 300)], NOW_MS)
    assert projection(300, burn=burn, usual=usual, left_ms=14 * HOUR_MS) < 2_000
