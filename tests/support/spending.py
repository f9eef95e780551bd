"""A ledger on a real database that is spent from, as the followers of logs do it, with everything it recorded."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from clown_daemon.clock import ManualClock
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import BudgetThresholdCrossed, Event
from clown_daemon.protocol.requests import SetBudget
from clown_daemon.protocol.resources import UNATTRIBUTED, Budget, BudgetReport, ProfileUsage
from clown_daemon.protocol.timestamps import epoch_ms
from clown_daemon.store.budgets import read_budgets
from clown_daemon.store.database import Database, Transaction, open_database
from clown_daemon.store.event_log import EncodedEvent
from clown_daemon.store.ledger import Costs, Entry
from clown_daemon.store.usage import add_entries, read_profile_usage
from clown_daemon.usage.budgets import BudgetService
from clown_daemon.usage.recorder import tell_added
from tests.support.ledger import response

NOON = epoch_ms("2026-11-23T12:00:00Z")
PICO_PER_CENT = 10**10
TEN_TOKENS = {"input_tokens": 5, "output_tokens": 5, "cache_read_tokens": 0, "cache_write_5m_tokens": 0}
"""What a response is counted as unless a test says otherwise."""


def priced(cents: int | None) -> Costs | None:
    """What costs so many cents, all of it output; None is an unknown price."""
    pico = (cents or 0) * PICO_PER_CENT
    return None if cents is None else Costs(0, pico, 0, 0, pico, "table")


class Spending:
    """One machine whose clock stands still until told otherwise."""

    def __init__(self, path: Path, clock: ManualClock) -> None:
        self.path = path
        self.clock = clock
        self.events: list[Event] = []
        self.spent = 0
        """How many responses there were."""
        self.database: Database
        self.budgets: BudgetService

    async def open(self) -> None:
        """Begin, or begin again as another process."""
        self.database = await open_database(self.path, self.clock, self._announce)
        self.budgets = BudgetService(database=self.database, clock=self.clock)

    async def restart(self) -> None:
        await self.database.close()
        await self.open()

    def _announce(self, events: Sequence[EncodedEvent]) -> None:
        for encoded in events:
            event = codec.decode_frame(encoded.body)
            assert isinstance(event, Event)
            self.events.append(event)

    async def spend(
        self,
        cents: int | None,
        *,
        profile: str = UNATTRIBUTED,
        imported: bool = False,
        dies: bool = False,
        **parts: Any,
    ) -> None:
        """Add a response.

        Args:
            cents: what it costs; None for an unknown price.
            profile: whose it is.
            imported: whether it is a back-fill.
            dies: whether the process ends before the commit.
            parts: of the response; without a `key` it is a new one, now.
        """
        self.spent += 1
        agent_id = parts.get("agent_id", "claude")
        key = f"{agent_id}|{parts.pop('key', f'r{self.spent}')}"
        told = response(key, **{"at_ms": self.clock.now_ms(), **TEN_TOKENS, **parts})

        def change(transaction: Transaction) -> None:
            added = add_entries(transaction.connection, [Entry(told, priced(cents), profile)])
            tell_added(transaction, added, self.clock.zone, imported=imported)
            if dies:
                raise SystemExit

        try:
            await self.database.write(change)
        except SystemExit:
            assert dies

    async def limit(self, cents: int | None = None, **parts: Any) -> BudgetReport:
        """Set a budget in cents a day, unless `parts` say otherwise."""
        usd = {} if cents is None else {"limit_usd": f"{cents / 100:.2f}"}
        body = {"period": "day", **usd, **parts}
        return await self.budgets.set(codec.decode_body(codec.encode(body), SetBudget))

    @property
    def alerts(self) -> list[tuple[str, int]]:
        """The budget and threshold of every alert so far."""
        data = (event.data for event in self.events)
        return [(one.id, one.threshold_percent) for one in data if isinstance(one, BudgetThresholdCrossed)]

    def followed(self) -> tuple[Budget, ...]:
        """The budgets of a client that followed the events from the first one."""
        held: dict[str, Budget] = {}
        for event in self.events:
            if event.type.startswith("Budget"):
                assert event.resource is None or isinstance(event.resource, Budget)
                if event.resource is None:
                    held.pop(event.data.id, None)  # type: ignore[union-attr]  # the group has an id
                else:
                    held[event.resource.id] = event.resource
        return tuple(held[key] for key in sorted(held))

    async def fresh(self) -> tuple[Budget, ...]:
        """The budgets of a client that reads the snapshot now."""
        return await self.database.read(
            lambda connection: read_budgets(connection, self.clock.now_ms(), self.clock.zone)
        )

    async def totals(self) -> tuple[ProfileUsage, ...]:
        return await self.database.read(
            lambda connection: read_profile_usage(connection, self.clock.now_ms(), self.clock.zone)
        )


@asynccontextmanager
async def spending(folder: Path, *, at_ms: int = NOON, zone_name: str = "UTC") -> AsyncIterator[Spending]:
    """A ledger without any usage."""
    purse = Spending(folder / "clown.db", ManualClock(at_ms, zone_name))
    await purse.open()
    try:
        yield purse
    finally:
        await purse.database.close()
