"""The opening handshake of a WebSocket (RFC 6455, section 4.2), and the socket that a good one opens."""

import base64
import binascii

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import HttpVersion11

from clown_daemon.api.connection import Connection
from clown_daemon.api.frames import StrictFrames
from clown_daemon.api.problems import problem_response
from clown_daemon.protocol.problems import ProblemCode

CLOSE_SECONDS = 2
"""How long a client may take to answer a close, and again to take what is left."""
VERSION = "13"


class StreamSocket(web.WebSocketResponse):
    """A WebSocket as the daemon serves it: never compressed, frames read strictly, messages up to a bound.

    A close of the client ends iteration; `answer_close` replies with its own code.
    """

    def __init__(self, max_message_bytes: int, *, autoping: bool = True) -> None:
        # One byte more: aiohttp refuses a message that reaches its bound, the contract one that passes it.
        super().__init__(
            compress=False,
            max_msg_size=max_message_bytes + 1,
            timeout=CLOSE_SECONDS,
            autoclose=False,
            autoping=autoping,
        )
        self._frames = StrictFrames(max_message_bytes)

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Shake hands; `refuse_handshake` has let the request pass."""
        assert isinstance(request.protocol, Connection)
        request.protocol.expect_frames(self._frames)
        return await super().prepare(request)

    async def answer_close(self) -> None:
        """Close with the code that the client closed with; without effect when the daemon closed first."""
        await self.close(code=self.close_code or 1000, drain=False)


def refuse_handshake(request: web.Request) -> web.Response | None:
    """Answer what is wrong with a handshake, or None."""
    headers = request.headers
    if "Upgrade" not in headers:
        return _upgrade_required("this is a WebSocket", Upgrade="websocket", Connection="Upgrade")
    connection = {token.strip().lower() for value in headers.getall("Connection", []) for token in value.split(",")}
    if headers["Upgrade"].strip().lower() != "websocket" or "upgrade" not in connection:
        return problem_response(ProblemCode.BAD_REQUEST, "the handshake asks for no WebSocket")
    if request.version < HttpVersion11:
        return problem_response(ProblemCode.BAD_REQUEST, "a WebSocket needs HTTP/1.1")
    if headers.getall("Sec-WebSocket-Version", []) != [VERSION]:
        return _upgrade_required(
            f"only version {VERSION} of WebSocket is spoken here", **{"Sec-WebSocket-Version": VERSION}
        )
    if not _is_key(headers.getall("Sec-WebSocket-Key", [])):
        return problem_response(ProblemCode.BAD_REQUEST, "Sec-WebSocket-Key is not the base64 of 16 bytes")
    return None


def _upgrade_required(sentence: str, **headers: str) -> web.Response:
    return problem_response(
        ProblemCode.UPGRADE_REQUIRED, sentence, hint="connect with a WebSocket client", headers=headers
    )


def _is_key(values: list[str]) -> bool:
    if len(values) != 1:
        return False
    try:
        return len(base64.b64decode(values[0].encode("ascii"), validate=True)) == 16
    except (binascii.Error, UnicodeEncodeError):
        return False
