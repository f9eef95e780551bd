from clown_daemon.proxies.restarts import CRASHES_ALLOWED, HEALTHY_SECONDS, WINDOW_SECONDS, Restarts


def rests(*at: float, lived: float = 1.0, chance: float = 0.5) -> list[float | None]:
    restarts = Restarts()
    return [restarts.crashed(moment, lived_seconds=lived, chance=chance) for moment in at]


def test_a_rest_doubles_from_crash_to_crash_until_there_is_none() -> None:
    assert rests(0, 1, 2, 3, 4) == [0.25, 0.5, 1.0, 2.0, None]
    assert len(rests(0, 1, 2, 3, 4)) == CRASHES_ALLOWED


def test_chance_spreads_a_rest_by_a_fifth() -> None:
    assert rests(0, chance=0.0) == [0.2]
    assert rests(0, chance=1.0) == [0.3]


def test_a_proxy_that_lived_long_has_no_history() -> None:
    assert rests(0, 1, 2, 3, 4, lived=HEALTHY_SECONDS) == [0.25] * 5


def test_crashes_that_are_long_past_do_not_count() -> None:
    assert rests(*(number * WINDOW_SECONDS for number in range(10))) == [0.25] * 10
