"""The five panes, in the order of their number keys."""

from enum import StrEnum


class Pane(StrEnum):
    """One of the five panes of the dashboard."""

    PROFILES = "profiles"
    PROXIES = "proxies"
    COST = "cost"
    REGISTRY = "registry"
    EVENTS = "events"

    @property
    def number(self) -> int:
        """The key that focuses it."""
        return PANES.index(self) + 1

    @property
    def heading(self) -> str:
        """Its name on the screen."""
        return HEADINGS[self]


PANES: tuple[Pane, ...] = tuple(Pane)

HEADINGS: dict[Pane, str] = {
    Pane.PROFILES: "Profiles",
    Pane.PROXIES: "Proxies",
    Pane.COST: "Cost",
    Pane.REGISTRY: "Registry & Agents",
    Pane.EVENTS: "Events",
}
