"""Who may come in: each row of `access_matrix.txt` against real daemons, by programs of this user and of another."""

import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.other_user import NOBODY, RawCaller, raw_caller
from tests.support.real_daemon import RealDaemon, running_daemon

TABLE = Path(__file__).with_name("access_matrix.txt")
UPGRADE = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
BODY = "Content-Type: application/json\r\nContent-Length: 2\r\n"
MODES = ("auto", "token", "off")
OTHER = pytest.param("other", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"))


@dataclass(frozen=True)
class Row:
    auth: str
    caller: str
    token: str
    request: str
    host: str
    origin: str
    expected: str


def _rows() -> Iterator[Row]:
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            yield Row(*(cell.strip() for cell in line.split(" | ")))


ROWS = tuple(_rows())


def test_the_table_has_every_kind_of_caller_in_every_mode_and_no_row_twice() -> None:
    assert len(ROWS) >= 200
    assert len(set(ROWS)) == len(ROWS)
    assert {(row.auth, row.caller.rstrip("6")) for row in ROWS} == {(m, c) for m in MODES for c in ("own", "other")}


@pytest_asyncio.fixture(params=MODES, scope="module", loop_scope="module")
async def daemon(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RealDaemon]:
    environ = {"CLOWN_AUTH": request.param, "CLOWN_ALLOWED_ORIGINS": "http://127.0.0.1:3000"}
    async with running_daemon(tmp_path_factory.mktemp(request.param), **environ) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("caller", ["own", OTHER])
async def test_everybody_gets_what_the_table_says(daemon: RealDaemon, caller: str) -> None:
    token = (daemon.state_dir / "token").read_text().strip()
    mode = daemon.environ["CLOWN_AUTH"]
    callers = {caller, f"{caller}6"} if has_ipv6() else {caller}
    rows = [row for row in ROWS if row.auth == mode and row.caller in callers]
    wrong = []
    with raw_caller(NOBODY if caller == "other" else None) as program:
        for row in rows:
            got = _call(program, row, daemon.port, token)
            if got != row.expected:
                wrong.append((row, got))
    assert wrong == []
    # Whoever was refused has changed nothing, and neither has whoever was let in: no row makes a profile.
    headers = {"Authorization": f"Bearer {token}"}
    assert (await daemon.call("GET", "/api/profiles", headers=headers)).json()["data"] == []


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def _call(program: RawCaller, row: Row, port: int, token: str) -> str:
    address = "::1" if row.caller.endswith("6") else "127.0.0.1"
    answer = program.call(address, port, _request(row, port, token))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"access-control" not in head.lower()
    status = head.split(b" ", 2)[1].decode()
    with contextlib.suppress(ValueError):
        return " ".join(filter(None, (status, json.loads(body).get("code"))))
    return status


def _request(row: Row, port: int, token: str) -> bytes:
    method, target = row.request.split(" ")
    lines = [f"{method} {target} HTTP/1.1"]
    if row.host != "-":
        lines += [f"Host: {host}" for host in row.host.replace("own", "127.0.0.1:{port}").split(" && ")]
    if row.origin != "-":
        lines += [f"Origin: {origin}" for origin in row.origin.split(" && ")]
    lines += TOKENS[row.token]
    text = "\r\n".join(lines) + "\r\n"
    text += UPGRADE if target.partition("?")[0].endswith("/ws") else ""
    sends_body = method == "POST"
    text += BODY if sends_body else ""
    # A word of the table is filled in last: a `{` of the body is none.
    filled = text.replace("{port}", str(port)).replace("{token}", token).replace("{half}", token[:20])
    return (filled + "\r\n" + ("{}" if sends_body else "")).encode()


TOKENS = {
    "none": [],
    "right": ["Authorization: Bearer {token}"],
    "wrong": ["Authorization: Bearer AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
    "basic": ["Authorization: Basic {token}"],
    "bare": ["Authorization: {token}"],
    "lower": ["Authorization: bearer {token}"],
    "empty": ["Authorization: Bearer"],
    "half": ["Authorization: Bearer {half}"],
    "longer": ["Authorization: Bearer {token}A"],
    "twice": ["Authorization: Bearer {token}", "Authorization: Bearer {token}"],
}
"""What stands in the column `token`."""
