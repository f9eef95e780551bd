"""The listening sockets of proxies, bound here and handed over: a proxy that is started anew refuses nobody meanwhile.

A profile keeps its port, since a running agent has it in its environment. Loopback alone.
"""

import errno
import socket
from collections.abc import Collection

from clown_daemon.errors import ClownError
from clown_daemon.processes.listeners import port_owner

HOST = "127.0.0.1"
BACKLOG = 1024
DEFAULT_RANGE = (8080, 8180)


class PortError(ClownError):
    """No socket could be bound."""


def bind(port: int) -> socket.socket:
    """Bind and listen on one port.

    Raises:
        PortError: somebody has it; the sentence names who where the kernel tells.
    """
    try:
        return _listen(port)
    except OSError as error:
        if error.errno == errno.EACCES:
            raise PortError(f"port {port} may not be used by you", hint="choose one above 1023") from error
        if error.errno != errno.EADDRINUSE:
            raise PortError(f"port {port} cannot be used: {error.strerror}") from error
        owner = port_owner(port)
        raise PortError(
            f"Port {port} already in use" + (f" by {owner}" if owner else ""),
            hint="end that program, or choose another port for this proxy",
        ) from error


def bind_free(between: tuple[int, int], taken: Collection[int]) -> socket.socket:
    """Bind the first free port of a range.

    Args:
        between: the first and the last.
        taken: ports that belong to other profiles, whether those run now or not.

    Raises:
        PortError: there is none.
    """
    first, last = between
    for port in range(first, last + 1):
        if port in taken:
            continue
        try:
            return _listen(port)
        except OSError:
            continue
    raise PortError(f"no port from {first} to {last} is free", hint="widen proxy_ports in the configuration")


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Without it a port would be taken for a minute by connections that have ended; a live listener still refuses.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(BACKLOG)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening
