"""The client's picture in plain JSON: parts by their keys, and an event put into it. Knows none of the daemon's code.

What a snapshot shows of time alone is left out of a comparison: the time lines of usage move with the minute, its
periods and those of budgets begin anew with the day.
"""

from collections.abc import Mapping
from typing import Any

Key = tuple[str, str]
Picture = dict[Key, dict[str, Any]]

LISTS = {
    "profiles": "alias",
    "agents": "id",
    "usage": "profile",
    "proxies": "profile",
    "imports": "source",
    "budgets": "id",
}
SINGLES = ("daemon", "registry")
GROUPS = {
    "Profile": ("profiles", "alias"),
    "Agent": ("agents", "id"),
    "Registry": ("registry", ""),
    "Proxy": ("proxies", "profile"),
    "UsageUpdated": ("usage", "profile"),
    "Usage": ("imports", "source"),
    "Budget": ("budgets", "id"),
    "Daemon": ("daemon", ""),
}
"""Where an event's resource belongs, by the longest beginning of its type, and the field of `data` that names it."""
MOVING = frozenset({"minutes", "hours", "window"})
DAILY = frozenset({"days", "today", "week", "month", "start_ms", "crossed"})


def picture_of(snapshot: Mapping[str, Any]) -> Picture:
    """Everything in a snapshot that events can change."""
    picture: Picture = {}
    for name, key in LISTS.items():
        picture |= {(name, part[key]): part for part in snapshot.get(name, ())}
    picture |= {(name, ""): snapshot[name] for name in SINGLES if snapshot.get(name) is not None}
    return picture


def place_of(event: Mapping[str, Any]) -> Key:
    """Which part of the picture an event changes."""
    kind = max((start for start in GROUPS if event["type"].startswith(start)), key=len)
    group, field = GROUPS[kind]
    return group, event["data"][field] if field else ""


def put(picture: Picture, event: Mapping[str, Any]) -> None:
    """Put what the event carries, or remove what it says is gone."""
    if event["resource"] is None:
        picture.pop(place_of(event), None)
    else:
        picture[place_of(event)] = event["resource"]


def differences(one: Picture, other: Picture, *, same_day: bool = True) -> list[str]:
    """How two pictures differ, in words."""
    hidden = MOVING if same_day else MOVING | DAILY
    found: list[str] = []
    for key in sorted({*one, *other}):
        if key not in one or key not in other:
            found.append(f"{' '.join(key)} is in the {'second' if key in other else 'first'} alone")
            continue
        before, after = ({k: v for k, v in part.items() if k not in hidden} for part in (one[key], other[key]))
        found += [
            f"{' '.join(key)}: {field} is {before.get(field)!r} and {after.get(field)!r}"
            for field in sorted({*before, *after})
            if before.get(field) != after.get(field)
        ]
    return found
