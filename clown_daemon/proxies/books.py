"""The changes that proxies make to the books: synchronous functions, each run in one transaction with its event."""

from clown_daemon.protocol.events import (
    ProxyDeleted,
    ProxyError,
    ProxyMetered,
    ProxyStarted,
    ProxyStopped,
    ProxyUpdated,
)
from clown_daemon.protocol.resources import ProxySettings, ProxyState
from clown_daemon.store import proxies as store
from clown_daemon.store.database import Transaction


def record_settings(transaction: Transaction, profile: str, settings: ProxySettings) -> None:
    """Write down how a proxy is set, and publish it if that is another way than before.

    Raises:
        sqlite3.IntegrityError: the port belongs to another profile.
    """
    before = store.read_settings(transaction.connection, profile)
    changes = [name for name in ProxySettings.__struct_fields__ if getattr(before, name) != getattr(settings, name)]
    if changes:
        store.put_settings(transaction.connection, profile, settings)
        _updated(transaction, profile, changes)


def record_starting(transaction: Transaction, profile: str, settings: ProxySettings) -> None:
    """Publish that a start was asked for; what went wrong before does not count any more."""
    store.put_settings(transaction.connection, profile, settings)
    store.set_starting(transaction.connection, profile)
    _updated(transaction, profile, ["status"])


def record_start(
    transaction: Transaction, profile: str, port: int, *, pid: int, process_start: float | None, restarts: int
) -> None:
    """Publish that a proxy answers."""
    store.set_running(
        transaction.connection,
        profile,
        pid=pid,
        process_start=process_start,
        restarts=restarts,
        now_ms=transaction.now_ms,
    )
    resource = store.read_proxy(transaction.connection, profile)
    transaction.record(ProxyStarted(profile=profile, port=port, pid=pid), resource)


def record_stop(transaction: Transaction, profile: str, exit_code: int | None, status: ProxyState) -> None:
    """Publish that a proxy ended, and what comes next: `stopped`, `backing_off` or `failed`."""
    store.set_ended(transaction.connection, profile, status)
    resource = store.read_proxy(transaction.connection, profile)
    transaction.record(ProxyStopped(profile=profile, exit_code=exit_code), resource)


def record_error(transaction: Transaction, profile: str, error: str, status: ProxyState) -> None:
    """Publish that a proxy cannot serve."""
    store.set_ended(transaction.connection, profile, status, error=error)
    resource = store.read_proxy(transaction.connection, profile)
    transaction.record(ProxyError(profile=profile, error=error), resource)


def record_refused_start(transaction: Transaction, profile: str, settings: ProxySettings, error: str) -> None:
    """Publish that a proxy was not started at all."""
    store.put_settings(transaction.connection, profile, settings)
    record_error(transaction, profile, error, "failed")


def record_traffic(transaction: Transaction, profile: str) -> None:
    """Publish what went through a proxy since the last time; nothing where nothing did."""
    requests, errors = store.count_traffic(transaction.connection, profile)
    if requests:
        resource = store.read_proxy(transaction.connection, profile)
        transaction.record(ProxyMetered(profile=profile, requests=requests, errors=errors), resource)


def record_deletion(transaction: Transaction, profile: str) -> None:
    """Publish that there is no proxy any more, where there was one."""
    if store.delete_proxy(transaction.connection, profile):
        transaction.record(ProxyDeleted(profile=profile), None)


def _updated(transaction: Transaction, profile: str, changes: list[str]) -> None:
    resource = store.read_proxy(transaction.connection, profile)
    transaction.record(ProxyUpdated(profile=profile, changes=tuple(sorted(changes))), resource)
