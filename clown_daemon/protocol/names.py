"""Event names as people and clients write them: exact names, globs, and groups, and the nearest name of a typo."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from fnmatch import fnmatchcase

GROUPS: dict[str, tuple[str, ...]] = {
    "@errors": ("ProxyError", "RegistrySyncFailed"),
    "@cost": ("Usage*", "Budget*"),
    "@profiles": ("Profile*",),
    "@agents": ("Agent*",),
    "@budgets": ("Budget*",),
    "@registry": ("Registry*",),
    "@proxies": ("Proxy*",),
    "@daemon": ("Daemon*",),
}
"""Names for sets of events; a group stands for its globs."""


class UnknownNameError(ValueError):
    """Names that match no event.

    Attributes:
        unknown: the names as given, in their order.
        nearest: the known name closest to the first of them, or None.
    """

    def __init__(self, unknown: tuple[str, ...], nearest: str | None) -> None:
        self.unknown = unknown
        self.nearest = nearest
        super().__init__(f"unknown event {', '.join(unknown)}")


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """Find the known name that a typo most likely meant, in any case; None when nothing is close."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    found = get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[found[0]] if found else None


def resolve_names(patterns: Iterable[str], known: Collection[str], *, any_case: bool = False) -> frozenset[str]:
    """Turn names, globs (`Usage*`) and groups (`@errors`) into the set of known names they stand for.

    Args:
        patterns: what the caller wrote.
        known: all event names.
        any_case: True for people at a shell; clients of the stream spell names exactly.

    Raises:
        UnknownNameError: a pattern matches nothing; nothing is resolved then, since a typo must not become silence.
    """
    found: set[str] = set()
    unknown: list[str] = []
    folded = {(name.casefold() if any_case else name): name for name in known}
    for pattern in patterns:
        globs = GROUPS.get(pattern.casefold() if any_case else pattern, (pattern,))
        matched = {
            name
            for glob in globs
            for key, name in folded.items()
            if fnmatchcase(key, glob.casefold() if any_case else glob)
        }
        if not matched:
            unknown.append(pattern)
        found |= matched
    if unknown:
        raise UnknownNameError(tuple(unknown), nearest_name(unknown[0], [*known, *GROUPS]))
    return frozenset(found)
