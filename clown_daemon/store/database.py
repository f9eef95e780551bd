"""The database: one thread that writes, one that reads, SQLite in WAL mode.

A change is one synchronous function run in one transaction on the writer thread; the events it records commit with the
rows they describe (transactional outbox). After COMMIT the writer thread itself announces them, so a request that was
cancelled meanwhile cannot commit silently. Nothing can be awaited inside a transaction, so no lock is ever held
across I/O of anybody else.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar

from clown_daemon.clock import Clock
from clown_daemon.errors import StartError, StoreUnavailableError
from clown_daemon.histogram import Histogram
from clown_daemon.protocol.events import EventData, Resource
from clown_daemon.store.event_log import EncodedEvent, EventLog

T = TypeVar("T")

logger = logging.getLogger(__name__)

WAL_BYTES = 8 * 1024 * 1024
"""What a write-ahead log that grew past this (behind a long read) is cut back to at its next start over."""
DISK_FULL_HINT = "free some space; the daemon goes on serving what it knows"


class Transaction:
    """What a change works with: the connection, and `record` for the events that describe the change."""

    def __init__(self, connection: sqlite3.Connection, log: EventLog, now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        """The time of the transaction; all its rows and events carry the same."""
        self._log = log
        self.recorded: list[EncodedEvent] = []

    def record(self, data: EventData, resource: Resource | None) -> int:
        """Record an event in the same transaction and answer its number; `resource` is the whole new state, or None."""
        event = self._log.append(self.connection, data, resource, at_ms=self.now_ms)
        self.recorded.append(event)
        return event.seq


class Database:
    """The open database. Build it with `open_database`; close it with `close`."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        announce: Callable[[Sequence[EncodedEvent]], None],
        writer: sqlite3.Connection,
        reader: sqlite3.Connection,
    ) -> None:
        self.path = path
        self._clock = clock
        self._announce = announce
        self._writer = _Worker("clown-writer", writer)
        self._reader = _Worker("clown-reader", reader)
        self.event_log = EventLog(writer)
        self.write_wait = Histogram()
        """Seconds from asking for a change to its begin on the writer thread."""
        self.write_time = Histogram()
        """Seconds a change took there, with its commit and its announcement."""

    @property
    def log(self) -> str:
        """The identity of the event log."""
        return self.event_log.log

    async def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change in one transaction; its events are announced once it is durable.

        Raises:
            StoreUnavailableError: the disk is full, the file is damaged, or the database is closed; nothing changed.
            Exception: whatever the change itself raised; nothing changed.
        """
        asked = time.perf_counter()

        def timed() -> T:
            began = time.perf_counter()
            self.write_wait.observe(began - asked)
            try:
                return self._transact(change)
            finally:
                self.write_time.observe(time.perf_counter() - began)

        return await self._writer.run(timed)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query in one read transaction: everything it sees is of one instant.

        Raises:
            StoreUnavailableError: the file is damaged, or the database is closed.
        """
        return await self._reader.run(lambda: self._consult(query))

    async def close(self) -> None:
        """Finish what is queued, then close; later calls raise `StoreUnavailableError`."""
        await self._reader.close()
        await self._writer.close()

    def _transact(self, change: Callable[[Transaction], T]) -> T:
        connection = self._writer.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            transaction = Transaction(connection, self.event_log, self._clock.now_ms())
            try:
                result = change(transaction)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self.event_log.forget_uncommitted(connection)
                raise
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the database cannot be written: {error}", hint=DISK_FULL_HINT) from error
        if transaction.recorded:
            self._announce(transaction.recorded)
        return result

    def _consult(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._reader.connection
        try:
            connection.execute("BEGIN")
            try:
                return query(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"the database cannot be read: {error}") from error


async def open_database(
    path: Path, clock: Clock, announce: Callable[[Sequence[EncodedEvent]], None] = lambda _: None
) -> Database:
    """Open or create the database and bring its schema up to date.

    Args:
        path: the file; its folder must exist.
        clock: stamps transactions.
        announce: called on the writer thread with the events of each commit, in order.

    Raises:
        StartError: the file cannot be opened, is damaged, or was written by a newer Clown.
    """
    return await asyncio.to_thread(_open, path, clock, announce)


def _open(path: Path, clock: Clock, announce: Callable[[Sequence[EncodedEvent]], None]) -> Database:
    with contextlib.ExitStack() as opened:
        try:
            writer = opened.enter_context(contextlib.closing(_connect(path)))
            _prepare(writer, path)
            _migrate(writer)
            reader = opened.enter_context(contextlib.closing(_connect(path)))
            _prepare(reader, path)
            reader.execute("PRAGMA query_only = ON")
        except sqlite3.DatabaseError as error:
            raise StartError(
                f"the database {path} cannot be opened: {error}", hint="check the folder's permissions and free space"
            ) from error
        opened.pop_all()  # the workers close them from here on
    return Database(path, clock, announce, writer, reader)


def _connect(path: Path) -> sqlite3.Connection:
    # The connection is made on one thread and used on one other; never on two at once.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    connection.row_factory = sqlite3.Row
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Takes effect in a new file only: what the pruned log leaves can be given back page by page.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")
    # FULL: with NORMAL a power loss could take back an event that a client has seen, and use its number again.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    path.chmod(0o600)


def _migrate(connection: sqlite3.Connection) -> None:
    scripts = sorted(
        (entry for entry in resources.files("clown_daemon.store.migrations").iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    done = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > len(scripts):
        raise StartError(
            f"the database was written by a newer Clown (schema {done}, this one knows {len(scripts)})",
            hint="upgrade Clown, or set CLOWN_HOME to another folder",
        )
    for number, script in enumerate(scripts[done:], start=done + 1):
        connection.executescript(f"BEGIN;\n{script.read_text('utf-8')}\nPRAGMA user_version = {number};\nCOMMIT;")


class _Worker:
    """A thread that owns one connection and runs one job after the other."""

    def __init__(self, name: str, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._jobs: queue.SimpleQueue[
            tuple[Callable[[], object], Callable[[object, BaseException | None], None]] | None
        ]
        self._jobs = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, job: Callable[[], T]) -> T:
        if self._closed:
            raise StoreUnavailableError("the database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: object, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]  # the job's own result

        def reply(result: object, error: BaseException | None) -> None:
            # The loop may be gone when a daemon was torn down in the middle of a job.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, result, error)

        self._jobs.put((job, reply))
        return await future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, reply = item
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001  # handed to the caller, whatever it is
                reply(None, error)
            else:
                reply(result, None)
        self.connection.close()
