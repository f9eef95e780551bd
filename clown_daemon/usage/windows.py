"""The five-hour windows that users of a Claude plan reckon with, as callers see them."""

import sqlite3

import msgspec

from clown_daemon.clock import Clock
from clown_daemon.protocol.requests import WindowsQuery
from clown_daemon.protocol.resources import PlanWindowReport
from clown_daemon.store.database import Database
from clown_daemon.store.periods import MINUTE_MS
from clown_daemon.store.usage_spans import Only
from clown_daemon.store.usage_windows import AGENT_ID, Window, read_users, read_windows
from clown_daemon.usage.forecast import Forecast, forecast, usual_of_window
from clown_daemon.usage.known import refuse_unknown_profile


class WindowService:
    """Answers `GET /api/usage/windows`."""

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self, query: WindowsQuery) -> tuple[PlanWindowReport, ...]:
        """The last windows of one profile or of all, newest first.

        Raises:
            DomainError: there is no such profile.
        """
        now_ms = self._clock.now_ms()

        def read(connection: sqlite3.Connection) -> tuple[PlanWindowReport, ...]:
            refuse_unknown_profile(connection, query.profile)
            profiles = read_users(connection) if query.profile is None else [query.profile]
            found = [
                (profile, window)
                for profile in profiles
                for window in read_windows(connection, profile, now_ms, query.limit)
            ]
            found.sort(key=lambda one: (-one[1].start_ms, one[0]))
            return tuple(_report(connection, *one, now_ms) for one in found[: query.limit])

        return await self._database.read(read)


def _report(connection: sqlite3.Connection, profile: str, window: Window, now_ms: int) -> PlanWindowReport:
    active = now_ms < window.end_ms
    ahead = _forecast(connection, profile, window, now_ms) if active else None
    return PlanWindowReport(
        **msgspec.structs.asdict(window.resource()),
        profile=profile,
        active=active,
        minutes_left=-(-(window.end_ms - now_ms) // MINUTE_MS) if active else None,
        **dict.fromkeys(Forecast._fields) if ahead is None else ahead._asdict(),
    )


def _forecast(connection: sqlite3.Connection, profile: str, window: Window, now_ms: int) -> Forecast:
    usual = usual_of_window(window.sums, window.start_ms, now_ms)
    only = Only(profile=profile, agent_id=AGENT_ID)
    return forecast(connection, only, window.sums, usual, now_ms=now_ms, end_ms=window.end_ms)
