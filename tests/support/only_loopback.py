"""A network in which there is nothing but loopback, and a name server there that remembers what it was asked.

Linux has it, for root. The calling thread moves into a network namespace of its own; so does whatever it starts
meanwhile, threads and programs alike, and nothing else of this process.
"""

import asyncio
import contextlib
import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

NAMESPACE = Path("/proc/thread-self/ns/net")
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, SIOCSIFADDR = 0x8914, 0x8916
IFF_UP = 1
NO_SUCH_NAME = 0x8183
"""The flags of an answer: it is one, recursion was wanted and is there, and the name is not."""


def reason_against() -> str | None:
    """Why there cannot be such a network here, or None."""
    if sys.platform != "linux":
        return "only Linux has networks of a program's own"
    return None if os.geteuid() == 0 else "only root may make a network"


class Names(asyncio.DatagramProtocol):
    """The names that programs asked for; there is never one of that name."""

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # which it says of none of its own

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        name, question = _read_question(data)
        self.asked.add(name)
        head = struct.pack(">2sHHHHH", data, NO_SUCH_NAME, 1, 0, 0, 0)
        assert self._transport is not None  # it was made before anything came
        self._transport.sendto(head + question, addr)


@contextlib.asynccontextmanager
async def only_loopback() -> AsyncIterator[Names]:
    """Be in such a network; answer the names that are asked for there."""
    library = ctypes.CDLL(None, use_errno=True)
    names = Names()
    before = os.open(NAMESPACE, os.O_RDONLY)
    _check(library.unshare(CLONE_NEWNET))
    try:
        _control("lo", SIOCSIFFLAGS, struct.pack("H", IFF_UP))
        async with contextlib.AsyncExitStack() as servers:
            for number, address in enumerate(_name_servers()):
                # Programs go on to ask whom they asked before, who is here now.
                _control(f"lo:{number}", SIOCSIFADDR, struct.pack("HH4s", socket.AF_INET, 0, socket.inet_aton(address)))
                loop = asyncio.get_running_loop()
                transport, _ = await loop.create_datagram_endpoint(lambda: names, local_addr=(address, 53))
                servers.callback(transport.close)
            yield names
    finally:
        _check(library.setns(before, CLONE_NEWNET))
        os.close(before)


def _name_servers() -> list[str]:
    """Those of this machine, as far as they have an IPv4 address."""
    lines = Path("/etc/resolv.conf").read_text("utf-8").splitlines()
    found = [line.split()[1] for line in lines if line.startswith("nameserver ")]
    return [address for address in found if ":" not in address]


def _read_question(message: bytes) -> tuple[str, bytes]:
    """Read the one question of a message: its name, and the question as it stands there (RFC 1035, section 4)."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("ascii", "replace"))
        at += 1 + message[at]
    return ".".join(labels), message[12 : at + 5]


def _control(interface: str, request: int, argument: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anything:
        fcntl.ioctl(anything, request, struct.pack("16s24s", interface.encode(), argument))


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
