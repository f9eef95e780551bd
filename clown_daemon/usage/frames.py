"""What the daemon and its workers say to each other: msgpack in frames with a head.

Both are of one version, since the daemon starts its workers from the code it runs: nothing here has to be compatible.
The head says how many logs are finished, so that a frame can wait for its turn undecoded.
"""

import struct
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from clown_daemon.usage.pricing import Table
from clown_daemon.usage.reader import Answer, Task

HEAD = struct.Struct(">II")
"""The length of what follows, and how many logs of the job are finished with it."""


class Setup(NamedTuple):
    """The first frame to a worker; it answers with `READY`."""

    prices: tuple[Table, ...]


class Job(NamedTuple):
    """Every other frame to a worker: logs to read, in this order."""

    tasks: tuple[Task, ...]


READY = Answer((), (), 0)
"""What a worker sends first."""

encode = msgspec.msgpack.Encoder().encode
decode_setup = msgspec.msgpack.Decoder(Setup).decode
decode_job = msgspec.msgpack.Decoder(Job).decode
decode_answer = msgspec.msgpack.Decoder(Answer).decode


def framed(message: Setup | Job | Answer, finished: int = 0) -> bytes:
    """Answer a message with its head before it."""
    body = encode(message)
    return HEAD.pack(len(body), finished) + body


def read_frame(read: Callable[[int], bytes]) -> bytes | None:
    """Read what the next frame holds; None at the end, also where it comes in the middle of one.

    Args:
        read: waits until there are as many bytes, or the end.
    """
    head = read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    length, _ = HEAD.unpack(head)
    body = read(length)
    return body if len(body) == length else None
