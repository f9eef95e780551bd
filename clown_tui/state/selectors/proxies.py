"""The Proxies pane: one row per proxy, and what Enter tells of its last minutes.

A rate of requests that runs on with the clock would be painted every second. The one shown is the last full minute's,
or the running one's once that has more: it moves with a request and at the turn of a minute, and never overstates.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from clown_daemon.burn import MINUTE_MS
from clown_daemon.protocol.resources import Proxy, ProxyMinute
from clown_tui.formatting import ago, clean, count, duration, plural, spark
from clown_tui.state.model import Model
from clown_tui.state.rows import Cell, Column, Line, Row, Sort, Tone

PROXY_COLUMNS: tuple[Column, ...] = (
    Column("", 1),
    Column("PROFILE", 10, stretch=True),
    Column("PORT", 5, "right", priority=1),
    Column("STATE", 8),
    Column("PID", 7, "right", priority=7),
    Column("REQ/m", 5, "right", priority=4),
    Column("FIRST BYTE", 10, "right", priority=5),
    Column("ERR", 4, "right", priority=2),
    Column("RESTARTS", 8, "right", priority=6),
    Column("ALL REQ", 7, "right", priority=8),
    Column("ALL ERR", 7, "right", priority=9),
    Column("LAST", 12, stretch=True, priority=3),
)
"""`ERR` and `FIRST BYTE` are those of the last 15 minutes, `ALL` since the proxy was first wanted."""

PROXY_SORTS: tuple[Sort, ...] = (
    Sort("PROFILE"),
    Sort("STATE"),
    Sort("PORT"),
    Sort("REQ/m", descending=True),
    Sort("ERR", descending=True),
)

RECENT_MINUTES = 15
"""How far back the daemon tells minutes."""

_ORDER = ("failed", "backing_off", "starting", "stopping", "running", "stopped")


@dataclass(frozen=True, slots=True)
class ProxyWords:
    """The state of a proxy as glyph and word."""

    glyph: str
    word: str
    tone: Tone


_WORDS: dict[str, ProxyWords] = {
    "running": ProxyWords("●", "running", Tone.GOOD),
    "starting": ProxyWords("◐", "start…", Tone.WARN),
    "stopping": ProxyWords("◐", "stop…", Tone.WARN),
    "backing_off": ProxyWords("◐", "back-off", Tone.WARN),
    "failed": ProxyWords("✗", "failed", Tone.BAD),
    "stopped": ProxyWords("○", "stopped", Tone.DIM),
}


def proxy_words(proxy: Proxy) -> ProxyWords:
    """Say a proxy's state."""
    return _WORDS[proxy.status]


def has_proxy(proxy: Proxy) -> bool:
    """Tell whether the profile has a proxy: its agent is started behind one, or one serves."""
    return proxy.enabled or proxy.status != "stopped"


def proxy_rows(model: Model, now_ms: int, *, sort: Sort = PROXY_SORTS[0]) -> tuple[Row, ...]:
    """Answer one row per proxy in the given order."""
    proxies = [model.proxies[profile] for profile in sorted(model.proxies)]
    proxies.sort(key=lambda proxy: _rank(proxy, sort.column, now_ms), reverse=sort.descending)
    return tuple(_row(proxy, now_ms) for proxy in proxies)


def _rank(proxy: Proxy, column: str, now_ms: int) -> tuple[int, str]:
    match column:
        case "STATE":
            return _ORDER.index(proxy.status), ""
        case "PORT":
            return proxy.port or 0, ""
        case "REQ/m":
            return request_rate(proxy, now_ms), ""
        case "ERR":
            return recent_errors(proxy, now_ms), ""
        case _:
            return 0, proxy.profile.casefold()


def _row(proxy: Proxy, now_ms: int) -> Row:
    words = proxy_words(proxy)
    return Row(
        proxy.profile,
        (
            Cell(words.glyph, words.tone),
            Cell(clean(proxy.profile), Tone.STRONG if words.tone is Tone.GOOD else Tone.PLAIN),
            _known(proxy.port),
            Cell(words.word, words.tone),
            _known(proxy.pid),
            _number(request_rate(proxy, now_ms), Tone.ACCENT),
            _first_byte_cell(proxy, now_ms),
            _number(recent_errors(proxy, now_ms), Tone.BAD),
            _number(proxy.restarts, Tone.WARN),
            _number(proxy.requests, Tone.PLAIN),
            _number(proxy.errors, Tone.PLAIN),
            _last(proxy, now_ms),
        ),
    )


def _known(number: int | None) -> Cell:
    return Cell("-", Tone.DIM) if number is None else Cell(str(number))


def _number(number: int, tone: Tone) -> Cell:
    return Cell(count(number), tone if number else Tone.DIM)


def _first_byte_cell(proxy: Proxy, now_ms: int) -> Cell:
    first_ms = recent_first_ms(proxy, now_ms)
    return Cell("-", Tone.DIM) if first_ms is None else Cell(_milliseconds(first_ms))


def _last(proxy: Proxy, now_ms: int) -> Cell:
    """What went wrong while that stands in the way; else how long ago a request was."""
    if proxy.status in {"failed", "backing_off"} and proxy.last_error:
        return Cell(clean(proxy.last_error), Tone.BAD)
    if proxy.last_request_ms is None:
        return Cell("-", Tone.DIM)
    return Cell(ago(proxy.last_request_ms, now_ms), Tone.DIM)


# -- minutes ----------------------------------------------------------------------------------------------------------


def request_rate(proxy: Proxy, now_ms: int) -> int:
    """Answer the requests of the last full minute, or of the running one once there are more of them."""
    return max(minute.requests for minute in _slots(proxy, now_ms)[-2:])


def recent_errors(proxy: Proxy, now_ms: int) -> int:
    """Answer how many requests failed in the last 15 minutes."""
    return sum(minute.errors for minute in _slots(proxy, now_ms))


def recent_first_ms(proxy: Proxy, now_ms: int) -> float | None:
    """Answer how long the first byte took on average in the last 15 minutes, milliseconds; None where none came."""
    timed = [(minute.first_ms, minute.requests) for minute in _slots(proxy, now_ms) if minute.first_ms is not None]
    requests = sum(number for _, number in timed)
    return sum(first_ms * number for first_ms, number in timed) / requests if requests else None


def _slots(proxy: Proxy, now_ms: int) -> tuple[ProxyMinute, ...]:
    """Answer each of the last 15 minutes, oldest first; the last one is still running."""
    found = {minute.start_ms // MINUTE_MS: minute for minute in proxy.minutes}
    this_minute = now_ms // MINUTE_MS
    return tuple(
        found.get(number) or ProxyMinute(number * MINUTE_MS, 0, 0, None)
        for number in range(this_minute - RECENT_MINUTES + 1, this_minute + 1)
    )


def _milliseconds(first_ms: float) -> str:
    if first_ms < 9.95:
        return f"{first_ms:.1f}ms"
    return f"{first_ms:.0f}ms" if first_ms < 999.5 else duration(first_ms / 1000)


def proxy_minutes_lines(proxy: Proxy, now_ms: int) -> tuple[Line, ...]:
    """Draw the last 15 minutes: requests, errors, time to the first byte."""
    slots = _slots(proxy, now_ms)
    requests, errors = [slot.requests for slot in slots], [slot.errors for slot in slots]
    first = [slot.first_ms or 0.0 for slot in slots]
    most = f", at most {count(max(requests))} in a minute" if any(requests) else ""
    mean = recent_first_ms(proxy, now_ms)
    return (
        _drawn("requests", requests, plural(sum(requests), "request") + most, Tone.ACCENT),
        _drawn("errors", errors, plural(sum(errors), "error"), Tone.BAD),
        _drawn("first byte", first, "none came" if mean is None else f"{_milliseconds(mean)} on average", Tone.ACCENT),
    )


def _drawn(name: str, values: Iterable[float], words: str, tone: Tone) -> Line:
    heights = tuple(values)
    return (
        Cell(f"  {name:<24} ", Tone.DIM),
        Cell(spark(heights), tone if any(heights) else Tone.DIM),
        Cell(f"  {words}"),
    )
