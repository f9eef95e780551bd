import pytest

from clown_daemon.api.subscription import ALL, DOCUMENTED, Allowance, Subscription
from clown_daemon.protocol.codec import DecodeError
from clown_daemon.protocol.names import UnknownNameError


def test_the_first_subscribe_narrows_and_later_ones_add() -> None:
    first = Subscription().subscribe(["ProfileCreated"])
    assert first.names == {"ProfileCreated"}
    assert first.subscribe(["ProfileDeleted"]).listed == ("ProfileCreated", "ProfileDeleted")


def test_a_star_restores_everything() -> None:
    again = Subscription().subscribe(["ProfileCreated"]).subscribe(["*"])
    assert again.names == ALL
    assert again.filter is None


def test_unsubscribe_removes_from_everything_and_may_leave_nothing() -> None:
    left = Subscription().unsubscribe(["Usage*", "@profiles"])
    assert not {name for name in left.names if name.startswith(("Usage", "Profile"))}
    assert left.unsubscribe(["*"]).names == frozenset()
    assert left.unsubscribe(["*"]).subscribe(["UsageUpdated"]).names == {"UsageUpdated"}


def test_plain_clients_get_the_seventeen_documented_types() -> None:
    assert len(DOCUMENTED) == 17


def test_a_typo_changes_nothing() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Subscription().subscribe(["ProfileCreated", "ProfileCrated"])
    assert caught.value.unknown == ("ProfileCrated",)
    assert caught.value.nearest == "ProfileCreated"


@pytest.mark.parametrize(
    ("names", "code", "field"),
    [
        ([], "invalid_field", "events"),
        (["*"] * 65, "too_many_names", "events"),
        (["*", "x" * 101], "invalid_field", "events[1]"),
    ],
)
def test_bounds_of_names(names: list[str], code: str, field: str) -> None:
    with pytest.raises(DecodeError) as caught:
        Subscription().subscribe(names)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_a_burst_of_forty_then_twenty_a_second() -> None:
    allowance = Allowance(0.0)
    assert [allowance.take(0.0) for _ in range(40)] == [0] * 40
    assert allowance.take(0.0) == 50
    assert [allowance.take(1.0) for _ in range(21)] == [0] * 20 + [50]


def test_a_hundred_errors_a_minute_are_borne() -> None:
    allowance = Allowance(0.0)
    assert not any(allowance.count_error(now * 0.1) for now in range(100))
    assert allowance.count_error(11.0)
    calm = Allowance(0.0)
    assert not any(calm.count_error(float(now)) for now in range(500))
