"""A client of the stream on a bare socket, for what no library would do: never reading, flooding, going silent."""

import base64
import os
import socket
from typing import Self


class RawStream:
    """Shakes hands and reads nothing by itself. Its receive buffer is small, so that not reading is noticed soon."""

    def __init__(self, port: int, query: str = "", *, receive_buffer: int = 4096) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one masked frame; blocks while the daemon does not read."""
        self.socket.sendall(masked_frame(opcode, payload))

    def read_to_the_end(self) -> bytes:
        """Take everything until the daemon ends the connection, which it may do in any way."""
        taken = bytearray()
        try:
            while data := self.socket.recv(1 << 16):
                taken += data
        except ConnectionError:
            pass  # an aborted connection is reset
        return bytes(taken)


def masked_frame(opcode: int, payload: bytes) -> bytes:
    """One final frame as a client sends it, masked with zeros (RFC 6455, section 5.2)."""
    length = len(payload)
    if length < 126:
        head = (0x80 | length).to_bytes(1)
    elif length < 1 << 16:
        head = b"\xfe" + length.to_bytes(2)
    else:
        head = b"\xff" + length.to_bytes(8)
    return (0x80 | opcode).to_bytes(1) + head + b"\0\0\0\0" + payload
