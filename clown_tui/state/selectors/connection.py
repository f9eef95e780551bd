"""How the connection stands, in words: one place names every state."""

from dataclasses import dataclass

from clown_daemon.client.states import Phase
from clown_tui.formatting import clean, clock, whole_duration
from clown_tui.state.model import Model
from clown_tui.state.rows import Cell, Line, Tone

QUIET_SECONDS = 30
"""Without events for this long, LIVE says since when: pings are answered, so it is no alarm."""


@dataclass(frozen=True, slots=True)
class ConnectionWords:
    """A state of the connection."""

    glyph: str
    text: str
    tone: Tone

    @property
    def cell(self) -> Cell:
        return Cell(f"{self.glyph} {self.text}", self.tone)


def connection_words(model: Model, now_ms: int, monotonic: float | None = None) -> ConnectionWords:
    """Say how the connection stands.

    Args:
        model: the state.
        now_ms: epoch milliseconds, for ages.
        monotonic: `time.monotonic()`, for the countdown; None leaves it out.
    """
    connection = model.connection
    away = connection.since_ms if connection.lost_ms is None else connection.lost_ms
    phase = connection.phase
    if phase is Phase.CONNECTING and model.known and connection.attempt:
        phase = Phase.BACKOFF  # an attempt among many is part of being offline, not a new state
    texts = {
        Phase.LIVE: _live(model, now_ms),
        Phase.STALE: f"STALE {_age(away if model.as_of_ms is None else model.as_of_ms, now_ms)}",
        Phase.STARTING: "STARTING DAEMON",
        Phase.CONNECTING: "CONNECTING",
        Phase.SYNCING: "RESYNC" if model.known else "CONNECTING",
        Phase.STOPPED: "DAEMON STOPPED",
        Phase.FATAL: "REFUSED",
        Phase.BACKOFF: f"OFFLINE {_age(away, now_ms)}{_retry(model, monotonic)}",
        Phase.DOWN: f"OFFLINE {_age(away, now_ms)}{_retry(model, monotonic)}",
    }
    glyph, tone = _LOOKS[phase]
    return ConnectionWords(glyph, texts[phase], tone)


_LOOKS: dict[Phase, tuple[str, Tone]] = {
    Phase.LIVE: ("●", Tone.GOOD),
    Phase.STALE: ("◐", Tone.WARN),
    Phase.STARTING: ("◐", Tone.WARN),
    Phase.CONNECTING: ("◐", Tone.WARN),
    Phase.SYNCING: ("◐", Tone.WARN),
    Phase.STOPPED: ("○", Tone.WARN),
    Phase.FATAL: ("✗", Tone.BAD),
    Phase.BACKOFF: ("✗", Tone.BAD),
    Phase.DOWN: ("✗", Tone.BAD),
}


def _live(model: Model, now_ms: int) -> str:
    newest = max(model.pulse.last_ms or 0, model.connection.live_since or 0)
    quiet = (now_ms - newest) / 1000
    return f"LIVE (quiet {whole_duration(quiet)})" if newest and quiet >= QUIET_SECONDS else "LIVE"


def _age(since_ms: int, now_ms: int) -> str:
    return whole_duration((now_ms - since_ms) / 1000) if since_ms else "0s"


def _retry(model: Model, monotonic: float | None) -> str:
    connection = model.connection
    if monotonic is None or connection.retry_at is None:
        return ""
    left = max(0.0, connection.retry_at - monotonic)
    return f", retry {connection.attempt + 1} in {left:.1f}s"


def connection_card(model: Model, *, may_start: bool) -> tuple[Line, ...]:
    """Say what there is instead of the panes while no daemon was ever reached: address, reason, what to do."""
    connection = model.connection
    if model.known:
        return ()
    if connection.phase in {Phase.CONNECTING, Phase.SYNCING, Phase.STARTING} and connection.attempt == 0:
        word = "Starting a daemon" if connection.phase is Phase.STARTING else "Connecting"
        return ((Cell(f"{word}: {clean(connection.url)}", Tone.DIM),),)
    title = "The daemon refused" if connection.phase is Phase.FATAL else "No daemon answers"
    lines: list[Line] = [(Cell(f"{title} at {clean(connection.url)}", Tone.STRONG),), ()]
    if connection.reason:
        lines.append((Cell(clean(connection.reason)),))
    if connection.hint:
        lines.append((Cell(clean(connection.hint), Tone.DIM),))
    start: Line = (Cell("s", Tone.ACCENT), Cell(" start a daemon   "))
    keys: Line = (Cell("c", Tone.ACCENT), Cell(" try again now   "), Cell("q", Tone.ACCENT), Cell(" quit"))
    return (*lines, (), (*start, *keys) if may_start and connection.phase is not Phase.FATAL else keys)


def as_of(model: Model) -> str:
    """Answer ` as of 14:03:22` while the data is not current, else nothing."""
    if model.live or model.as_of_ms is None:
        return ""
    return f" as of {clock(model.as_of_ms, model.zone)}"
