"""Commands with a key: each is carried out once, and its first reply is kept for a retry.

The key is recorded in the same transaction as the first change of its command. So the key is there exactly when
something was changed, also after a `kill -9`. How the transaction knows of the key: the command runs in a context that
holds its `Ticket`, and `Database.write` asks for it.
"""

import hmac
import sqlite3
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from clown_daemon.errors import DomainError
from clown_daemon.protocol.endpoint import KEY_HEADER, KEY_HOURS
from clown_daemon.protocol.problems import ProblemCode

if TYPE_CHECKING:
    from clown_daemon.store.database import Transaction

T = TypeVar("T")
Change = Callable[["Transaction"], T]

RETENTION_MS = KEY_HOURS * 3_600_000
MAX_KEYS = 10_000
"""Of more keys, the oldest are forgotten before their time."""
MAX_REPLY_BYTES = 64 * 1024
"""A longer reply is not kept; its retry is told so. All but that of a detection are below 1 KiB."""


class Identity(NamedTuple):
    """What a command with a key is recognised by: nothing can be read from it."""

    key: bytes
    request: bytes


class Kept(NamedTuple):
    """What is known of a key."""

    request: bytes
    status: int | None
    """None when no reply was kept."""
    body: bytes


class Ticket:
    """A command with a key while it is carried out. `carry` is for the writer thread alone."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self.recorded = False
        """Whether the key is in the database, with everything that the command has changed so far."""
        self.closed = False
        """Set at the end of the command: what its tasks change later is not of it any more."""

    def carry(self, change: Change[T], transact: Callable[[Change[T]], T]) -> T:
        """Run a change of the command; the first one that commits takes the key along."""
        if self.recorded or self.closed:
            return transact(change)

        def both(transaction: "Transaction") -> T:
            _insert(transaction, self.identity)
            return change(transaction)

        result = transact(both)
        self.recorded = True
        return result


current_ticket: ContextVar[Ticket | None] = ContextVar("current_ticket", default=None)
"""The command on whose behalf the running code acts."""


def identify(secret: bytes, key: str, *request: bytes) -> Identity:
    """Make the identity of a command.

    Args:
        secret: from `read_secret`.
        key: as the caller sent it.
        request: the parts that must be the same in a retry.
    """
    whole = b"".join(len(part).to_bytes(8, "big") + part for part in request)
    return Identity(
        key=hmac.digest(secret, b"key:" + key.encode(), "sha256"),
        request=hmac.digest(secret, b"request:" + whole, "sha256"),
    )


def read_secret(connection: sqlite3.Connection) -> bytes:
    """The secret of this database."""
    return bytes(connection.execute("SELECT secret FROM idempotency_secret").fetchone()["secret"])


def read_kept(connection: sqlite3.Connection, key: bytes, *, now_ms: int) -> Kept | None:
    """What is known of a key; None when it is new, or older than it is kept."""
    row = connection.execute(
        "SELECT request, status, body FROM idempotency_keys WHERE key = ? AND at_ms > ?", (key, now_ms - RETENTION_MS)
    ).fetchone()
    return None if row is None else Kept(row["request"], row["status"], row["body"] or b"")


def keep_reply(transaction: "Transaction", ticket: Ticket, status: int, body: bytes) -> None:
    """Keep the reply of a command, with its key if that is not recorded yet."""
    if not ticket.recorded:
        _insert(transaction, ticket.identity)
    if len(body) <= MAX_REPLY_BYTES:
        transaction.connection.execute(
            "UPDATE idempotency_keys SET status = ?, body = ? WHERE key = ?", (status, body, ticket.identity.key)
        )


def forget_key(transaction: "Transaction", ticket: Ticket) -> None:
    """Make a key free again: its command was refused and has changed nothing."""
    transaction.connection.execute("DELETE FROM idempotency_keys WHERE key = ?", (ticket.identity.key,))


def _insert(transaction: "Transaction", identity: Identity) -> None:
    connection, now_ms = transaction.connection, transaction.now_ms
    connection.execute("DELETE FROM idempotency_keys WHERE at_ms <= ?", (now_ms - RETENTION_MS,))
    connection.execute(
        "DELETE FROM idempotency_keys WHERE number <= (SELECT max(number) FROM idempotency_keys) - ?", (MAX_KEYS - 1,)
    )
    added = connection.execute(
        "INSERT INTO idempotency_keys (key, request, at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (identity.key, identity.request, now_ms),
    )
    if not added.rowcount:
        # Whoever carries a command out looked before; this is the lock behind that door.
        raise DomainError(ProblemCode.IDEMPOTENCY_KEY_REUSED, f"another request has this {KEY_HEADER}")
