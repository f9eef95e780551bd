"""Cheap clients in a process of their own: raw sockets that count WebSocket frames by their lengths.

A WebSocket library would be the slowest part of the run and hide the server. Runs of frames of one size are checked
header by header with strided slices; anything else is parsed frame by frame. Prints one JSON object at the end.
"""

import base64
import json
import os
import selectors
import socket
import sys
import time
from array import array

STAMP = b'"sent_ns":'


class Counter:
    """One connection: how many frames came, and when they had been sent if they say so."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(1)
        assert b" 101 " in head.split(b"\r\n")[0], head
        self.socket.setblocking(False)
        self.frames = 0
        self._rest = b""

    def read(self, latencies: "array[float] | None") -> None:
        """Take what is there and count the whole frames in it."""
        data = self._rest + self.socket.recv(1 << 18)
        now = time.monotonic_ns()
        start = 0
        while (size := _frame_size(data, start)) and start + size <= len(data):
            count = 1 if latencies is not None else _run(data, start, size)
            if latencies is not None:
                stamp = data.index(STAMP, start) + len(STAMP)
                latencies.append((now - int(data[stamp : stamp + 20])) / 1e6)
            self.frames += count
            start += size * count
        self._rest = data[start:]


def _frame_size(data: bytes, start: int) -> int:
    """The length of the text frame at `start` with its header (RFC 6455, section 5.2), 0 while that is not whole."""
    if len(data) < start + 10:
        return 0
    assert data[start] == 0x81, "not a text frame of one fragment"
    length = data[start + 1]
    if length < 126:
        return 2 + length
    if length == 126:
        return 4 + int.from_bytes(data[start + 2 : start + 4])
    return 10 + int.from_bytes(data[start + 2 : start + 10])


def _run(data: bytes, start: int, size: int) -> int:
    """How many frames with the same header follow one another from `start`; at least 1."""
    count = (len(data) - start) // size
    header = 2 if data[start + 1] < 126 else 4
    for offset in range(header):
        column = data[start + offset : start + count * size : size]
        if column != column[:1] * count:
            return 1
    return count


def main(port: int, clients: int, frames: int, *, stamped: bool) -> None:
    """Connect, say so, count until every client has all its frames, report."""
    counters = [Counter(port) for _ in range(clients)]
    selector = selectors.DefaultSelector()
    for counter in counters:
        selector.register(counter.socket, selectors.EVENT_READ, counter)
    latencies: array[float] | None = array("d") if stamped else None
    print("ready", flush=True)
    waiting = clients
    began = 0.0
    while waiting:
        for key, _ in selector.select():
            began = began or time.perf_counter()
            counter = key.data
            counter.read(latencies)
            if counter.frames >= frames:
                selector.unregister(counter.socket)
                waiting -= 1
    seconds = time.perf_counter() - began
    assert all(counter.frames == frames for counter in counters)
    report: dict[str, float] = {"frames": clients * frames, "seconds": seconds}
    if latencies:
        ordered = sorted(latencies)
        report["p50_ms"] = ordered[len(ordered) // 2]
        report["p99_ms"] = ordered[len(ordered) * 99 // 100]
        report["max_ms"] = ordered[-1]
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:4]), stamped="--stamped" in sys.argv)
