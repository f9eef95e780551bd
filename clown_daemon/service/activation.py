"""Socket activation: listening sockets that a service manager opened and passed on (`man sd_listen_fds`).

The manager keeps the sockets while no daemon runs, so nobody who connects is refused: the kernel lets them wait until
the next daemon accepts. The protocol is three variables and descriptors from 3 on; no library is needed.
"""

import contextlib
import os
import socket
from collections.abc import MutableMapping, Sequence

from clown_daemon.errors import StartError

_FIRST_DESCRIPTOR = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
_LOOPBACK = ("127.0.0.1", "::1")
_HINT = "the socket unit must say ListenStream=127.0.0.1:PORT and may add [::1]:PORT; clown-daemon service writes it"


def inherited_sockets(environ: MutableMapping[str, str]) -> tuple[socket.socket, ...]:
    """Take over the sockets that were passed to this process, none if none were.

    The variables leave `environ` and no child inherits the descriptors: both are meant for this process alone.

    Raises:
        StartError: what was passed is not a set of listening sockets on one port of loopback alone.
    """
    values = {name: environ.pop(name, "") for name in _VARIABLES}
    if values["LISTEN_PID"] != str(os.getpid()):
        return ()  # meant for another process, which forgot to remove them
    count = values["LISTEN_FDS"]
    if not count.isdecimal():
        raise StartError(f"LISTEN_FDS is {count!r}, which is no number of sockets", hint=_HINT)
    descriptors = range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + int(count))
    with contextlib.ExitStack() as opened:
        sockets = tuple(opened.enter_context(_adopt(descriptor)) for descriptor in descriptors)
        _check_together(sockets)
        opened.pop_all()  # they fit; only now they stay open
    return sockets


def _adopt(descriptor: int) -> socket.socket:
    try:
        adopted = socket.socket(fileno=descriptor)
    except OSError as error:
        raise StartError(
            f"descriptor {descriptor}, passed by the service manager, is no socket: {error.strerror}", hint=_HINT
        ) from error
    try:
        adopted.set_inheritable(False)
        adopted.setblocking(False)
        _check(adopted, descriptor)
    except StartError:
        adopted.close()
        raise
    return adopted


def _check(adopted: socket.socket, descriptor: int) -> None:
    if adopted.family not in {socket.AF_INET, socket.AF_INET6} or adopted.type != socket.SOCK_STREAM:
        raise StartError(f"descriptor {descriptor}, passed by the service manager, is no TCP socket", hint=_HINT)
    if not adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise StartError(
            f"descriptor {descriptor}, passed by the service manager, does not listen", hint="Accept=no is needed"
        )
    host = adopted.getsockname()[0]
    if host not in _LOOPBACK:
        raise StartError(
            f"the service manager passed a socket on {host}; Clown listens on 127.0.0.1 and ::1 alone", hint=_HINT
        )


def _check_together(sockets: Sequence[socket.socket]) -> None:
    addresses = [adopted.getsockname()[:2] for adopted in sockets]
    if sockets and "127.0.0.1" not in {host for host, _ in addresses}:
        raise StartError("the service manager passed no socket on 127.0.0.1", hint=_HINT)
    ports = sorted({port for _, port in addresses})
    if len(ports) > 1:
        raise StartError(f"the service manager passed sockets on several ports: {ports}", hint=_HINT)
