import pytest

from clown_daemon.cursor import HIGH_WATER_BYTES, Cursor
from clown_daemon.ring import Batch


class Socket:
    """Keeps what is written until it is told how much leaves."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.closing = False

    def write(self, data: bytes) -> None:
        self.kept += data

    def get_write_buffer_size(self) -> int:
        return len(self.kept)

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True


@pytest.fixture
def socket() -> Socket:
    return Socket()


@pytest.fixture
def cursor(socket: Socket) -> Cursor:
    return Cursor(socket, 0, None, passive=False)


def test_a_batch_moves_the_cursor_and_counts(cursor: Cursor, socket: Socket) -> None:
    cursor.take(Batch(b"abc", 2, 7))
    assert (cursor.seq, cursor.sent, bytes(socket.kept)) == (7, 2, b"abc")


def test_nothing_is_written_once_the_connection_ends(cursor: Cursor, socket: Socket) -> None:
    socket.closing = True
    cursor.take(Batch(b"abc", 2, 7))
    assert socket.kept == b""


def test_a_client_is_full_above_the_mark(cursor: Cursor) -> None:
    cursor.write(b"x" * HIGH_WATER_BYTES)
    assert not cursor.full
    cursor.write(b"x")
    assert cursor.full


def test_who_has_nothing_to_take_is_never_stuck(cursor: Cursor) -> None:
    assert [cursor.stuck_seconds(now) for now in (0, 5, 50)] == [0, 0, 0]


def test_who_takes_nothing_is_stuck_from_the_first_look(cursor: Cursor) -> None:
    cursor.write(b"x" * 10)
    assert [cursor.stuck_seconds(now) for now in (3, 4, 9)] == [0, 1, 6]


def test_what_is_added_is_no_progress(cursor: Cursor) -> None:
    cursor.write(b"x" * 10)
    cursor.stuck_seconds(0)
    cursor.write(b"a heartbeat")
    assert cursor.stuck_seconds(6) == 6


def test_one_byte_that_leaves_is_progress_whatever_is_added(cursor: Cursor, socket: Socket) -> None:
    cursor.write(b"x" * 10)
    cursor.stuck_seconds(0)
    del socket.kept[:1]
    cursor.write(b"y" * 5000)
    assert [cursor.stuck_seconds(now) for now in (9, 12)] == [0, 3]


def test_who_took_all_begins_anew(cursor: Cursor, socket: Socket) -> None:
    cursor.write(b"x" * 10)
    cursor.stuck_seconds(0)
    socket.kept.clear()
    cursor.stuck_seconds(8)
    cursor.write(b"x" * 10)
    assert [cursor.stuck_seconds(now) for now in (5000, 5003)] == [0, 3]
