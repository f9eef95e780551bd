"""A client's frames, read as strictly as RFC 6455 has it, before aiohttp's reader sees them. No I/O.

aiohttp's reader lets pass what a server must refuse (section 5.1: frames that are not masked; 5.2: lengths in more
bytes than needed; 5.4: a new message after an empty first fragment; 7.4: close codes that are never sent) and looks at
text only when its message is whole. So what it is given is written anew: whole messages, each in one frame. When a
client breaks a rule, it is given a frame that makes it close with the code of that rule, and nothing after it.
"""

import codecs
import struct

from aiohttp import WSCloseCode, WSMsgType

_CONTINUATION, _TEXT, _BINARY = WSMsgType.CONTINUATION, WSMsgType.TEXT, WSMsgType.BINARY
_CLOSE, _PING, _PONG = WSMsgType.CLOSE, WSMsgType.PING, WSMsgType.PONG
_OPCODES = frozenset({_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG})
_MAX_CONTROL_BYTES = 125
_MAX_LENGTH = (1 << 63) - 1

_BREAKING = {
    WSCloseCode.PROTOCOL_ERROR: b"\xf0\x00",  # reserved bits
    WSCloseCode.INVALID_TEXT: b"\x81\x01\xff",
    WSCloseCode.MESSAGE_TOO_BIG: b"\x81\x7f" + _MAX_LENGTH.to_bytes(8),
}
"""For each code a frame that aiohttp's reader answers with it."""


class _Violation(Exception):  # noqa: N818  # it never leaves this module
    def __init__(self, code: WSCloseCode) -> None:
        self.code = code


class StrictFrames:
    """What one client has said so far."""

    def __init__(self, max_message_bytes: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._head = bytearray()
        """The bytes of a head that is not whole yet; at most 14."""
        self._opcode: int | None = None
        """Of the frame whose payload is being read; None: a head comes next."""
        self._fin = False
        self._mask = b""
        self._left = 0
        """Bytes of the payload that are still to come."""
        self._control = bytearray()
        self._message = bytearray()
        self._kind: int | None = None
        """Text or binary while a message is not whole."""
        self._text = codecs.getincrementaldecoder("utf-8")()
        self.done = False
        """A rule was broken, or the client has closed: what it says from now on is not read."""

    def feed(self, data: bytes) -> bytes:
        """Take what came and answer what aiohttp's reader is to be given."""
        out: list[bytes] = []
        try:
            while not self.done:
                if self._opcode is None:
                    data = self._read_head(data)
                    if self._opcode is None:
                        break
                taken, data = data[: self._left], data[self._left :]
                self._read_payload(taken)
                if self._left:
                    break
                self._end_frame(out)
        except _Violation as violation:
            self.done = True
            out.append(_BREAKING[violation.code])
        return b"".join(out)

    def _read_head(self, data: bytes) -> bytes:
        """Read a head if it is whole; answer the bytes after it."""
        before = len(self._head)
        self._head += data[: 14 - before]
        head = self._head
        if len(head) < 2:
            return b""
        # What is wrong already is refused before more is waited for.
        self._check_first_bytes(head[0], head[1])
        size = head[1] & 0x7F
        length_bytes = {126: 2, 127: 8}.get(size, 0)
        end = 2 + length_bytes + 4
        if len(head) < 2 + length_bytes:
            return b""
        if length_bytes:
            size = int.from_bytes(head[2 : 2 + length_bytes])
            if size < (126 if length_bytes == 2 else 1 << 16) or size > _MAX_LENGTH:
                raise _Violation(WSCloseCode.PROTOCOL_ERROR)
        if head[0] & 0x0F < _CLOSE and len(self._message) + size > self._max_message_bytes:
            raise _Violation(WSCloseCode.MESSAGE_TOO_BIG)
        if len(head) < end:
            return b""
        self._fin, self._opcode = bool(head[0] & 0x80), head[0] & 0x0F
        self._mask, self._left = bytes(head[end - 4 : end]), size
        if self._opcode in {_TEXT, _BINARY}:
            self._kind = self._opcode
        self._head.clear()
        return data[end - before :]

    def _check_first_bytes(self, first: int, second: int) -> None:
        opcode = first & 0x0F
        wrong = first & 0x70 or opcode not in _OPCODES or not second & 0x80
        if opcode >= _CLOSE:
            wrong = wrong or not first & 0x80 or second & 0x7F > _MAX_CONTROL_BYTES
        else:
            # A message goes on by continuations alone, and they need one that began.
            wrong = wrong or (opcode == _CONTINUATION) != (self._kind is not None)
        if wrong:
            raise _Violation(WSCloseCode.PROTOCOL_ERROR)

    def _read_payload(self, taken: bytes) -> None:
        self._left -= len(taken)
        plain = _unmask(taken, self._mask)
        # The next bytes go on in the middle of the mask.
        turn = len(taken) % 4
        self._mask = self._mask[turn:] + self._mask[:turn]
        assert self._opcode is not None
        if self._opcode >= _CLOSE:
            self._control += plain
            return
        if self._kind == _TEXT:
            self._decode(plain, final=self._fin and not self._left)
        self._message += plain

    def _decode(self, plain: bytes, *, final: bool) -> None:
        try:
            self._text.decode(plain, final)
        except UnicodeDecodeError:
            raise _Violation(WSCloseCode.INVALID_TEXT) from None

    def _end_frame(self, out: list[bytes]) -> None:
        opcode, self._opcode = self._opcode, None
        assert opcode is not None
        if opcode >= _CLOSE:
            if opcode == _CLOSE:
                _check_close(bytes(self._control))
                self.done = True
            out.append(_frame(opcode, self._control))
            self._control.clear()
        elif self._fin:
            assert self._kind is not None
            out.append(_frame(self._kind, self._message))
            self._message.clear()
            self._kind = None


def _unmask(data: bytes, mask: bytes) -> bytes:
    # One operation on large numbers is as fast as a loop in C.
    stream = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data) ^ int.from_bytes(stream)).to_bytes(len(data))


def _check_close(payload: bytes) -> None:
    """RFC 6455, section 7.4: 1004-1006 and 1015 are never sent; the registry has nothing from 1016 on."""
    if not payload:
        return
    code = int.from_bytes(payload[:2])
    registered = 1000 <= code <= 1014 and code not in {1004, 1005, 1006}
    if len(payload) == 1 or not (registered or 3000 <= code <= 4999):
        raise _Violation(WSCloseCode.PROTOCOL_ERROR)
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise _Violation(WSCloseCode.INVALID_TEXT) from None


def _frame(opcode: int, payload: bytes | bytearray) -> bytes:
    """A whole message in one frame without a mask, which aiohttp's reader takes too."""
    if len(payload) < 126:
        return struct.pack("!BB", 0x80 | opcode, len(payload)) + payload
    return struct.pack("!BBQ", 0x80 | opcode, 127, len(payload)) + payload
