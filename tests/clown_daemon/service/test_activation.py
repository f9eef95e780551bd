"""Sockets that a service manager passes: which are taken, which are refused, and that nobody else gets them."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from clown_daemon.service.activation import inherited_sockets
from tests.support.activation import activate
from tests.support.real_daemon import clean_environment


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_variables_for_another_process_are_removed_and_nothing_is_taken() -> None:
    environ = {
        "LISTEN_PID": str(os.getpid() + 1),
        "LISTEN_FDS": "1",
        "LISTEN_FDNAMES": "x",
        "LISTEN_PIDFDID": "7",
        "HOME": "/h",
    }
    assert inherited_sockets(environ) == ()
    assert environ == {"HOME": "/h"}
    assert inherited_sockets({}) == ()


async def refusal(tmp_path: Path, passed: list[int], **environ: str) -> str:
    """Start the daemon with descriptors it must refuse; answers its words."""
    process = await activate({**clean_environment(tmp_path), **environ}, passed, cwd=tmp_path)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1, err.decode()
    assert "Traceback" not in err.decode()
    assert "hint:" in err.decode()
    return err.decode()


async def test_a_socket_on_another_address_is_refused(tmp_path: Path, stack: ExitStack) -> None:
    own = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    open_to_all = stack.enter_context(socket.create_server(("0.0.0.0", 0)))
    words = await refusal(tmp_path, [own.fileno(), open_to_all.fileno()])
    assert "passed a socket on 0.0.0.0; Clown listens on 127.0.0.1 and ::1 alone" in words


async def test_a_socket_that_does_not_listen_is_refused(tmp_path: Path, stack: ExitStack) -> None:
    bound = stack.enter_context(socket.socket())
    bound.bind(("127.0.0.1", 0))
    assert "descriptor 3, passed by the service manager, does not listen" in await refusal(tmp_path, [bound.fileno()])


async def test_what_is_no_tcp_socket_is_refused(tmp_path: Path, stack: ExitStack) -> None:
    local = stack.enter_context(socket.socket(socket.AF_UNIX))
    local.bind(str(tmp_path / "local"))
    local.listen()
    assert "is no TCP socket" in await refusal(tmp_path, [local.fileno()])
    file = stack.enter_context((tmp_path / "file").open("w"))
    assert "is no socket" in await refusal(tmp_path, [file.fileno()])


async def test_sockets_on_several_ports_are_refused(tmp_path: Path, stack: ExitStack) -> None:
    two = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
    assert "sockets on several ports" in await refusal(tmp_path, [one.fileno() for one in two])


async def test_the_documented_address_must_be_among_them(tmp_path: Path, stack: ExitStack) -> None:
    try:
        six = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    assert "passed no socket on 127.0.0.1" in await refusal(tmp_path, [six.fileno()])


async def test_a_count_that_is_none_is_refused(tmp_path: Path) -> None:
    assert "LISTEN_FDS is 'many'" in await refusal(tmp_path, [], LISTEN_FDS="many")
