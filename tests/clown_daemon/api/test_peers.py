import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from clown_daemon.api import peers
from clown_daemon.api.peers import LookupUnavailableError, SocketDiagnosis
from tests.support.other_user import NOBODY, needs_other_user

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux names the users of sockets")

LOOPBACKS = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.fixture
def diagnosis() -> Iterator[SocketDiagnosis]:
    with closing(SocketDiagnosis()) as opened:
        yield opened


def connection(family: int, host: str) -> tuple[socket.socket, socket.socket]:
    """The two ends of one: the caller's, and ours."""
    with socket.create_server((host, 0), family=socket.AddressFamily(family)) as server:
        caller = socket.create_connection((host, server.getsockname()[1]))
        ours, _ = server.accept()
        return caller, ours


def user_of(diagnosis: SocketDiagnosis, ours: socket.socket) -> int | None:
    return diagnosis.user_of(ours.getpeername()[:2], ours.getsockname()[:2])


@pytest.mark.parametrize(("family", "host"), LOOPBACKS)
def test_the_user_at_the_other_end_is_named(diagnosis: SocketDiagnosis, family: int, host: str) -> None:
    caller, ours = connection(family, host)
    with caller, ours:
        assert user_of(diagnosis, ours) == os.geteuid()


@pytest.mark.parametrize(("family", "host"), LOOPBACKS)
def test_a_caller_that_only_ended_its_sending_is_still_named(
    diagnosis: SocketDiagnosis, family: int, host: str
) -> None:
    caller, ours = connection(family, host)
    with caller, ours:
        caller.shutdown(socket.SHUT_WR)
        assert user_of(diagnosis, ours) == os.geteuid()


def test_an_ipv6_socket_that_reached_an_ipv4_address_is_named(diagnosis: SocketDiagnosis) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as caller,
    ):
        caller.connect(("::ffff:127.0.0.1", server.getsockname()[1]))
        ours, _ = server.accept()
        with ours:
            assert user_of(diagnosis, ours) == os.geteuid()


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(("family", "host"), LOOPBACKS)
def test_a_caller_that_is_gone_is_unknown_and_not_root(
    diagnosis: SocketDiagnosis, family: int, host: str, *, reset: bool
) -> None:
    caller, ours = connection(family, host)
    there, here = ours.getpeername()[:2], ours.getsockname()[:2]
    with ours:
        if reset:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.close()
        assert diagnosis.user_of(there, here) is None


def test_a_listener_on_the_port_of_a_caller_that_is_gone_is_not_taken_for_it(diagnosis: SocketDiagnosis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert diagnosis.user_of(listener.getsockname(), ("127.0.0.1", 1)) is None


def test_an_answer_that_was_not_read_is_not_taken_for_the_next_one(diagnosis: SocketDiagnosis) -> None:
    caller, ours = connection(*LOOPBACKS[0])
    with caller, ours:
        channel = diagnosis._channel
        fields = (4 + 16, peers._SOCK_DIAG_BY_FAMILY, peers._NLM_F_REQUEST, 999, 0)
        channel.sendto(struct.pack("=IHHII4x", *fields), (0, 0))
        assert user_of(diagnosis, ours) == os.geteuid()


@needs_other_user
def test_another_user_is_named(diagnosis: SocketDiagnosis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        pid = os.fork()
        if pid == 0:
            os.setuid(NOBODY)
            with socket.create_connection(server.getsockname()) as caller:
                caller.recv(1)
            os._exit(0)
        ours, _ = server.accept()
        with ours:
            assert user_of(diagnosis, ours) == NOBODY
        os.waitpid(pid, 0)


def test_a_sandbox_that_refuses_the_lookup_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(socket, "socket", refused)
    with pytest.raises(LookupUnavailableError, match="Operation not permitted") as caught:
        SocketDiagnosis()
    assert not caught.value.everywhere


def test_an_operating_system_without_the_lookup_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "AF_NETLINK")
    with pytest.raises(LookupUnavailableError) as caught:
        SocketDiagnosis()
    assert caught.value.everywhere


def test_a_kernel_that_does_not_name_ourselves_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(LookupUnavailableError, match="does not name the user"):
        SocketDiagnosis()
