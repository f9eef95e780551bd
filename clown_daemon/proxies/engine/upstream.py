"""The connection to providers: one client session, no retry but one.

A connection that was kept open may die at the very moment it is used again; such a request never reached the provider,
so it is sent once more on a fresh one. Every other failure is the agent's to hear: agents try again by themselves, and
a proxy that does too multiplies what is billed. Limits: 10 s to connect, 600 s to the first byte, 300 s between bytes.
"""

import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from clown_daemon.proxies.engine.headers import Header

CONNECT_SECONDS = 10.0
FIRST_BYTE_SECONDS = 600.0
BETWEEN_BYTES_SECONDS = 300.0
KEEP_ALIVE_SECONDS = 15.0
"""Below what every provider keeps an idle connection."""
LONGEST_LINE_BYTES = 64 * 1024

Body = bytes | AsyncIterator[bytes] | None


class UpstreamError(Exception):
    """No answer came; the sentence says why, without what was asked.

    Attributes:
        reason: `connect`, `timeout`, `broken`, `tls`.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Upstreams:
    """Sends requests to providers. Build it on the running loop, close it at the end."""

    def __init__(self, *, proxy: str | None, ca_file: str | None) -> None:
        self._proxy = proxy
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=_trust(ca_file)),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            timeout=aiohttp.ClientTimeout(
                total=None, connect=CONNECT_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=FIRST_BYTE_SECONDS
            ),
            max_line_size=LONGEST_LINE_BYTES,
            max_field_size=LONGEST_LINE_BYTES,
            trace_configs=[trace],
        )

    async def send(self, method: str, url: str, headers: list[Header], body: Body) -> aiohttp.ClientResponse:
        """Send a request and answer once the head of the answer is there.

        Args:
            method: as the agent wrote it.
            url: percent-encoding is not touched.
            headers: without `Host` and `Content-Length`.
            body: whole, or in pieces of which nothing is kept; None sends none.

        Raises:
            UpstreamError: no answer came.
        """
        reused = SimpleNamespace(connection=False)
        try:
            return await self._send(method, url, headers, body, reused)
        except aiohttp.ClientConnectionError as error:
            replayable = body is None or isinstance(body, bytes)
            if not (reused.connection and replayable and not isinstance(error, aiohttp.ServerTimeoutError)):
                raise _explained(error, url) from error
        except aiohttp.ClientError as error:
            raise _explained(error, url) from error
        try:
            return await self._send(method, url, headers, body, SimpleNamespace(connection=False))
        except aiohttp.ClientError as error:
            raise _explained(error, url) from error

    async def close(self) -> None:
        """Let go of all connections."""
        await self._session.close()

    async def _send(
        self, method: str, url: str, headers: list[Header], body: Body, reused: SimpleNamespace
    ) -> aiohttp.ClientResponse:
        return await self._session.request(
            method,
            URL(url, encoded=True),
            headers=CIMultiDict(headers),
            data=body,
            allow_redirects=False,
            proxy=None if self._proxy is None or is_local(url) else self._proxy,
            trace_request_ctx=reused,
        )


@contextlib.asynccontextmanager
async def bounded_pauses(response: aiohttp.ClientResponse) -> AsyncIterator[None]:
    """Bound the time between two bytes of an answer, for as long as it is read.

    Raises:
        UpstreamError: the provider fell silent or broke off.
    """
    protocol = None if response.connection is None else response.connection.protocol
    if protocol is not None:
        protocol.read_timeout = BETWEEN_BYTES_SECONDS
    try:
        yield
    except aiohttp.ClientError as error:
        raise _explained(error, str(response.url)) from error


def is_local(url: str) -> bool:
    """Whether an address is on this machine: no proxy is on the way there."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


async def _note_reuse(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.connection = True


def _trust(ca_file: str | None) -> ssl.SSLContext:
    """The system's certificates, and those of one file more; verification cannot be turned off."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def _explained(error: aiohttp.ClientError, url: str) -> UpstreamError:
    where = urlsplit(url).netloc.rpartition("@")[2]
    reason, sentence = _reason(error)
    return UpstreamError(reason, f"{where} {sentence}")


def _reason(error: aiohttp.ClientError) -> tuple[str, str]:
    match error:
        case aiohttp.ClientSSLError():
            found = "tls", "cannot be trusted: its certificate does not verify"
        case aiohttp.ClientConnectorDNSError():
            found = "connect", "cannot be found"
        case aiohttp.ConnectionTimeoutError():
            found = "timeout", f"did not take a connection within {CONNECT_SECONDS:g} s"
        case aiohttp.ServerTimeoutError():
            found = "timeout", "was silent for too long"
        case aiohttp.ClientConnectorError(strerror=str() as why):
            found = "connect", f"cannot be reached: {why}"
        case aiohttp.ClientPayloadError():
            found = "broken", "broke its answer off"
        case _:
            found = "broken", f"broke the connection ({type(error).__name__})"
    return found
