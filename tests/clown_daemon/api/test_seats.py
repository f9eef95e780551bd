import contextlib

import pytest

from clown_daemon.api.seats import NoSeatError, Seats


def test_without_the_token_the_kept_places_cannot_be_taken_and_with_it_all_can() -> None:
    seats = Seats(total=3, reserved=1)
    with seats.taken(has_token=False), seats.taken(has_token=False):
        with pytest.raises(NoSeatError), seats.taken(has_token=False):
            pass
        with seats.taken(has_token=True), pytest.raises(NoSeatError), seats.taken(has_token=True):
            pass
    with contextlib.ExitStack() as holders:
        for _ in range(3):
            holders.enter_context(seats.taken(has_token=True))
        with pytest.raises(NoSeatError), seats.taken(has_token=False):
            pass


def test_a_place_is_free_again_however_its_holder_ended() -> None:
    seats = Seats(total=1, reserved=0)
    with pytest.raises(RuntimeError), seats.taken(has_token=False):
        raise RuntimeError
    with seats.taken(has_token=False):
        pass
