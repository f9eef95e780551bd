"""The changes that runs make to the books: synchronous functions, each run in one transaction with its event."""

from clown_daemon.protocol.events import ProfileStarted, ProfileStopped
from clown_daemon.protocol.resources import RunState
from clown_daemon.store.database import Transaction
from clown_daemon.store.profiles import read_profile, set_last_used
from clown_daemon.store.proxied_runs import begin_proxied_run, end_proxied_run
from clown_daemon.store.runs import close_run, insert_run, read_last_sign_of_life, set_running


def open_run(
    transaction: Transaction, alias: str, run_id: str, *, interactive: bool = False, proxied: bool = False
) -> None:
    """Write down that a child is about to be spawned, behind its proxy or not; nothing is published of it yet."""
    insert_run(transaction.connection, run_id, alias, now_ms=transaction.now_ms, interactive=interactive)
    if proxied:
        begin_proxied_run(transaction.connection, run_id, alias, now_ms=transaction.now_ms)


def record_start(transaction: Transaction, alias: str, run_id: str, *, pid: int, process_start: float | None) -> None:
    """Publish that a run has begun."""
    set_running(transaction.connection, run_id, pid=pid, process_start=process_start)
    set_last_used(transaction.connection, alias, now_ms=transaction.now_ms)
    profile = read_profile(transaction.connection, alias)
    transaction.record(ProfileStarted(alias=alias, pid=pid, run_id=run_id), profile)


def record_end(transaction: Transaction, alias: str, run_id: str, *, exit_code: int | None, ended_ms: int) -> None:
    """Publish that a run has ended; that may be long after it did."""
    set_last_used(transaction.connection, alias, now_ms=ended_ms)
    _close(transaction, alias, run_id, "exited", ended_ms=ended_ms, exit_code=exit_code)


def record_failure(transaction: Transaction, alias: str, run_id: str, error: str) -> None:
    """Publish that a run could not start at all."""
    _close(transaction, alias, run_id, "failed", ended_ms=transaction.now_ms, error=error)


def record_loss(transaction: Transaction, alias: str, run_id: str) -> None:
    """Publish that a run ended while no daemon watched; it counts up to the last sign of a daemon's life."""
    ended_ms = read_last_sign_of_life(transaction.connection)
    _close(transaction, alias, run_id, "lost", ended_ms=ended_ms)


def _close(
    transaction: Transaction,
    alias: str,
    run_id: str,
    state: RunState,
    *,
    ended_ms: int,
    exit_code: int | None = None,
    error: str | None = None,
) -> None:
    end_proxied_run(transaction.connection, run_id, ended_ms=ended_ms)
    seconds = close_run(transaction.connection, run_id, state, ended_ms=ended_ms, exit_code=exit_code, error=error)
    stopped = ProfileStopped(alias=alias, exit_code=exit_code, runtime_secs=seconds, run_id=run_id, error=error)
    transaction.record(stopped, read_profile(transaction.connection, alias))
