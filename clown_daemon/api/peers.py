"""Whose connection it is: the kernel names the user of the socket at the other end (Linux, NETLINK_SOCK_DIAG).

Both ends of a loopback connection live in this kernel, so it knows who made the other one. One question about one
connection costs about 10 µs and no file is read; `/proc/net/tcp` would be read whole.
Source of the layouts: linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h.
"""

import asyncio
import errno
import logging
import os
import socket
import struct
from collections.abc import Callable
from weakref import WeakKeyDictionary

from aiohttp import web

logger = logging.getLogger(__name__)

Address = tuple[str, int]
"""A host in digits, and a port."""
Lookup = Callable[[Address, Address], int | None]
"""Names the user of the socket at the first address that is connected to the second; None when nobody can know."""

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLMSG_ERROR = 2
_NLM_F_REQUEST = 1
_ALL_STATES = 0xFFFFFFFF
_NO_COOKIE = 0xFFFFFFFF
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBBI")
_PORTS = struct.Struct("!HH16s16s")
_PLACE = struct.Struct("=III")
_ANSWER = struct.Struct("=BBBB")
_OWNER = struct.Struct("=IIIII")
_PORTS_AT = _HEADER.size + _ANSWER.size
_OWNER_AT = _PORTS_AT + _PORTS.size + _PLACE.size
_ANSWER_BYTES = 8192
_MAPPED = bytes(10) + b"\xff\xff"
_CONNECTED = frozenset({1, 4, 5, 8, 9, 11})
"""ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, LAST_ACK, CLOSING (net/tcp_states.h). Not SYN_SENT, which is not the
other end of anything yet; not LISTEN, which the kernel answers when no connection fits; not TIME_WAIT, which nobody
holds."""


class LookupUnavailableError(Exception):
    """This platform, or this sandbox, does not name the users of sockets.

    Attributes:
        everywhere: True when no machine with this operating system does.
    """

    def __init__(self, message: str, *, everywhere: bool = False) -> None:
        self.everywhere = everywhere
        super().__init__(message)


class SocketDiagnosis:
    """Asks the kernel. Close it when done; it never blocks, since the kernel answers while the question is sent."""

    def __init__(self) -> None:
        """Open the channel, and try it on a connection of our own.

        Raises:
            LookupUnavailableError: there is none, or it does not tell the truth about ourselves.
        """
        if not hasattr(socket, "AF_NETLINK"):
            raise LookupUnavailableError("this operating system has no such lookup", everywhere=True)
        try:
            self._channel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
        except OSError as error:
            raise LookupUnavailableError(f"the kernel refuses the lookup: {error.strerror}") from error
        self._channel.setblocking(False)
        self._sequence = 0
        try:
            self._try()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the channel back."""
        self._channel.close()

    def user_of(self, there: Address, here: Address) -> int | None:
        """The user id of the socket at `there` that is connected to `here`; None when it is closed or cannot be seen.

        Raises:
            OSError: the kernel does not answer.
        """
        family = socket.AF_INET6 if ":" in there[0] else socket.AF_INET
        ends = (there[1], here[1], _packed(family, there[0]), _packed(family, here[0]))
        self._sequence += 1
        body = (
            _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, _ALL_STATES)
            + _PORTS.pack(*ends)
            + _PLACE.pack(0, _NO_COOKIE, _NO_COOKIE)
        )
        length = _HEADER.size + len(body)
        head = _HEADER.pack(length, _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, self._sequence & 0xFFFFFFFF, 0)
        self._channel.sendto(head + body, (0, 0))
        while True:
            answer = self._channel.recv(_ANSWER_BYTES)
            # What is left of an earlier question, one that failed between asking and reading, is passed over.
            if _HEADER.unpack_from(answer)[3] == self._sequence & 0xFFFFFFFF:
                return _user(answer, ends)

    def _try(self) -> None:
        try:
            with (
                socket.create_server(("127.0.0.1", 0)) as server,
                socket.create_connection(server.getsockname(), timeout=5) as client,
            ):
                named = self.user_of(client.getsockname(), client.getpeername())
        except OSError as error:
            raise LookupUnavailableError(f"the kernel refuses the lookup: {error.strerror}") from error
        if named != os.geteuid():
            raise LookupUnavailableError("the kernel does not name the user of our own connection")


class Callers:
    """Tells our own user's connections from all others, by asking the kernel once for each."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._own_user = os.geteuid()
        # The other end of a connection cannot change, so its user is asked for once. Only answers are kept: who is
        # unknown now is asked for again.
        self._users: WeakKeyDictionary[asyncio.BaseTransport, int] = WeakKeyDictionary()

    def is_ours(self, request: web.Request) -> bool:
        """Whether our own user is at the other end. False also when nobody can know: the caller is gone, say."""
        transport = request.transport
        if transport is None:
            return False
        user = self._users.get(transport)
        if user is None:
            user = self._ask(transport)
            if user is None:
                return False
            self._users[transport] = user
        return user == self._own_user

    def _ask(self, transport: asyncio.Transport) -> int | None:
        connection = transport.get_extra_info("socket")
        try:
            user = self._lookup(connection.getpeername()[:2], connection.getsockname()[:2])
            # A caller can reset its connection and leave its request behind, and another user's program may then get
            # the same port. Only while our end lives is its other end the one that was named; asked after, not before.
            connection.getpeername()
        except OSError as error:
            logger.debug("the user of a connection is unknown: %s", error)
            return None
        return user


def _packed(family: int, host: str) -> bytes:
    return socket.inet_pton(family, host).ljust(16, b"\0")


def _user(answer: bytes, ends: tuple[int, int, bytes, bytes]) -> int | None:
    kind = _HEADER.unpack_from(answer)[1]
    if kind == _NLMSG_ERROR:
        code = -struct.unpack_from("=i", answer, _HEADER.size)[0]
        if code == errno.ENOENT:
            return None
        raise OSError(code, os.strerror(code))
    _, state, _, _ = _ANSWER.unpack_from(answer, _HEADER.size)
    sport, dport, source, destination = _PORTS.unpack_from(answer, _PORTS_AT)
    *_, uid, inode = _OWNER.unpack_from(answer, _OWNER_AT)
    # A program may reach an IPv4 address with an IPv6 socket; the kernel then tells its ends as mapped addresses.
    if (sport, dport, _plain(source), _plain(destination)) != ends or state not in _CONNECTED:
        return None
    # Nobody holds a closed socket: its uid is 0 or a memory, and says nothing. It is unknown, not root.
    return int(uid) if inode else None


def _plain(address: bytes) -> bytes:
    return address[12:].ljust(16, b"\0") if address.startswith(_MAPPED) else address
