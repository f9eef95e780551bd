"""Whether a caller's profile, agent, provider or zone exists, and the refusal that names the nearest one if not."""

import sqlite3
from collections.abc import Iterable
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from clown_daemon.errors import DomainError
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import UNATTRIBUTED
from clown_daemon.store.agents import read_agent_ids
from clown_daemon.store.usage_report import has_usage, read_profile_names, read_provider_names


def refuse_unknown_profile(connection: sqlite3.Connection, profile: str | None) -> None:
    """Do nothing if there is such a profile, or usage of one that is gone, or none was asked for.

    Raises:
        DomainError: `unknown_profile`.
    """
    if profile in {None, UNATTRIBUTED} or has_usage(connection, profile or ""):
        return
    near = nearest_name(profile or "", read_profile_names(connection))
    hint = f"did you mean {near!r}?" if near else "GET /api/profiles lists the profiles"
    raise DomainError(ProblemCode.UNKNOWN_PROFILE, f"there is no profile {profile!r}", hint=hint)


def refuse_unknown_agent(connection: sqlite3.Connection, agent_id: str) -> None:
    """Do nothing if there is such an agent, installed or not.

    Raises:
        DomainError: `unknown_agent`.
    """
    known = read_agent_ids(connection)
    if agent_id not in known:
        near = nearest_name(agent_id, known)
        hint = f"did you mean {near!r}?" if near else "GET /api/agents lists the agents"
        raise DomainError(ProblemCode.UNKNOWN_AGENT, f"there is no agent {agent_id!r}", hint=hint)


def refuse_unknown_provider(connection: sqlite3.Connection, provider: str, catalogue: Iterable[str]) -> None:
    """Do nothing if the catalogue or the ledger has such a provider.

    Raises:
        DomainError: `unknown_provider`.
    """
    known = {*catalogue, *read_provider_names(connection)}
    if provider not in known:
        near = nearest_name(provider, sorted(known))
        hint = f"did you mean {near!r}?" if near else f"known providers: {', '.join(sorted(known))}"
        raise DomainError(ProblemCode.UNKNOWN_PROVIDER, f"there is no provider {provider!r}", hint=hint)


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones())  # opens some 600 files


def zone_named(name: str) -> ZoneInfo:
    """Answer a time zone.

    Raises:
        DomainError: there is none of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest_name(name[:100], _zone_names())
        raise DomainError(
            ProblemCode.INVALID_FIELD,
            f"tz: there is no time zone {name!r}",
            hint=f"did you mean {near!r}?" if near else "write an IANA name, such as Europe/Berlin",
        ) from None
