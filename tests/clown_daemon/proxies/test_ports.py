import errno
import os
import socket

import pytest

from clown_daemon.proxies import ports
from clown_daemon.proxies.ports import PortError, bind, bind_free


def port_of(listening: socket.socket) -> int:
    return int(listening.getsockname()[1])


def test_a_bound_socket_listens_on_loopback_alone() -> None:
    with bind(0) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        with socket.create_connection(("127.0.0.1", port_of(listening))):
            pass


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])  # somebody else's
def test_a_port_that_somebody_listens_on_is_refused_with_its_owner(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as taken:
        try:
            taken.bind((address, 0))
        except OSError:
            pytest.skip("no IPv6 here")
        taken.listen()
        port = port_of(taken)
        with pytest.raises(PortError, match=rf"^Port {port} already in use by .*\(pid {os.getpid()}\)$") as caught:
            bind(port)
    assert caught.value.hint is not None


def test_a_port_can_be_bound_again_right_after_it_was_used() -> None:
    with bind(0) as listening:
        port = port_of(listening)
        with socket.create_connection(("127.0.0.1", port)), listening.accept()[0] as accepted:
            accepted.close()
    with bind(port):
        pass


def test_a_port_that_may_not_be_used_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(number: int) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(ports, "_listen", lambda _: refused(errno.EACCES))
    with pytest.raises(PortError, match="port 80 may not be used by you"):
        bind(80)
    monkeypatch.setattr(ports, "_listen", lambda _: refused(errno.ENOBUFS))
    with pytest.raises(PortError, match="port 80 cannot be used: No buffer space"):
        bind(80)


def test_the_first_port_that_nobody_has_is_taken() -> None:
    with bind(0) as taken:
        first = port_of(taken)
        others = {first + 1}
        with bind_free((first, first + 50), others) as listening:
            assert port_of(listening) > first + 1


def test_a_range_without_a_free_port_is_said() -> None:
    with bind(0) as taken:
        port = port_of(taken)
        with pytest.raises(PortError, match=f"no port from {port} to {port} is free"):
            bind_free((port, port), ())
    with pytest.raises(PortError, match="is free"):
        bind_free((port, port), {port})
