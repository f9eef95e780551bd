"""What a command answers when the answer is no resource."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from clown_daemon.protocol.resources import Agent


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence for a person."""

    message: str


class ProfileMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `POST /api/profiles` and `PATCH /api/profiles/{alias}`."""

    alias: str
    message: str


class RunStarted(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `POST /api/profiles/{alias}/run`."""

    run_id: str
    pid: int


class RunStopped(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `POST /api/profiles/{alias}/stop`, once the whole process group is gone."""

    run_id: str
    exit_code: int | None
    message: str


class OutputLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line that a run printed."""

    number: int
    stream: Literal["stdout", "stderr"]
    text: str
    """Without its line end; undecodable bytes replaced; cut at 64 KiB."""


class OutputPage(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/profiles/{alias}/output`: lines after the asked number, oldest first."""

    run_id: str | None
    lines: tuple[OutputLine, ...]
    next: int
    """Pass it as `after` to go on."""
    dropped: int = 0
    """Lines between `after` and the first one here that are no longer kept."""
    running: bool = False


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/events`: events of the log after the asked number, oldest first."""

    log: str
    events: tuple[Annotated[msgspec.Raw, Meta(extra_json_schema={"$ref": "#/components/schemas/Event"})], ...]
    """Each exactly as it was sent on the stream."""
    next: int
    """Pass it as `since` to go on."""
    head: int
    floor: int


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `POST /api/agents/detect`."""

    agents: tuple[Agent, ...]
    changed: int


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The bare body of `GET /api/health`."""

    status: Literal["ok"]
    version: str


SECRET_MARK = "\u27e8clown:secret\u27e9"  # noqa: S105  # stands where a secret goes, is none
"""Stands in the environment of a prepared start, to be replaced by whoever may read the secret store."""


class PreparedLaunch(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `POST /api/profiles/{alias}/prepare`: how to start a profile's agent. No secret is in it."""

    argv: tuple[str, ...]
    env: dict[str, str]
    """To set. Where a secret goes stands a mark, `\u27e8clown:secret\u27e9`."""
    unset: tuple[str, ...]
    """Variables that must not reach the agent, sorted; `env` comes after."""
    working_dir: str
    secret: str | None
    """What the mark stands for, as the secret store names it; with a proxy its token, never the key. Null: nothing."""


class PreparedRun(PreparedLaunch, frozen=True, kw_only=True):
    """The reply of `POST /api/runs`: an interactive run is in the books, and this is how to start it."""

    run_id: str


class ProxyLogs(msgspec.Struct, frozen=True, kw_only=True):
    """The reply of `GET /api/proxy/{alias}/logs`: the newest lines, oldest first; no body and no key is ever in one."""

    profile: str
    lines: tuple[str, ...]
