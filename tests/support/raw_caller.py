"""A program that calls a listener with raw bytes, as another user if told one. One line in, one line out."""

import base64
import json
import os
import socket
import sys

SECONDS = 20


def answer(host: str, port: int, request: bytes) -> bytes:
    # No name is looked up: another user may not be able to read the code for that.
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect((host, port))
        connection.sendall(request)
        received = b""
        while not is_whole(received):
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
        return received


def is_whole(reply: bytes) -> bool:
    """Whether the head is there, and as much body as it says; an upgrade says nothing and has none."""
    head, end, body = reply.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(end) and len(body) >= int(sizes[0] if sizes else 0)


def main() -> None:
    if len(sys.argv) > 1:
        os.setgroups([])
        os.setgid(int(sys.argv[1]))
        os.setuid(int(sys.argv[1]))
    for line in sys.stdin:
        question = json.loads(line)
        received = answer(question["host"], question["port"], base64.b64decode(question["request"]))
        sys.stdout.write(base64.b64encode(received).decode() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
