"""Connections of another user of this machine: a child program that gave up its rights, where we have them to give."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY = 65534
needs_other_user = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")

PROGRAM = Path(__file__).with_name("raw_caller.py")


class RawCaller:
    """Sends bytes as they are, from one user's program, and answers what came back."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def call(self, host: str, port: int, request: bytes) -> bytes:
        """One connection: send everything, and answer the reply as it came."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        question = {"host": host, "port": port, "request": base64.b64encode(request).decode()}
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return base64.b64decode(self._process.stdout.readline())


@contextmanager
def raw_caller(uid: int | None = None) -> Iterator[RawCaller]:
    """A program that calls, of this user or of another one; one program for any number of calls."""
    process = subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM), *([] if uid is None else [str(uid)])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield RawCaller(process)
    finally:
        process.communicate()
