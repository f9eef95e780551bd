"""Value and time in, frozen rows and lines out: what each pane shows. One module a pane."""

from clown_tui.state.rows import Sort
from clown_tui.state.selectors.agents import registry_lines
from clown_tui.state.selectors.connection import ConnectionWords, as_of, connection_card, connection_words
from clown_tui.state.selectors.cost import cost_lines
from clown_tui.state.selectors.details import detail_lines, resource_json, resource_of
from clown_tui.state.selectors.events import EVENT_COLUMNS, Times, event_row, gap_line
from clown_tui.state.selectors.header import (
    Alarm,
    alarms,
    event_rate,
    header_line,
    running_count,
    status_line,
    summary_line,
    tab_titles,
)
from clown_tui.state.selectors.layout import shorten
from clown_tui.state.selectors.profiles import PROFILE_SORTS, profile_columns, profile_rows
from clown_tui.state.selectors.proxies import PROXY_COLUMNS, PROXY_SORTS, proxy_rows
from clown_tui.state.selectors.titles import empty_lines, pane_summary, pane_title

__all__ = [
    "EVENT_COLUMNS",
    "PROFILE_SORTS",
    "PROXY_COLUMNS",
    "PROXY_SORTS",
    "Alarm",
    "ConnectionWords",
    "Sort",
    "Times",
    "alarms",
    "as_of",
    "connection_card",
    "connection_words",
    "cost_lines",
    "detail_lines",
    "empty_lines",
    "event_rate",
    "event_row",
    "gap_line",
    "header_line",
    "pane_summary",
    "pane_title",
    "profile_columns",
    "profile_rows",
    "proxy_rows",
    "registry_lines",
    "resource_json",
    "resource_of",
    "running_count",
    "shorten",
    "status_line",
    "summary_line",
    "tab_titles",
]
