"""Lines of the Registry & Agents pane that say how far reading existing logs is.

What runs, failed or was cancelled has a line of its own, since somebody may wait for it; what is done shares one.
"""

from collections.abc import Iterable

from clown_daemon.protocol.resources import UsageImport
from clown_tui.formatting import bar, clean, count, fit, percent, size, whole_duration
from clown_tui.state.rows import Cell, Line, Tone
from clown_tui.state.selectors.layout import line_width


def import_lines(imports: Iterable[UsageImport], width: int) -> list[Line]:
    """Answer the lines of these imports, at most `width` columns as far as pieces can be left out."""
    entries = sorted(imports, key=lambda entry: entry.source)
    own = [_own_line(entry, width) for entry in entries if entry.state != "done"]
    done = [entry for entry in entries if entry.state == "done"]
    return [*own, *([_done_line(done, width)] if done else [])]


def _own_line(entry: UsageImport, width: int) -> Line:
    label = Cell(fit(f"{clean(entry.source)} logs", 10 if width < 40 else 14), Tone.DIM)
    match entry.state:
        case "failed":
            return (label, Cell(f"✗ {clean(entry.error or 'import failed')}", Tone.BAD))
        case "cancelled":
            return (label, Cell(f"○ import cancelled, {count(entry.records_imported)} responses kept", Tone.DIM))
        case _:
            return _running(label, entry, width)


def _running(label: Cell, entry: UsageImport, width: int) -> Line:
    share = entry.bytes_done / entry.bytes_total if entry.bytes_total else 0.0
    line: Line = (
        label,
        Cell(bar(share, 10), Tone.ACCENT),
        Cell(f" {percent(entry.bytes_done, entry.bytes_total)} of {size(entry.bytes_total)}"),
    )
    for piece in _more(entry):
        longer = (*line, Cell(f" · {piece}", Tone.DIM))
        if line_width(longer) > width:
            break
        line = longer
    return line


def _more(entry: UsageImport) -> Iterable[str]:
    """What is told beside the bar, the most telling first."""
    if entry.seconds_left is not None:
        yield f"{whole_duration(max(1.0, entry.seconds_left))} left"
    if entry.bytes_per_second is not None:
        yield f"{size(entry.bytes_per_second)}/s"
    yield f"{count(entry.files_done)} of {count(entry.files_total)} files"
    if entry.lines_broken:
        yield f"{count(entry.lines_broken)} broken"


def _done_line(done: list[UsageImport], width: int) -> Line:
    """One line for all that is done; sources whose logs hold nothing are not worth a word."""
    label = Cell(fit("usage logs", 10 if width < 40 else 14), Tone.DIM)
    told = [entry for entry in done if entry.records_imported or entry.lines_broken]
    if not told:
        return (label, Cell("✓ ", Tone.GOOD), Cell("nothing new to import"))
    pieces = [_told(entry) for entry in sorted(told, key=lambda entry: (-entry.records_imported, entry.source))]
    return (label, Cell("✓ ", Tone.GOOD), Cell(" · ".join(pieces)), Cell(" new responses", Tone.DIM))


def _told(entry: UsageImport) -> str:
    broken = f" ({count(entry.lines_broken)} broken)" if entry.lines_broken else ""
    return f"{clean(entry.source)} {count(entry.records_imported)}{broken}"
