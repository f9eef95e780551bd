"""One child: an asyncio subprocess in a session of its own, what it prints in a bounded buffer.

Built on the subprocess protocol, not on `asyncio.create_subprocess_exec`: there the exit may be told only after the
pipes are closed, and a grandchild can hold those open for ever.
"""

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clown_daemon.errors import ClownError
from clown_daemon.processes.output import OutputBuffer, Stream

READ_BYTES_PER_SECOND = 8 * 1024 * 1024
"""A child that floods waits in its own pipe; reading on without a rest would keep the event loop from anybody else."""
FREE_BYTES = 16 * 1024
"""Smaller reads are never slowed."""

_STREAMS: dict[int, Stream] = {1: "stdout", 2: "stderr"}


class SpawnError(ClownError):
    """A child could not be started.

    Attributes:
        missing: True when the program itself is not there.
    """

    def __init__(self, message: str, *, hint: str | None = None, missing: bool = False) -> None:
        self.missing = missing
        super().__init__(message, hint=hint)


@dataclass(frozen=True, kw_only=True)
class Command:
    """What to start. The environment may hold a key and arguments a prompt, so `repr` shows neither."""

    argv: tuple[str, ...] = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)
    working_dir: Path
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts that are blanked in what the child prints."""
    orders: bytes | None = field(default=None, repr=False)
    """Written to its standard input, which then stays open until the daemon ends; None: it has none."""
    descriptors: tuple[int, ...] = ()
    """Open files that it inherits, under the same numbers."""


class Child(asyncio.SubprocessProtocol):
    """The running program and its pipes.

    Args:
        output: where what it prints goes.
    """

    def __init__(self, output: OutputBuffer) -> None:
        self.output = output
        self.exit_code: int | None = None
        """The exit status, or minus the number of the signal that ended it; None while it runs."""
        self.ended = asyncio.Event()
        """Set when the program has ended and was reaped; its pipes may be open still."""
        self.drained = asyncio.Event()
        """Set when both pipes have ended."""
        self._open_pipes = set(_STREAMS)
        self._transport: asyncio.SubprocessTransport | None = None

    @property
    def pid(self) -> int:
        """The program's pid, which is also its session and its process group."""
        assert self._transport is not None  # `spawn` answers only children that were started
        return self._transport.get_pid()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # what asyncio promises
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.output.feed(_STREAMS[fd], data)
        if len(data) > FREE_BYTES:
            self._rest(fd, len(data) / READ_BYTES_PER_SECOND)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:  # noqa: ARG002  # a broken pipe is an end
        self._open_pipes.discard(fd)
        if not self._open_pipes:
            self.drained.set()

    def process_exited(self) -> None:
        assert self._transport is not None  # it was made before it exited
        self.exit_code = self._transport.get_returncode()
        self.ended.set()

    def tell(self, orders: bytes) -> None:
        """Write to its standard input; what a child that has ended is told is lost."""
        pipe = None if self._transport is None else self._transport.get_pipe_transport(0)
        if isinstance(pipe, asyncio.WriteTransport) and not pipe.is_closing():
            pipe.write(orders)

    async def close(self, *, drain_seconds: float) -> None:
        """Read what is still in the pipes, wait for their end no longer than given, and let go of them."""
        try:
            async with asyncio.timeout(drain_seconds):
                await self.drained.wait()
        except TimeoutError:
            # Somebody else holds the other end; whatever it prints belongs to nobody.
            pass
        self.output.finish()
        if self._transport is not None:
            self._transport.close()

    def _rest(self, fd: int, seconds: float) -> None:
        pipe = self._pipe(fd)
        if pipe is None or pipe.is_closing():
            return
        pipe.pause_reading()
        asyncio.get_running_loop().call_later(seconds, self._go_on, fd)

    def _go_on(self, fd: int) -> None:
        pipe = self._pipe(fd)
        if pipe is not None and not pipe.is_closing():
            pipe.resume_reading()

    def _pipe(self, fd: int) -> asyncio.ReadTransport | None:
        pipe = None if self._transport is None else self._transport.get_pipe_transport(fd)
        return pipe if isinstance(pipe, asyncio.ReadTransport) else None


async def spawn(command: Command, output: OutputBuffer) -> Child:
    """Start a program in a session of its own.

    Raises:
        SpawnError: the kernel refused, or the program or its folder is not there.
    """
    loop = asyncio.get_running_loop()
    try:
        _, child = await loop.subprocess_exec(
            lambda: Child(output),
            *command.argv,
            stdin=subprocess.DEVNULL if command.orders is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=command.working_dir,
            env=dict(command.environ),
            start_new_session=True,
            pass_fds=command.descriptors,
        )
    except (OSError, ValueError) as error:
        raise spawn_error(command.argv[0], command.working_dir, error) from error
    if command.orders is not None:
        child.tell(command.orders)
    return child


def spawn_error(program: str, working_dir: Path, error: Exception) -> SpawnError:
    """Put what Popen raised into a sentence."""
    match error:
        # The kernel names no file; Popen names the folder when it is the folder that is missing.
        case FileNotFoundError() if str(error.filename) != str(working_dir):
            return SpawnError(f"{program} is not there, or its interpreter is not", missing=True)
        case OSError(strerror=str() as reason):
            where = f" in {error.filename}" if str(error.filename) == str(working_dir) else ""
            hint = f"check that {error.filename or program} may be used by you"
            return SpawnError(f"{program} could not be started{where}: {reason}", hint=hint)
        case _:
            return SpawnError(f"{program} could not be started: its arguments hold a character that no program can get")
