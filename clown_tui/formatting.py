"""Numbers, times and foreign text as the screen shows them. Pure.

Everything that comes from the daemon passes `clean` before it reaches a cell: a model name or an error may hold escape
sequences, and a terminal would obey them.
"""

import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Literal

NANOS = 1_000_000_000
"""Nano-dollars in a dollar: money is added up in whole nano-dollars, so sums are exact."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?"  # any other escape
    r"|\x9b[0-?]*[ -/]*[@-~]?",  # CSI as one C1 character
    re.DOTALL,
)
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean(text: str, limit: int = 2000) -> str:
    """Make foreign text fit for a cell: one line, no escape sequences, no control, format or private characters.

    Args:
        text: anything.
        limit: characters that are kept; an ellipsis says that there was more.
    """
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    bare = _ESCAPES.sub("", text)
    spaced = "".join(" " if character.isspace() else character for character in bare)
    return "".join(character for character in spaced if unicodedata.category(character) not in _HIDDEN)


# -- cells of the terminal --------------------------------------------------------------------------------------------


def cells(text: str) -> int:
    """Count the terminal columns that a cleaned text takes."""
    if text.isascii():
        return len(text)
    return sum(map(_character_cells, text))


def _character_cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Shorten a text to at most `width` columns, with an ellipsis as the last one where something is lost."""
    if width <= 0:
        return ""
    if cells(text) <= width:
        return text
    kept: list[str] = []
    used = 0
    for character in text:
        used += _character_cells(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def fit(text: str, width: int, align: Literal["left", "right"] = "left") -> str:
    """Cut or pad a text to exactly `width` columns."""
    short = cut(text, width)
    padding = " " * (max(0, width) - cells(short))
    return padding + short if align == "right" else short + padding


# -- numbers ----------------------------------------------------------------------------------------------------------


def count(number: int) -> str:
    """Write a whole number with thousands separated: `18,311`."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Write `1 profile`, `2 profiles`."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def tokens(number: int) -> str:
    """Write a number of tokens in at most five columns: `812`, `9.4k`, `210k`, `1.2M`."""
    value = float(number)
    if number < 1000:
        return str(number)
    for unit in ("k", "M", "G", "T"):
        value /= 1000
        if value < 9.95:
            return f"{value:.1f}{unit}"
        if value < 999.5:
            return f"{value:.0f}{unit}"
    return f"{value:.0f}T"


def size(number: float) -> str:
    """Write a number of bytes in at most seven columns: `812 B`, `9.4 KB`, `1.2 GB`; thousands, as disks count."""
    value = float(number)
    if value < 999.5:
        return f"{value:.0f} B"
    for unit in ("KB", "MB", "GB", "TB"):
        value /= 1000
        if value < 9.95:
            return f"{value:.1f} {unit}"
        if value < 999.5:
            return f"{value:.0f} {unit}"
    return f"{value:.0f} TB"


def nanos(usd: float) -> int:
    """Turn dollars of the wire into whole nano-dollars."""
    return round(usd * NANOS)


def dollars(amount: int, digits: int = 2) -> str:
    """Write nano-dollars: `$4.12`, `$1,204.00`. What is more than nothing and rounds to nothing is `<$0.01`."""
    value = amount / NANOS
    least = 10.0**-digits
    if 0 < value < least / 2:
        return f"<${least:.{digits}f}"
    return f"-${-value:,.{digits}f}" if value < 0 else f"${value:,.{digits}f}"


def percent(part: float, whole: float) -> str:
    """Write a share as whole per cent; `-` where there is no whole."""
    return f"{100 * part / whole:.0f}%" if whole > 0 else "-"


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# -- time -------------------------------------------------------------------------------------------------------------


def duration(seconds: float) -> str:
    """Write a span in at most two units: `0.4s`, `41s`, `41m`, `2h14m`, `3d4h`. Below zero counts as zero."""
    seconds = max(0.0, seconds)
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours}h"


def whole_duration(seconds: float) -> str:
    """Write a span as `duration` does, in whole seconds: for texts that change once a second."""
    whole = int(max(0.0, seconds))
    return f"{whole}s" if whole < 60 else duration(whole)


def ago(then_ms: int, now_ms: int) -> str:
    """Write how long ago an instant was; `now` within a second."""
    seconds = (now_ms - then_ms) / 1000
    return "now" if seconds < 1 else f"{whole_duration(seconds)} ago"


def clock(at_ms: int, zone: tzinfo = UTC, *, parts: bool = False) -> str:
    """Write the time of day: `14:03:36`, or with `parts` of a second `14:03:36.204`."""
    moment = datetime.fromtimestamp(at_ms / 1000, zone)
    text = moment.strftime("%H:%M:%S")
    return f"{text}.{at_ms % 1000:03d}" if parts else text


def month_day(at_ms: int, zone: tzinfo = UTC) -> str:
    """Write a day of the year: `Nov 30`."""
    moment = datetime.fromtimestamp(at_ms / 1000, zone)
    return f"{_MONTHS[moment.month - 1]} {moment.day}"


def zone_offset(at_ms: int, zone: tzinfo) -> str:
    """Write the zone's distance from UTC at an instant: `UTC`, `UTC+2`, `UTC-3:30`."""
    offset = datetime.fromtimestamp(at_ms / 1000, zone).utcoffset()
    minutes = 0 if offset is None else round(offset.total_seconds() / 60)
    if minutes == 0:
        return "UTC"
    hours, rest = divmod(abs(minutes), 60)
    sign = "+" if minutes > 0 else "-"
    return f"UTC{sign}{hours}:{rest:02d}" if rest else f"UTC{sign}{hours}"


# -- drawings ---------------------------------------------------------------------------------------------------------

_STEPS = "▁▂▃▄▅▆▇█"


def spark(values: Sequence[float]) -> str:
    """Draw one column per value, the greatest full; nothing is `·`, so that little is never taken for nothing."""
    top = max(values, default=0)
    if top <= 0:
        return "·" * len(values)
    last = len(_STEPS) - 1
    return "".join("·" if value <= 0 else _STEPS[round(value / top * last)] for value in values)


def bar(share: float, width: int) -> str:
    """Draw a share of 0 to 1 as a bar of `width` columns; what is more than nothing shows, and only all fills it."""
    share = min(1.0, max(0.0, share))
    full = int(share * width)
    if share > 0 and full == 0 and width > 0:
        full = 1
    return "█" * full + "░" * (max(0, width) - full)


_ASCII = str.maketrans(
    {
        "●": "*", "◐": "~", "○": "o", "✗": "x", "✓": "+", "▲": "!", "▼": "v", "·": ".", "…": ".", "→": ">", "⏎": "^",
        "×": "x", "Σ": "=", "─": "-", "│": "|", "▌": "[", "▐": "]", "░": ".", "█": "#", "▁": "_", "▂": ".", "▃": ":",
        "▄": "-", "≠": "!", "▅": "=", "▆": "+", "▇": "*", "╭": "+", "╮": "+", "╰": "+", "╯": "+",
        "┃": "|", "━": "-", "↓": "v", "↑": "^", "←": "<", "—": "-", "–": "-", "•": "*", "▸": ">", "▎": "|",
    }
)  # fmt: skip


def to_ascii(text: str) -> str:
    """Replace the screen's own glyphs by ASCII ones, for terminals without them; foreign letters become `?`."""
    return text.translate(_ASCII).encode("ascii", "replace").decode("ascii")
