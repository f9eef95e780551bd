"""The daemon's HTTP API, one method a call: typed in, typed out, every failure one of `client.errors`.

httpx is imported by the first call, not with this module: a dashboard draws its first frame without it.
"""

import secrets
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote

from clown_daemon.client.address import DEFAULT_URL, checked_url
from clown_daemon.client.credentials import ACCESS_REFUSED, Credentials, TokenSource, bearer
from clown_daemon.client.errors import IncompatibleError, RefusedError, UnreachableError
from clown_daemon.protocol import codec
from clown_daemon.protocol.endpoint import COMMAND_METHODS, KEY_HEADER
from clown_daemon.protocol.problems import Problem
from clown_daemon.protocol.replies import (
    Detection,
    EventPage,
    Health,
    Message,
    OutputPage,
    PreparedLaunch,
    PreparedRun,
    ProfileMessage,
    RunStarted,
    RunStopped,
)
from clown_daemon.protocol.requests import (
    Bucket,
    CancelImports,
    CreateProfile,
    Dimension,
    ImportUsage,
    Period,
    PrepareRun,
    RunBegan,
    RunEnded,
    RunProfile,
    SessionOrder,
    ShutDown,
    UpdateProfile,
)
from clown_daemon.protocol.resources import (
    AgentDetail,
    AgentSummary,
    DaemonStatus,
    ProfileDetail,
    ProfileSummary,
    Provider,
    ProviderSummary,
    Snapshot,
    UsageImport,
    UsageReport,
    UsageSource,
)
from clown_daemon.protocol.usage_reports import SessionPage, UsageSeries

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Query = Mapping[str, str | int | None]
"""Parameters; those that are None are left out."""

CONNECT_SECONDS = 3.0
CALL_SECONDS = 10.0
WORK_SECONDS = 60.0
"""For calls that wait for other programs: agents that are probed or stopped."""
IMPORT_SECONDS = 900.0
"""For reading years of logs."""


def random_key() -> str:
    """A key that no other command has."""
    return secrets.token_hex(16)


class DaemonApi:
    """The API of the daemon at `url`. Use it with `async with`; one instance serves any number of calls at once.

    Every call raises:
        UnreachableError: nothing answered, or not in time.
        RefusedError: the daemon answered with a problem; `error.problem.code` is stable.
        IncompatibleError: what answered is no Clown daemon, or a much different one.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, token: TokenSource = None, new_key: Callable[[], str] = random_key
    ) -> None:
        """Speak to the daemon at `url`.

        Args:
            url: `http://127.0.0.1:8765`.
            token: the access token, or what reads it; it is read before the first call, and again when it is refused.
            new_key: makes the `Idempotency-Key` of each command.
        """
        self.url = url.rstrip("/")
        self._credentials = Credentials(token)
        self._new_key = new_key
        self._client: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    # -- everything at once --

    async def snapshot(self) -> Snapshot:
        """Everything a dashboard shows, true at one `seq` of one `log`."""
        return await self._get("/api/snapshot", Snapshot)

    async def events(
        self, since: int = 0, *, types: str | None = None, profile: str | None = None, limit: int = 100
    ) -> EventPage:
        """Events of the log after `since`, oldest first; read each with `codec.decode_frame`."""
        query = {"since": since, "types": types, "profile": profile, "limit": limit}
        return await self._get("/api/events", EventPage, query)

    # -- profiles --

    async def profiles(self, agent: str | None = None) -> tuple[ProfileSummary, ...]:
        """All profiles, or those of an agent, sorted by alias."""
        return await self._get("/api/profiles", tuple[ProfileSummary, ...], {"agent": agent})

    async def profile(self, alias: str) -> ProfileDetail:
        """One profile."""
        return await self._get(f"/api/profiles/{_part(alias)}", ProfileDetail)

    async def create_profile(self, request: CreateProfile) -> ProfileMessage:
        """Create a profile."""
        return await self._call("POST", "/api/profiles", ProfileMessage, body=request)

    async def update_profile(self, alias: str, request: UpdateProfile) -> ProfileMessage:
        """Change what the request gives."""
        return await self._call("PATCH", f"/api/profiles/{_part(alias)}", ProfileMessage, body=request)

    async def delete_profile(self, alias: str) -> Message:
        """Delete a profile."""
        return await self._call("DELETE", f"/api/profiles/{_part(alias)}", Message)

    async def run_profile(self, alias: str, request: RunProfile | None = None) -> RunStarted:
        """Start a profile's agent headless."""
        path = f"/api/profiles/{_part(alias)}/run"
        return await self._call("POST", path, RunStarted, body=request or RunProfile(), seconds=WORK_SECONDS)

    async def stop_profile(self, alias: str) -> RunStopped:
        """End a profile's run: TERM, grace, KILL; answers when its whole process group is gone."""
        return await self._call("POST", f"/api/profiles/{_part(alias)}/stop", RunStopped, seconds=WORK_SECONDS)

    async def output(self, alias: str, *, after: int = 0, limit: int = 1000) -> OutputPage:
        """Lines that a profile's newest run printed, after line number `after`."""
        path = f"/api/profiles/{_part(alias)}/output"
        return await self._get(path, OutputPage, {"after": after, "limit": limit})

    # -- runs that own a terminal --

    async def prepare_launch(self, alias: str) -> PreparedLaunch:
        """Make a start of a profile's agent ready, its proxy too, and learn how to do it; no run comes of it."""
        path = f"/api/profiles/{_part(alias)}/prepare"
        return await self._call("POST", path, PreparedLaunch, seconds=WORK_SECONDS)

    async def prepare_run(self, request: PrepareRun) -> PreparedRun:
        """Open a run that the caller starts, and learn how."""
        return await self._call("POST", "/api/runs", PreparedRun, body=request, seconds=WORK_SECONDS)

    async def run_began(self, run_id: str, request: RunBegan) -> Message:
        """Tell which process a prepared run is."""
        return await self._call("PUT", f"/api/runs/{_part(run_id)}/started", Message, body=request)

    async def run_ended(self, run_id: str, request: RunEnded) -> Message:
        """Tell how a run ended, or why it never began."""
        return await self._call("PUT", f"/api/runs/{_part(run_id)}/finished", Message, body=request)

    # -- agents and providers --

    async def agents(self) -> tuple[AgentSummary, ...]:
        """All known agents, sorted by id."""
        return await self._get("/api/agents", tuple[AgentSummary, ...])

    async def agent(self, agent_id: str) -> AgentDetail:
        """One agent."""
        return await self._get(f"/api/agents/{_part(agent_id)}", AgentDetail)

    async def detect_agents(self) -> Detection:
        """Look for agents again, now."""
        return await self._call("POST", "/api/agents/detect", Detection, seconds=WORK_SECONDS)

    async def providers(self) -> tuple[ProviderSummary, ...]:
        """All known providers, sorted by id."""
        return await self._get("/api/providers", tuple[ProviderSummary, ...])

    async def provider(self, provider_id: str) -> Provider:
        """One provider."""
        return await self._get(f"/api/providers/{_part(provider_id)}", Provider)

    # -- usage --

    async def usage(
        self, period: Period = "today", *, profile: str | None = None, model: str | None = None, tz: str | None = None
    ) -> UsageReport:
        """What was used in a period; days are cut in `tz`, an IANA zone, else in the daemon's."""
        query = {"period": period, "profile": profile, "model": model, "tz": tz}
        return await self._get("/api/usage", UsageReport, query)

    async def usage_series(
        self, period: Period = "7d", *, bucket: Bucket = "day", by: Dimension = "profile", tz: str | None = None
    ) -> UsageSeries:
        """What was used in each hour or day of a period, one line for each profile, model, ..."""
        query = {"period": period, "bucket": bucket, "by": by, "tz": tz}
        return await self._get("/api/usage/series", UsageSeries, query)

    async def usage_sessions(
        self, period: Period = "today", *, sort: SessionOrder = "last_used", after: str | None = None, limit: int = 100
    ) -> SessionPage:
        """A page of the sessions of a period; `after` is the `next` of the page before."""
        query = {"period": period, "sort": sort, "after": after, "limit": limit}
        return await self._get("/api/usage/sessions", SessionPage, query)

    async def import_claude(self, claude_dir: str | None = None) -> str:
        """Read Claude Code's logs in; answers a sentence."""
        query = {"claude_dir": claude_dir}
        return await self._call("POST", "/api/usage/import-claude", str, query=query, seconds=IMPORT_SECONDS)

    async def import_usage(self, request: ImportUsage) -> UsageImport:
        """Begin to read an agent's logs in; events tell how it goes."""
        return await self._call("POST", "/api/usage/import", UsageImport, body=request, seconds=WORK_SECONDS)

    async def cancel_imports(self, source: str | None = None) -> tuple[UsageImport, ...]:
        """End the imports of a source, or all; answers how far they came."""
        request = CancelImports(source=source)
        path = "/api/usage/import/cancel"
        return await self._call("POST", path, tuple[UsageImport, ...], body=request, seconds=WORK_SECONDS)

    async def usage_sources(self) -> tuple[UsageSource, ...]:
        """Whose logs are read, from where, and what of them cannot be read."""
        return await self._get("/api/usage/sources", tuple[UsageSource, ...])

    # -- the daemon --

    async def daemon_status(self) -> DaemonStatus:
        """How the daemon is."""
        return await self._get("/api/daemon/status", DaemonStatus)

    async def shutdown(self, request: ShutDown | None = None) -> Message:
        """Ask the daemon to stop; it answers before it does."""
        return await self._call("POST", "/api/daemon/shutdown", Message, body=request)

    async def health(self) -> Health:
        """Whether it lives; needs no access."""
        payload, _ = await self._exchange("GET", "/api/health", seconds=CONNECT_SECONDS)
        try:
            return codec.decode_body(payload, Health)
        except codec.DecodeError as error:
            raise self._foreign(error) from error

    # -- one exchange --

    async def _get(self, path: str, type_: type[T], query: Query | None = None) -> T:
        return await self._call("GET", path, type_, query=query)

    async def _call(
        self,
        method: str,
        path: str,
        type_: type[T],
        *,
        query: Query | None = None,
        body: object = None,
        seconds: float = CALL_SECONDS,
    ) -> T:
        payload, status = await self._exchange(method, path, query=query, body=body, seconds=seconds)
        # What was refused for its token was not carried out, so it may be sent again.
        if status in ACCESS_REFUSED and await self._credentials.changed():
            payload, status = await self._exchange(method, path, query=query, body=body, seconds=seconds)
        try:
            reply = codec.decode_reply(payload, type_)
        except codec.DecodeError as error:
            raise self._foreign(error) from error
        if isinstance(reply, Problem):
            raise RefusedError(reply, status)
        return reply

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        seconds: float,
    ) -> tuple[bytes, int]:
        """Send a request and answer the body and status of its reply.

        A command is sent once more when the connection breaks before the reply: its key keeps it from being carried out
        twice.
        """
        from clown_daemon.client.transport import httpx  # noqa: PLC0415  # see the module

        headers = bearer(await self._credentials.current())
        if method in COMMAND_METHODS:
            # Changes need it even without a body: it keeps web pages from sending them.
            headers["Content-Type"] = "application/json"
            headers[KEY_HEADER] = self._new_key()
        client = self._open()
        request = client.build_request(
            method,
            self.url + path,
            params={name: value for name, value in (query or {}).items() if value is not None},
            content=b"" if body is None else codec.encode(body),
            headers=headers,
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
        )
        try:
            try:
                reply = await client.send(request)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                if method not in COMMAND_METHODS:
                    raise
                reply = await client.send(request)
        except httpx.ConnectError as error:
            raise UnreachableError(
                f"nothing answers at {self.url}", refused=True, hint="start the daemon: clown-daemon start"
            ) from error
        except httpx.TimeoutException as error:
            raise UnreachableError(f"the daemon at {self.url} did not answer within {seconds:g} s") from error
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"the daemon at {self.url} broke off: {str(error) or type(error).__name__}"
            ) from error
        return reply.content, reply.status_code

    def _open(self) -> "httpx.AsyncClient":
        if self._client is None:
            from clown_daemon.client.transport import httpx  # noqa: PLC0415  # see the module

            checked_url(self.url)
            self._client = httpx.AsyncClient(
                trust_env=False,  # proxies of the environment are not for loopback
                verify=self.url.startswith("https:"),  # reading the certificates takes 40 ms; http needs none
            )
        return self._client

    def _foreign(self, error: codec.DecodeError) -> IncompatibleError:
        return IncompatibleError(
            f"what answers at {self.url} is no Clown daemon, or another version: {error}",
            hint="see who uses the port, or choose another with --port N or CLOWN_PORT=N",
        )


def _part(text: str) -> str:
    """A name as one part of a path."""
    return quote(text, safe="")
