"""The five-hour windows of Claude Code, cut from the sums by quarter of an hour.

The first response after a window ended begins the next one, at the start of its hour (UTC): so all borders are whole
hours, and the sums by quarter are exact. Where a window begins depends on the one before, back to a pause of five
hours, which no window spans. Both ways are gone in leaps of up to five hours, each one look into the index. Who never
pauses is cut at the start of a week, or each look would go through years.
"""

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from clown_daemon.protocol.resources import PlanWindow
from clown_daemon.store.periods import DAY_MS, HOUR_MS, Span
from clown_daemon.store.usage_spans import Only, read_sums
from clown_daemon.store.usage_sums import Sums

AGENT_ID = "claude"
WINDOW_MS = 5 * HOUR_MS
WEEK_MS = 7 * DAY_MS

Find = Callable[[Span], int | None]
"""Answers a quarter of an hour with usage, within a span; None where there is none."""


class Window(NamedTuple):
    """A window, and what was used in it."""

    start_ms: int
    sums: Sums

    @property
    def end_ms(self) -> int:
        """When it ends."""
        return self.start_ms + WINDOW_MS

    def resource(self) -> PlanWindow:
        """The window as it stands on the wire."""
        return PlanWindow(
            start_ms=self.start_ms,
            end_ms=self.end_ms,
            tokens=self.sums.tokens,
            cost=self.sums.cost,
            responses=self.sums.responses,
            unpriced_responses=self.sums.unpriced_responses,
        )


def window_starts(first_in: Find, last_in: Find, until_ms: int, limit: int) -> list[int]:
    """Answer when the last windows begin, newest first.

    Args:
        first_in: finds the first quarter with usage in a span.
        last_in: finds the last one.
        until_ms: only usage before this instant counts.
        limit: how many windows, at most.
    """
    found: list[int] = []
    before_ms = until_ms
    while len(found) < limit and (last := last_in(Span(0, before_ms))) is not None:
        chain = _chain(first_in, _after_a_pause(first_in, last, limit), last)
        found += reversed(chain)
        before_ms = chain[0]
    return found[:limit]


def _after_a_pause(first_in: Find, last_ms: int, limit: int) -> int:
    """Go back from a quarter to one with no usage in the five hours before it."""
    # Weeks of UTC begin on Thursdays; a whole one before the windows that are wanted is looked at.
    horizon_ms = ((last_ms - limit * WINDOW_MS) // WEEK_MS - 1) * WEEK_MS
    first_ms = last_ms
    while (earlier := first_in(Span(max(horizon_ms, first_ms - WINDOW_MS + 1), first_ms))) is not None:
        first_ms = earlier
    return first_ms


def _chain(first_in: Find, first_ms: int, last_ms: int) -> list[int]:
    """Go from the first quarter of a window to the last quarter, and answer the start of each window, oldest first."""
    starts = []
    quarter: int | None = first_ms
    while quarter is not None:
        starts.append(quarter // HOUR_MS * HOUR_MS)
        quarter = first_in(Span(starts[-1] + WINDOW_MS, last_ms + 1))
    return starts


def read_windows(connection: sqlite3.Connection, profile: str, now_ms: int, limit: int) -> list[Window]:
    """The last windows of a profile that began by now, newest first."""
    condition, values = Only(profile=profile, agent_id=AGENT_ID).condition()

    def find(end: str) -> Find:
        # The quarters of a series are in order, so its first and last one are found without reading what lies between.
        of_series = (
            f"SELECT {end}(quarter_ms) FROM usage_quarters AS of"  # noqa: S608  # our own names
            " WHERE of.series = usage_series.series AND quarter_ms >= ? AND quarter_ms < ?"
        )
        query = f"SELECT {end}(({of_series})) FROM usage_series WHERE {condition}"  # noqa: S608  # our own names

        def found(span: Span) -> int | None:
            quarter: int | None = connection.execute(query, (*span, *values)).fetchone()[0]
            return quarter

        return found

    def read(start_ms: int) -> Window:
        end_ms = min(start_ms + WINDOW_MS, now_ms + 1)
        return Window(start_ms, read_sums(connection, start_ms, end_ms, profile=profile, agent_id=AGENT_ID))

    return [read(start_ms) for start_ms in window_starts(find("min"), find("max"), now_ms + 1, limit)]


def read_active_windows(connection: sqlite3.Connection, now_ms: int, only: str | None = None) -> dict[str, PlanWindow]:
    """The windows that have not ended, by profile: of all profiles, or of one."""
    used_lately = connection.execute(
        "SELECT DISTINCT profile FROM usage_series WHERE agent_id = ? AND last_ms > ? AND responses > 0"
        " AND ifnull(profile = ?, 1) ORDER BY profile",
        (AGENT_ID, now_ms - WINDOW_MS, only),
    ).fetchall()
    newest = {row["profile"]: read_windows(connection, row["profile"], now_ms, 1) for row in used_lately}
    return {profile: found[0].resource() for profile, found in newest.items() if found and found[0].end_ms > now_ms}


def read_users(connection: sqlite3.Connection) -> list[str]:
    """The profiles that ever used Claude Code, sorted."""
    rows = connection.execute(
        "SELECT DISTINCT profile FROM usage_series WHERE agent_id = ? AND responses > 0 ORDER BY profile", (AGENT_ID,)
    )
    return [row["profile"] for row in rows]
