"""The rules are rows of `tests/integration/bad_input/frames.txt`; here: pieces of any size are one stream."""

import random

import pytest

from clown_daemon.api.frames import StrictFrames
from tests.support.raw_client import frame

LIMIT = 64 * 1024
STREAM = (
    frame(0x81, b"one")
    + frame(0x01, "€".encode()[:2])
    + frame(0x89, b"ping")
    + frame(0x80, "€".encode()[2:])
    + frame(0x82, b"x" * 70_000)
    + frame(0x8A)
    + frame(0x88, b"\x03\xe8bye")
)
CLEAN = (
    b"\x81\x03one\x89\x04ping\x81\x03\xe2\x82\xac\x82\x7f"
    + (70_000).to_bytes(8)
    + b"x" * 70_000
    + b"\x8a\x00\x88\x05\x03\xe8bye"
)


def test_messages_are_written_anew_whole_and_without_masks() -> None:
    frames = StrictFrames(100_000)
    assert frames.feed(STREAM) == CLEAN
    assert frames.done


def test_a_stream_in_single_bytes_is_the_same_stream() -> None:
    frames = StrictFrames(100_000)
    assert b"".join(frames.feed(STREAM[at : at + 1]) for at in range(len(STREAM))) == CLEAN


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_in_pieces_of_any_size_is_the_same_stream(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # pieces, not secrets
    frames = StrictFrames(100_000)
    out, rest = b"", STREAM
    while rest:
        cut = chance.choice((1, 2, 3, 5, 13, 14, 15, 1000, 65_536))
        out, rest = out + frames.feed(rest[:cut]), rest[cut:]
    assert out == CLEAN


def test_nothing_is_read_after_a_broken_rule() -> None:
    frames = StrictFrames(LIMIT)
    assert frames.feed(frame(0x81, b"a") + frame(0x91, b"b") + frame(0x81, b"c")) == b"\x81\x01a\xf0\x00"
    assert frames.done
    assert frames.feed(frame(0x81, b"d")) == b""


def test_a_rule_is_enforced_before_what_it_forbids_is_kept() -> None:
    announced = StrictFrames(LIMIT)
    assert announced.feed(frame(0x81, length=LIMIT + 1, length_bits=64)[:10]).startswith(b"\x81\x7f\x7f")
    fragments = StrictFrames(LIMIT)
    for number in range(16):
        assert fragments.feed(frame(0x00 if number else 0x01, b"x" * 4096)) == b""
    assert fragments.feed(frame(0x00, b"x")).startswith(b"\x81\x7f\x7f")
