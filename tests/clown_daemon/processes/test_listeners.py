import os
import socket

from clown_daemon.processes.listeners import port_owner


def test_the_owner_of_a_port_is_named() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        owner = port_owner(listening.getsockname()[1])
    assert owner is not None
    assert f"(pid {os.getpid()})" in owner


def test_a_free_port_has_no_owner() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert port_owner(port) is None
