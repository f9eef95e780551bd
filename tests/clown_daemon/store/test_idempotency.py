"""Keys of commands in the database: with the change or not at all, kept for a day, and bounded."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.errors import DomainError
from clown_daemon.protocol.events import ProfileDeleted
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.store import idempotency
from clown_daemon.store.database import Database, Transaction, open_database
from clown_daemon.store.event_log import read_head
from clown_daemon.store.idempotency import (
    MAX_REPLY_BYTES,
    RETENTION_MS,
    Kept,
    Ticket,
    current_ticket,
    forget_key,
    identify,
    keep_reply,
    read_kept,
    read_secret,
)

SECRET = b"s" * 32


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def database(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Database]:
    opened = await open_database(tmp_path / "clown.db", clock)
    yield opened
    await opened.close()


def a_ticket(key: str = "k1", request: bytes = b"POST") -> Ticket:
    return Ticket(identify(SECRET, key, request))


def record(transaction: Transaction) -> int:
    return transaction.record(ProfileDeleted(alias="work"), None)


async def command(database: Database, ticket: Ticket, *changes: object) -> None:
    token = current_ticket.set(ticket)
    try:
        for change in changes:
            await database.write(change)  # type: ignore[arg-type]  # changes of any result
    finally:
        current_ticket.reset(token)


async def kept(database: Database, ticket: Ticket, clock: ManualClock) -> Kept | None:
    return await database.read(partial(read_kept, key=ticket.identity.key, now_ms=clock.now_ms()))


async def test_the_first_change_takes_the_key_along_and_later_ones_do_not(
    database: Database, clock: ManualClock
) -> None:
    ticket = a_ticket()
    await command(database, ticket, record, record)
    assert await kept(database, ticket, clock) == Kept(ticket.identity.request, None, b"")
    assert await database.read(read_head) == 2


async def test_a_change_that_fails_leaves_no_key(database: Database, clock: ManualClock) -> None:
    def fail(transaction: Transaction) -> None:
        record(transaction)
        raise DomainError(ProblemCode.BUSY, "no")

    ticket = a_ticket()
    with pytest.raises(DomainError, match="no"):
        await command(database, ticket, fail)
    assert (await kept(database, ticket, clock), await database.read(read_head)) == (None, 0)
    await command(database, ticket, record)
    assert await kept(database, ticket, clock) is not None


async def test_a_second_command_with_the_key_changes_nothing(database: Database) -> None:
    await command(database, a_ticket(), record)
    with pytest.raises(DomainError) as caught:
        await command(database, a_ticket(), record)
    assert caught.value.code == ProblemCode.IDEMPOTENCY_KEY_REUSED
    assert await database.read(read_head) == 1


async def test_what_is_changed_after_the_command_has_no_key(database: Database, clock: ManualClock) -> None:
    ticket = a_ticket()
    ticket.closed = True
    await command(database, ticket, record)
    assert await kept(database, ticket, clock) is None


async def test_the_reply_is_kept_also_of_a_command_that_changed_nothing(database: Database, clock: ManualClock) -> None:
    changed, unchanged = a_ticket("k1"), a_ticket("k2")
    await command(database, changed, record)
    for ticket in (changed, unchanged):
        await database.write(partial(keep_reply, ticket=ticket, status=200, body=b"{}"))
        assert await kept(database, ticket, clock) == Kept(ticket.identity.request, 200, b"{}")


async def test_a_reply_that_is_too_long_is_not_kept(database: Database, clock: ManualClock) -> None:
    ticket = a_ticket()
    await database.write(partial(keep_reply, ticket=ticket, status=200, body=b"x" * (MAX_REPLY_BYTES + 1)))
    assert await kept(database, ticket, clock) == Kept(ticket.identity.request, None, b"")


async def test_a_key_that_was_freed_can_be_used_again(database: Database) -> None:
    ticket = a_ticket()
    await command(database, ticket, record)
    await database.write(partial(forget_key, ticket=ticket))
    await command(database, a_ticket(), record)
    assert await database.read(read_head) == 2


async def test_a_key_is_forgotten_after_a_day(database: Database, clock: ManualClock) -> None:
    old = a_ticket("old")
    await command(database, old, record)
    clock.advance(RETENTION_MS / 1000 - 0.001)
    assert await kept(database, old, clock) is not None
    clock.advance(0.001)
    assert await kept(database, old, clock) is None
    await command(database, a_ticket("new"), record)
    assert await count(database) == 1


async def test_the_number_of_keys_is_bounded(
    database: Database, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MAX_KEYS", 3)
    tickets = [a_ticket(f"k{number}") for number in range(5)]
    for ticket in tickets:
        await command(database, ticket, record)
    assert await count(database) == 3
    assert [await kept(database, ticket, clock) is not None for ticket in tickets] == [False, False, True, True, True]


async def count(database: Database) -> int:
    query = "SELECT count(*) FROM idempotency_keys"
    return int(await database.read(lambda connection: connection.execute(query).fetchone()[0]))


async def test_keys_outlive_the_daemon_and_the_secret_does_not_change(tmp_path: Path, clock: ManualClock) -> None:
    first = await open_database(tmp_path / "clown.db", clock)
    secret = await first.read(read_secret)
    ticket = Ticket(identify(secret, "k1", b"POST"))
    await command(first, ticket, record)
    await first.close()
    second = await open_database(tmp_path / "clown.db", clock)
    assert await second.read(read_secret) == secret
    assert await kept(second, ticket, clock) is not None
    await second.close()


async def test_each_database_has_a_secret_of_its_own(tmp_path: Path, clock: ManualClock) -> None:
    secrets = set()
    for name in ("one.db", "two.db"):
        opened = await open_database(tmp_path / name, clock)
        secrets.add(await opened.read(read_secret))
        await opened.close()
    assert len(secrets) == 2
    assert all(len(secret) == 32 for secret in secrets)


def test_an_identity_differs_with_every_part_of_the_request() -> None:
    identities = [
        identify(SECRET, "k", b"POST", b"/a", b"{}"),
        identify(SECRET, "k", b"POST", b"/a", b"{ }"),
        identify(SECRET, "k", b"POST", b"/a{", b"}"),
        identify(SECRET, "k", b"DELETE", b"/a", b"{}"),
    ]
    assert len({identity.request for identity in identities}) == len(identities)
    assert len({identity.key for identity in identities}) == 1
    assert identify(SECRET, "other", b"").key != identities[0].key
    assert identify(b"t" * 32, "k", b"").key != identities[0].key
