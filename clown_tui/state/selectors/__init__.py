"""Value and time in, frozen rows and lines out: what each pane shows. One module a pane."""

from clown_tui.state.selectors.agents import registry_lines, shorten
from clown_tui.state.selectors.cost import cost_lines
from clown_tui.state.selectors.profiles import PROFILE_COLUMNS, PROFILE_SORTS, Sort, profile_rows
from clown_tui.state.selectors.proxies import PROXY_COLUMNS, PROXY_SORTS, proxy_rows

__all__ = [
    "PROFILE_COLUMNS",
    "PROFILE_SORTS",
    "PROXY_COLUMNS",
    "PROXY_SORTS",
    "Sort",
    "cost_lines",
    "profile_rows",
    "proxy_rows",
    "registry_lines",
    "shorten",
]
