"""Instants: epoch milliseconds inside, RFC 3339 UTC with `Z` and whole seconds on the wire.

Source: the contract's examples (`"2026-01-08T10:30:00Z"`); a strict parser of that form keeps working.
"""

from datetime import UTC, datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_ms: int) -> str:
    """Write epoch milliseconds as `YYYY-MM-DDTHH:MM:SSZ`; parts of a second are cut, never rounded up."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_ms(text: str) -> int:
    """Read an RFC 3339 instant, with any offset and any fraction, as epoch milliseconds.

    Raises:
        ValueError: the text is no instant, or has no offset.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
