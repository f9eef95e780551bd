"""Rows of the Proxies pane."""

from clown_daemon.protocol.resources import Proxy
from clown_tui.formatting import clean
from clown_tui.state.model import Model
from clown_tui.state.rows import Cell, Column, Row, Tone
from clown_tui.state.selectors.profiles import Sort

PROXY_COLUMNS: tuple[Column, ...] = (
    Column("", 1),
    Column("PROFILE", 12, stretch=True),
    Column("PORT", 5, "right"),
    Column("STATE", 8),
    Column("TRIES", 5, "right", priority=1),
    Column("LAST ERROR", 20, stretch=True, priority=2),
)

PROXY_SORTS: tuple[Sort, ...] = (Sort("PROFILE"), Sort("STATE"), Sort("PORT"))

_WORDS: dict[str, tuple[str, str, Tone]] = {
    "running": ("●", "running", Tone.GOOD),
    "starting": ("◐", "start…", Tone.WARN),
    "stopping": ("◐", "stop…", Tone.WARN),
    "backing_off": ("◐", "waits", Tone.WARN),
    "failed": ("✗", "failed", Tone.BAD),
    "stopped": ("○", "stopped", Tone.DIM),
}
_ORDER = ("failed", "backing_off", "starting", "stopping", "running", "stopped")


def proxy_rows(model: Model, now_ms: int, *, sort: Sort = PROXY_SORTS[0]) -> tuple[Row, ...]:
    """Answer one row per proxy in the given order."""
    del now_ms  # a selector of rows has one signature; this one shows nothing that ages
    proxies = sorted(model.proxies.values(), key=lambda proxy: proxy.profile)
    if sort.column == "STATE":
        proxies.sort(key=lambda proxy: _ORDER.index(proxy.status), reverse=sort.descending)
    elif sort.column == "PORT":
        proxies.sort(key=lambda proxy: proxy.port or 0, reverse=sort.descending)
    elif sort.descending:
        proxies.reverse()
    return tuple(_row(proxy) for proxy in proxies)


def _row(proxy: Proxy) -> Row:
    glyph, word, tone = _WORDS[proxy.status]
    return Row(
        proxy.profile,
        (
            Cell(glyph, tone),
            Cell(clean(proxy.profile)),
            Cell("-" if proxy.port is None else str(proxy.port)),
            Cell(word, tone),
            Cell(str(proxy.restarts), Tone.WARN if proxy.restarts else Tone.DIM),
            Cell(clean(proxy.last_error or "-"), Tone.BAD if proxy.last_error else Tone.DIM),
        ),
    )
