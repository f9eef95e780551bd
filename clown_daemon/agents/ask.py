"""Runs a program for a moment and keeps what it says: no shell, no terminal, bounded in time and bytes.

The program gets its own session, so that everything it started dies with it when the time is up.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LIMIT_BYTES = 64 * 1024
LINGER_SECONDS = 0.2
"""How long output is waited for after the program itself ended: something it started may hold the pipe for ever."""
REAP_SECONDS = 2


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a program said."""

    exit_code: int | None
    """None: it did not end in time, or never started. Minus the number of the signal that killed it."""
    stdout: str = ""
    stderr: str = ""
    error: str | None = None
    """Why it could not be started."""


async def ask(argv: Sequence[str], *, environ: Mapping[str, str], timeout_seconds: float) -> Answer:
    """Run a program until it ends or the time is up; nothing of it is left afterwards.

    Args:
        argv: the program's absolute path and its arguments.
        environ: its whole environment.
        timeout_seconds: then its process group is killed.
    """
    async with contextlib.AsyncExitStack() as stack:
        out, out_end = await _pipe(stack)
        err, err_end = await _pipe(stack)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out_end,
                stderr=err_end,
                cwd="/",
                env=dict(environ),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Answer(exit_code=None, error=_reason(error))
        finally:
            os.close(out_end)
            os.close(err_end)
        code = await _watch(process, (out, err), timeout_seconds)
        return Answer(exit_code=code, stdout=out.text, stderr=err.text)


async def _watch(
    process: asyncio.subprocess.Process, outputs: tuple["_Output", ...], timeout_seconds: float
) -> int | None:
    closed = [output.closed for output in outputs]
    try:
        async with asyncio.timeout(timeout_seconds):
            code = await process.wait()
        await asyncio.wait(closed, timeout=LINGER_SECONDS)
    except TimeoutError:
        return None
    else:
        return code
    finally:
        # An open pipe means that somebody of the group is alive, so its number cannot have been given to another.
        if process.returncode is None or not all(future.done() for future in closed):
            await _kill(process)


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REAP_SECONDS):
            await process.wait()


class _Output(asyncio.Protocol):
    """Collects the first bytes of a pipe; beyond the limit the pipe is closed, which ends most writers."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._bytes = bytearray()
        self._transport: asyncio.BaseTransport | None = None

    @property
    def text(self) -> str:
        return self._bytes[:LIMIT_BYTES].decode("utf-8", errors="replace")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        if len(self._bytes) >= LIMIT_BYTES and self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # A broken pipe is an ended one.
        if not self.closed.done():
            self.closed.set_result(None)


async def _pipe(stack: contextlib.AsyncExitStack) -> tuple[_Output, int]:
    """Make a pipe: what arrives at our end, and the number of the end that a child gets."""
    ours, theirs = os.pipe()
    try:
        transport, output = await asyncio.get_running_loop().connect_read_pipe(_Output, os.fdopen(ours, "rb", 0))
    except BaseException:
        os.close(theirs)
        raise
    stack.callback(transport.close)
    return output, theirs


def _reason(error: OSError | ValueError) -> str:
    return error.strerror.lower() if isinstance(error, OSError) and error.strerror else str(error)
