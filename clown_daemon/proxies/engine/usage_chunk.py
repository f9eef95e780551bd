"""Takes the chunk out of a stream that nobody but the meter asked for. Pure.

A stream of Chat Completions tells its usage in one more chunk, without choices, and only if it was asked to. Agents
that did not ask may not expect it, so it ends here. Whole events pass as they came; an event waits for its end.
"""

import msgspec


class _Chunk(msgspec.Struct, frozen=True):
    choices: list[msgspec.Raw] | None = None
    usage: dict[str, msgspec.Raw] | None = None


_decoder = msgspec.json.Decoder(_Chunk)


class UsageChunkRemover:
    """One stream."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes; answer those that go on now."""
        whole = self._rest + data
        ends = [(whole.rfind(blank), len(blank)) for blank in (b"\n\n", b"\r\n\r\n")]
        at, length = max(ends)
        if at < 0:
            self._rest = whole
            return b""
        done, self._rest = whole[: at + length], whole[at + length :]
        if b'"usage"' not in done:
            return done
        blank = b"\r\n\r\n" if b"\r\n\r\n" in done else b"\n\n"
        return b"".join(event + blank for event in done.split(blank)[:-1] if not _is_usage_alone(event))

    def finish(self) -> bytes:
        """Answer what is left: an event whose end never came."""
        return self._rest


def _is_usage_alone(event: bytes) -> bool:
    if not event.startswith(b"data:") or b'"usage"' not in event:
        return False
    try:
        chunk = _decoder.decode(event[5:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return chunk.choices == [] and chunk.usage is not None
