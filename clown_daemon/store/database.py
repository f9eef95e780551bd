"""The database: one thread that writes, one that reads, SQLite in WAL mode.

A change is one synchronous function run in one transaction on the writer thread; the events it records commit with the
rows they describe (transactional outbox). After COMMIT the writer thread itself announces them, so a request that was
cancelled meanwhile cannot commit silently. Nothing can be awaited inside a transaction, so no lock is ever held
across I/O of anybody else.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from clown_daemon.clock import Clock
from clown_daemon.errors import StoreUnavailableError
from clown_daemon.histogram import Histogram
from clown_daemon.protocol.events import EventData, Resource
from clown_daemon.store.connection import connect, is_damage, is_outage
from clown_daemon.store.event_log import EncodedEvent, EventLog
from clown_daemon.store.idempotency import current_ticket
from clown_daemon.store.opening import Opened, open_file
from clown_daemon.store.repair import look_for_damage
from clown_daemon.store.worker import Worker

T = TypeVar("T")

logger = logging.getLogger(__name__)

OUTAGE_HINT = "free some space and look after the disk; the daemon goes on serving what it knows and tries again"
DAMAGE_HINT = "restart the daemon: it moves the damaged file aside and saves what can be read of it"


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
        self, path: Path, clock: Clock, announce: Callable[[Sequence[EncodedEvent]], None], opened: Opened
    ) -> None:
        self.path = path
        self._clock = clock
        self._announce = announce
        self._writer = Worker("clown-writer", opened.writer)
        self._reader = Worker("clown-reader", opened.reader)
        self._witness = opened.witness
        self._notices = opened.notices
        self._checked = opened.checked
        self._outage: str | None = None
        """Why the last change was refused by the machine; the next one that is written ends it."""
        self._damage: str | None = None
        """What was found damaged; ends with the process."""
        self._closed = False
        self.event_log = EventLog(opened.statement.log, opened.statement.head)
        self.write_wait = Histogram()
        """Seconds from asking for a change to its begin on the writer thread."""
        self.write_time = Histogram()
        """Seconds a change took there, with its commit and its announcement."""

    @property
    def log(self) -> str:
        """The identity of the event log."""
        return self.event_log.log

    @property
    def problems(self) -> tuple[str, ...]:
        """What does not work right now, and what was repaired at the start; one sentence each."""
        return tuple(sentence for sentence in (*self._notices, self._damage, self._outage) if sentence is not None)

    def now_ms(self) -> int:
        """The time that a change would carry now; for what happened before it can be written."""
        return self._clock.now_ms()

    async def write(self, change: Callable[[Transaction], T]) -> T:
        """Run a change in one transaction; its events are announced once it is durable.

        Raises:
            StoreUnavailableError: the disk is full, the file is damaged, or the database is closed; nothing changed.
            Exception: whatever the change itself raised; nothing changed.
        """
        asked = time.perf_counter()
        ticket = current_ticket.get()

        def timed() -> T:
            began = time.perf_counter()
            self.write_wait.observe(began - asked)
            try:
                return self._transact(change) if ticket is None else ticket.carry(change, self._transact)
            finally:
                self.write_time.observe(time.perf_counter() - began)

        return await self._writer.run(timed)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query in one read transaction: everything it sees is of one instant.

        Raises:
            StoreUnavailableError: the file is damaged, or the database is closed.
        """
        return await self._reader.run(lambda: self._consult(query))

    async def check(self) -> None:
        """Look at every page if the start did not, on a thread of its own; damage becomes one of the `problems`."""
        if self._checked:
            return
        checker = Worker("clown-checker", await asyncio.to_thread(connect, self.path))
        try:
            found = await checker.run(lambda: look_for_damage(checker.connection))
        finally:
            # Nobody may have the file open when its end is noted, also when this was cancelled.
            checker.connection.interrupt()
            await checker.close()
        self._checked = True
        if found is not None:
            self._found_damage(found)

    async def close(self) -> None:
        """Finish what is queued, then close; later calls raise `StoreUnavailableError`."""
        if self._closed:
            return
        self._closed = True
        await self._reader.close()
        await self._writer.close()
        await asyncio.to_thread(self._leave)

    def _transact(self, change: Callable[[Transaction], T]) -> T:
        if self._damage is not None:
            raise StoreUnavailableError(self._damage, hint=DAMAGE_HINT)
        connection = self._writer.connection
        before = connection.total_changes
        try:
            transaction, result = self._commit(connection, change)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            if is_damage(error):
                self._found_damage(str(error))
                raise StoreUnavailableError(str(self._damage), hint=DAMAGE_HINT) from error
            sentence = f"the database cannot be written: {error}"
            if is_outage(error):
                self._outage = sentence
            raise StoreUnavailableError(sentence, hint=OUTAGE_HINT) from error
        if connection.total_changes != before:
            self._outage = None
        if transaction.recorded:
            self._witness.saw(self.event_log.head)
            self._announce(transaction.recorded)
        return result

    def _commit(self, connection: sqlite3.Connection, change: Callable[[Transaction], T]) -> tuple[Transaction, T]:
        if connection.in_transaction:  # the rollback of the last one failed too
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
        transaction = Transaction(connection, self.event_log, self._clock.now_ms())
        try:
            result = change(transaction)
            connection.execute("COMMIT")
        except BaseException:
            self.event_log.forget_uncommitted()
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self.event_log.keep()
        return transaction, result

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
            if is_damage(error):
                self._found_damage(str(error))
                raise StoreUnavailableError(str(self._damage), hint=DAMAGE_HINT) from error
            raise StoreUnavailableError(f"the database cannot be read: {error}", hint=OUTAGE_HINT) from error

    def _found_damage(self, what: str) -> None:
        """Refuse changes from now on, and let the next start know; reads go on as far as they work."""
        if self._damage is not None:
            return
        self._damage = f"the database is damaged ({what}): nothing can be changed until the daemon is restarted"
        logger.error("%s", self._damage)
        try:
            self._witness.suspect()
        except OSError as error:
            logger.error("the next start will not know of the damage: %s", error)  # noqa: TRY400  # the cause is in it

    def _leave(self) -> None:
        """Note that nobody else wrote the file after us; without that note the next start trusts the head alone."""
        try:
            if self._damage is None:
                self._witness.closed(self.path.stat().st_ctime_ns)
        except OSError as error:
            logger.warning("the end of the database could not be noted: %s", error)
        finally:
            self._witness.close()


async def open_database(
    path: Path, clock: Clock, announce: Callable[[Sequence[EncodedEvent]], None] = lambda _: None
) -> Database:
    """Open or create the database and bring its schema up to date; a damaged one is replaced (see `problems`).

    Args:
        path: the file; its folder must exist.
        clock: stamps transactions.
        announce: called on the writer thread with the events of each commit, in order.

    Raises:
        StartError: the file cannot be opened, or was written by a newer Clown.
    """
    return Database(path, clock, announce, await asyncio.to_thread(open_file, path))
