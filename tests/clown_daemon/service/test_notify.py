"""What the service manager is told, on real datagram sockets."""

import logging
import os
import secrets
import sys
from pathlib import Path

import pytest

from clown_daemon.service.notify import Notifier
from tests.support.activation import notify_socket

URL = "http://127.0.0.1:8765"


def test_the_manager_is_told_the_beginning_and_the_end(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    environ = {"NOTIFY_SOCKET": address, "HOME": "/h"}
    with notify_socket(address) as manager:
        notifier = Notifier(environ)
        notifier.ready(URL)
        assert manager.recv(1000) == b"READY=1\nSTATUS=listening on http://127.0.0.1:8765"
        notifier.stopping("idle_timeout")
        assert manager.recv(1000) == b"STOPPING=1\nSTATUS=stopping: idle_timeout"
    assert environ == {"HOME": "/h"}, "agents could speak for the daemon"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has abstract addresses")
def test_an_abstract_address_has_no_file() -> None:
    name = f"clown-{os.getpid()}-{secrets.token_hex(4)}"
    with notify_socket(f"\0{name}") as manager:
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready(URL)
        assert manager.recv(1000).startswith(b"READY=1\n")


def test_a_manager_that_is_gone_is_a_warning_and_no_failure(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready(URL)
    assert "cannot be told" in caplog.text


def test_without_a_manager_nobody_is_told(caplog: pytest.LogCaptureFixture) -> None:
    notifier = Notifier({})
    notifier.ready(URL)
    notifier.stopping("stop")
    assert not caplog.records
