"""The address of a daemon, and of its stream. Pure."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from clown_daemon.client.continuity import Resume
from clown_daemon.client.errors import IncompatibleError
from clown_daemon.paths import DEFAULT_PORT

DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"


def checked_url(url: str) -> str:
    """The address without a slash at its end.

    Raises:
        IncompatibleError: it is no HTTP address with a host and, if any, a port that exists.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # the port is no number, or too large
        usable = False
    if not usable:
        raise IncompatibleError(f"{url} is no address of a daemon", hint=f"use one like {DEFAULT_URL}")
    return url.rstrip("/")


def stream_url(url: str, resume: Resume | None, events: tuple[str, ...] | None, *, passive: bool) -> str:
    """The address of the stream of the daemon at `url`, with its query.

    Raises:
        IncompatibleError: `url` is no address.
    """
    query: dict[str, str | int] = {"hello": 1}
    if resume is not None:
        query.update(since=resume.seq, log=resume.log)
    if events is not None:
        query["events"] = ",".join(events)
    if passive:
        query["passive"] = 1
    parts = urlsplit(checked_url(url))
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, parts.path + "/ws", urlencode(query), ""))
