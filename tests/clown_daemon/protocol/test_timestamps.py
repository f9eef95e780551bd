import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.protocol.timestamps import epoch_ms, rfc3339


def test_the_form_of_the_documented_examples() -> None:
    assert rfc3339(1_767_868_200_999) == "2026-01-08T10:30:00Z"


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2026-01-08T10:30:00Z", 1_767_868_200_000),
        ("2026-01-08T12:30:00.123456+02:00", 1_767_868_200_123),
        ("1969-12-31T23:59:59.5Z", -500),
    ],
)
def test_any_offset_and_fraction_is_read(text: str, at_ms: int) -> None:
    assert epoch_ms(text) == at_ms


@pytest.mark.parametrize("text", ["", "yesterday", "2026-01-08T10:30:00", "2026-13-01T00:00:00Z"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        epoch_ms(text)


@given(st.integers(0, 4_000_000_000))
def test_whole_seconds_survive(seconds: int) -> None:
    assert epoch_ms(rfc3339(seconds * 1000)) == seconds * 1000
