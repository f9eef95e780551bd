import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.client.backoff import (
    CROWD_ATTEMPTS,
    CROWD_SECONDS,
    DOWN_SECONDS,
    MAX_SECONDS,
    MIN_SECONDS,
    Backoff,
    Failure,
    Uniform,
    jittered,
    longest,
)


def highest(_: float, high: float) -> float:
    return high


def lowest(low: float, _: float) -> float:
    return low


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 0.25), (1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 15), (7, 15), (100_000, 15)],
)
def test_the_longest_wait_doubles_up_to_fifteen_seconds(failures: int, seconds: float) -> None:
    assert longest(failures) == seconds


@given(failures=st.integers(0, 10_000), share=st.floats(0, 1))
def test_every_wait_lies_between_the_bounds(failures: int, share: float) -> None:
    wait = jittered(failures, lambda low, high: low + share * (high - low))
    assert MIN_SECONDS <= wait <= min(MAX_SECONDS, 0.25 * 2 ** min(failures, 10))


def test_waits_grow_with_each_failure() -> None:
    backoff = Backoff(highest)
    waits = [backoff.failed(Failure.FELL_SILENT, now=100.0 * n, live_seconds=None) for n in range(8)]
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 15, 15]


def test_a_short_life_does_not_reset_the_wait_and_a_long_one_does() -> None:
    backoff = Backoff(highest)
    assert backoff.failed(Failure.FELL_SILENT, now=0, live_seconds=None) == 0.25
    assert backoff.failed(Failure.FELL_SILENT, now=30, live_seconds=29.9) == 0.5
    assert backoff.failed(Failure.FELL_SILENT, now=70, live_seconds=30) == 0.25


def test_a_goodbye_is_followed_soon_since_a_restart_is_likely() -> None:
    assert Backoff(lowest).failed(Failure.SAID_GOODBYE, now=0, live_seconds=5) == 0.2
    assert Backoff(highest).failed(Failure.SAID_GOODBYE, now=0, live_seconds=5) == 1.0


def test_goodbyes_without_end_are_failures_like_any_other() -> None:
    backoff = Backoff(highest)
    waits = [backoff.failed(Failure.SAID_GOODBYE, now=n, live_seconds=0.1) for n in range(6)]
    assert waits == [1, 1, 1, 2, 4, 8]


def test_while_nothing_listens_the_daemon_is_looked_for_every_second_at_least() -> None:
    backoff = Backoff(highest)
    waits = [backoff.failed(Failure.NOTHING_LISTENS, now=n, live_seconds=None) for n in range(50)]
    assert waits[:3] == [0.25, 0.5, 1]
    assert set(waits[3:]) == {DOWN_SECONDS}


def test_looking_for_a_daemon_does_not_make_the_next_loss_a_longer_one() -> None:
    backoff = Backoff(highest)
    backoff.failed(Failure.FELL_SILENT, now=0, live_seconds=100)
    for n in range(60):
        backoff.failed(Failure.NOTHING_LISTENS, now=n, live_seconds=None)
    assert backoff.attempts == 61
    assert backoff.failed(Failure.FELL_SILENT, now=70, live_seconds=5) == 0.5
    assert backoff.failed(Failure.NOTHING_LISTENS, now=71, live_seconds=None) == 0.25


@pytest.mark.parametrize("failure", [Failure.FELL_SILENT, Failure.SAID_GOODBYE])
def test_of_a_thousand_clients_none_tries_a_server_that_hangs_up_more_than_twelve_times(failure: Failure) -> None:
    counts = []
    for seed in range(1000):
        backoff = Backoff(random.Random(seed).uniform)  # noqa: S311  # repeatable, no secret
        now, attempts = 0.0, 0
        while now < CROWD_SECONDS:
            attempts += 1
            now += backoff.failed(failure, now=now, live_seconds=None)
        counts.append(attempts)
    assert max(counts) == CROWD_ATTEMPTS
    assert min(counts) > 3


@pytest.mark.parametrize("uniform", [lowest, highest])
def test_a_server_that_accepts_and_closes_sees_at_most_twelve_attempts_in_the_first_minute(uniform: Uniform) -> None:
    backoff = Backoff(uniform)
    now, attempts = 0.0, []
    while now < CROWD_SECONDS:
        attempts.append(now)
        now += backoff.failed(Failure.FELL_SILENT, now=now, live_seconds=None)
    assert len(attempts) <= CROWD_ATTEMPTS


@given(waits=st.lists(st.floats(0, 1), min_size=40, max_size=40), goodbye=st.lists(st.booleans(), min_size=40))
def test_no_minute_sees_more_than_twelve_fruitless_connections(waits: list[float], goodbye: list[bool]) -> None:
    shares = iter(waits)
    backoff = Backoff(lambda low, high: low + next(shares) * (high - low))
    now, attempts = 0.0, []
    for said in goodbye[:40]:
        attempts.append(now)
        failure = Failure.SAID_GOODBYE if said else Failure.FELL_SILENT
        now += backoff.failed(failure, now=now, live_seconds=None)
    for first in attempts:
        assert sum(first <= attempt < first + CROWD_SECONDS - 1e-6 for attempt in attempts) <= CROWD_ATTEMPTS


def test_forgetting_begins_anew() -> None:
    backoff = Backoff(highest)
    for n in range(20):
        backoff.failed(Failure.FELL_SILENT, now=n, live_seconds=None)
    backoff.forget()
    assert backoff.failed(Failure.FELL_SILENT, now=21, live_seconds=None) == 0.25
