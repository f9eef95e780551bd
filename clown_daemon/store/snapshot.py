"""The snapshot: everything a dashboard shows, read in one transaction and stamped with its log and number."""

import sqlite3
from collections.abc import Callable, Iterable
from datetime import timedelta, tzinfo

from clown_daemon.clock import start_of_day_ms
from clown_daemon.protocol.resources import Daemon, Provider, Snapshot
from clown_daemon.store import agents, budgets, profiles, proxies, usage
from clown_daemon.store.event_log import read_head, read_identity


def read_snapshot(
    connection: sqlite3.Connection,
    *,
    now_ms: int,
    zone: tzinfo,
    zone_name: str,
    daemon: Callable[[], Daemon],
    providers: Iterable[Provider],
) -> Snapshot:
    """Read the whole state of one instant; call it inside one read transaction.

    Args:
        connection: in a read transaction.
        now_ms: where `today`, `week`, `month` and the time lines end.
        zone: the user's; days are cut in it.
        zone_name: its IANA name.
        daemon: answers what the daemon knows of itself; asked once the transaction has begun, so that it is never older
            than `seq`.
        providers: the catalogue's; they change only with a restart.
    """
    today = start_of_day_ms(now_ms, zone)
    # 36 hours on is within the next day also when this one has 23 or 25.
    tomorrow = start_of_day_ms(today + round(timedelta(hours=36).total_seconds() * 1000), zone)
    # The first read fixes the instant that the transaction sees.
    head = read_head(connection)
    return Snapshot(
        log=read_identity(connection),
        seq=head,
        at_ms=now_ms,
        time_zone=zone_name,
        valid_until_ms=tomorrow,
        daemon=daemon(),
        agents=agents.read_agents(connection),
        providers=tuple(sorted(providers, key=lambda provider: provider.id)),
        profiles=profiles.read_profiles(connection),
        proxies=proxies.read_proxies(connection),
        registry=None,
        usage=usage.read_profile_usage(connection, now_ms, zone),
        imports=usage.read_imports(connection),
        budgets=budgets.read_budgets(connection, now_ms, zone),
    )
