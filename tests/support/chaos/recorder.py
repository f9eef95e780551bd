"""A passive client that writes down everything a daemon tells, from its start to its end and over its restarts.

It runs on a thread of its own, so it needs no event loop and hears also what a test's blocked loop would miss. It keeps
no daemon from idling, shows its token (so it takes no place that another client needs), and resumes where it was.
"""

import contextlib
import json
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.support.chaos.history import CommittedLog, Connected, Disconnected, Greeted, History, SnapshotRead, Told

CLIENT = "recorder"
OPEN_SECONDS = 10.0
END_SECONDS = 10.0
"""How long the end of a stream may take once its daemon is gone."""


class Recorder:
    """Records one daemon into a history.

    Attributes:
        history: what was heard.
    """

    def __init__(self, state_dir: Path) -> None:
        self.history = History()
        self._state_dir = state_dir
        self._connection = 0
        self._thread: threading.Thread | None = None

    def begin(self, port: int) -> None:
        """Connect to a daemon that has just started, and read its snapshot; blocks until it greeted."""
        heard = [entry for entry in self.history.of(Greeted, Told) if entry.client == CLIENT]
        since, log = (heard[-1].seq, heard[-1].log) if heard else (None, None)
        resume = "" if since is None else f"&since={since}&log={log}"
        try:
            stream = connect(
                f"ws://127.0.0.1:{port}/ws?hello=1&passive=1{resume}",
                additional_headers=self._headers(),
                proxy=None,
                compression=None,
                ping_interval=None,
                open_timeout=OPEN_SECONDS,
            )
        except (OSError, WebSocketException):
            return  # it ended, or is made to refuse: there is nothing to record
        self._connection += 1
        self.history.add(Connected(client=CLIENT, connection=self._connection, since=since, log=log))
        greeted = threading.Event()
        listen = _listener(stream, self.history, self._connection, greeted)
        self._thread = threading.Thread(target=listen, name="recorder", daemon=True)
        self._thread.start()
        greeted.wait(OPEN_SECONDS)
        self.read_snapshot(port)

    def read_snapshot(self, port: int) -> None:
        """Read the snapshot of a daemon that may already be gone."""
        asked_at = time.monotonic()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/snapshot", headers=self._headers())  # http
        with (
            contextlib.suppress(OSError, urllib.error.URLError),
            _opener().open(request, timeout=OPEN_SECONDS) as reply,
        ):
            self.history.add(SnapshotRead(client=CLIENT, asked_at=asked_at, data=json.load(reply)["data"]))

    def end(self) -> None:
        """Wait for the end of the stream of a daemon that is gone, and read what its log holds."""
        if self._thread is not None:
            self._thread.join(END_SECONDS)
            self._thread = None
        self.history.committed = read_log(self._state_dir / "clown.db")

    def _headers(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {(self._state_dir / 'token').read_text().strip()}"}
        except FileNotFoundError:
            return {}


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _listener(
    stream: ClientConnection, history: History, connection: int, greeted: threading.Event
) -> Callable[[], None]:
    def listen() -> None:
        code: int | None = None
        with stream:
            try:
                while True:
                    payload = stream.recv()
                    assert isinstance(payload, str)
                    history.frame(CLIENT, connection, payload)
                    greeted.set()
            except ConnectionClosed as error:
                code = None if error.rcvd is None else error.rcvd.code
        history.add(Disconnected(client=CLIENT, connection=connection, code=code))
        greeted.set()

    return listen


def read_log(file: Path) -> CommittedLog | None:
    """Read the whole event log from its file; None when there is no database that could be read.

    What a killed daemon left half done must be found by the next one, so nothing is mended here: read only.
    """
    if not file.exists():
        return None
    opened = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(opened) as connection:
        (log,) = connection.execute("SELECT log FROM log_identity").fetchone()
        rows = connection.execute("SELECT seq, type, body FROM events ORDER BY seq").fetchall()
        head = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
        last = 0 if head is None else int(head[0])
        return CommittedLog(
            log=log,
            floor=rows[0][0] - 1 if rows else last,
            head=last,
            bodies={seq: bytes(body).decode() for seq, _, body in rows},
            types={seq: kind for seq, kind, _ in rows},
        )
    return None
