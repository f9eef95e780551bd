"""One batch, one transaction: responses, how far the files were read, and the events that say so commit together.

That is what makes an import exactly-once across a `kill -9`: either all of it happened, or the batch is read again.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import NamedTuple

from clown_daemon.protocol.events import UsageImported, UsageImportProgressed, UsageUpdated
from clown_daemon.protocol.resources import UsageImport
from clown_daemon.store.database import Transaction
from clown_daemon.store.ledger import Entry
from clown_daemon.store.usage import Added, add_entries, put_import, put_position, read_one_profile_usage
from clown_daemon.usage.formats.claude import SOURCE
from clown_daemon.usage.pricing import PriceList
from clown_daemon.usage.tailer import Batch


class Recorded(NamedTuple):
    """What a batch added, over all profiles."""

    records: int
    tokens: int
    sessions: frozenset[str]
    changed: bool = False
    """Whether any total changed: a correction adds no record."""


def priced(batch: Batch, prices: PriceList) -> tuple[Entry, ...]:
    """Price what a batch holds; blocking work of some milliseconds, for a thread."""
    return tuple(
        Entry(response, prices.cost(response), part.position.profile)
        for part in batch.parts
        for response in part.responses
    )


def record_batch(
    transaction: Transaction, batch: Batch, entries: Sequence[Entry], zone: tzinfo, *, imported: bool
) -> Recorded:
    """Write a batch and record one `UsageUpdated` for each profile whose totals it changes."""
    added = add_entries(transaction.connection, entries)
    for part in batch.parts:
        put_position(transaction.connection, SOURCE, part.path, part.position)
    record_added(transaction, added, zone, imported=imported)
    return Recorded(
        records=sum(found.responses for found in added.values()),
        tokens=sum(found.tokens.total for found in added.values()),
        sessions=frozenset(session for found in added.values() if found.responses > 0 for session in found.sessions),
        changed=bool(added),
    )


def record_added(transaction: Transaction, added: Mapping[str, Added], zone: tzinfo, *, imported: bool) -> None:
    """Record what was added to each profile, with the profile's totals after it."""
    for profile, found in added.items():
        event = UsageUpdated(
            profile=profile,
            tokens=found.tokens,
            cost=found.cost,
            responses=found.responses,
            models=tuple(sorted(found.models)),
            agent_id=found.agent_id,
            imported=imported,
        )
        transaction.record(event, read_one_profile_usage(transaction.connection, profile, transaction.now_ms, zone))


def record_progress(transaction: Transaction, state: UsageImport) -> None:
    """Keep how far an import has come, and tell it: a snapshot never knows more than the events."""
    put_import(transaction.connection, state)
    told = UsageImportProgressed(source=SOURCE, files_done=state.files_done, files_total=state.files_total)
    transaction.record(told, state)


def record_imported(transaction: Transaction, state: UsageImport) -> None:
    """Keep that an import is done, and tell it."""
    put_import(transaction.connection, state)
    transaction.record(UsageImported(source=SOURCE, records_imported=state.records_imported), state)
