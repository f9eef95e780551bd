"""A service manager's part of socket activation: it holds the sockets, starts the daemon on a connection, and again."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from tests.support.real_daemon import START_SECONDS, clean_environment

# Moves the descriptors to 3, 4, ... and becomes the daemon; only the process itself knows the pid to put in LISTEN_PID.
_BECOME = """
import os, sys
count = int(sys.argv[1])
passed = [os.dup(int(text)) for text in sys.argv[2:2 + count]]
high = [os.dup2(descriptor, 200 + n) for n, descriptor in enumerate(passed)]
for n, descriptor in enumerate(high):
    os.dup2(descriptor, 3 + n, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="clown-daemon.socket")
os.environ.setdefault("LISTEN_FDS", str(count))
os.execv(sys.executable, [sys.executable, "-m", "clown_daemon", *sys.argv[2 + count:]])
"""


def loopback_sockets(port: int = 0) -> list[socket.socket]:
    """Listen as the socket unit does: on 127.0.0.1 and on ::1, on one port."""
    first = socket.create_server(("127.0.0.1", port))
    port = first.getsockname()[1]
    try:
        return [first, socket.create_server(("::1", port), family=socket.AF_INET6)]
    except OSError:
        return [first]  # no IPv6 on this machine


async def activate(
    environ: dict[str, str], passed: Sequence[int], *arguments: str, cwd: Path
) -> asyncio.subprocess.Process:
    """Start the daemon with descriptors passed on."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _BECOME, str(len(passed)), *map(str, passed), *arguments),
        env=environ,
        cwd=cwd,
        pass_fds=tuple(passed),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


class SocketUnit:
    """Does what systemd does for a socket unit: while no daemon runs, a connection that waits starts one."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.root = root
        self.environ = {**clean_environment(root), **environ}
        self.sockets = loopback_sockets()
        self.port = self.sockets[0].getsockname()[1]
        self.process: asyncio.subprocess.Process | None = None
        self.exits: list[int] = []
        """How the daemons so far ended."""
        self._errors = b""

    async def run(self) -> None:
        """Start daemons as they are needed, for ever."""
        while True:
            await self._connection()
            self.process = await activate(self.environ, [s.fileno() for s in self.sockets], cwd=self.root)
            _, self._errors = await self.process.communicate()
            self.exits.append(self.process.returncode or 0)
            assert self.exits[-1] == 0, self._errors.decode()

    async def close(self) -> None:
        """Stop the daemon that runs, if any, and let go of the sockets."""
        if self.process is not None and self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), START_SECONDS)
        for listening in self.sockets:
            listening.close()

    async def _connection(self) -> None:
        loop = asyncio.get_running_loop()
        waiting = asyncio.Event()
        for listening in self.sockets:
            loop.add_reader(listening, waiting.set)
        try:
            await waiting.wait()
        finally:
            for listening in self.sockets:
                loop.remove_reader(listening)


@contextlib.asynccontextmanager
async def socket_unit(root: Path, **environ: str) -> AsyncIterator[SocketUnit]:
    """A socket unit whose daemon is gone afterwards."""
    unit = SocketUnit(root, **environ)
    task = asyncio.create_task(unit.run(), name="socket unit")
    try:
        yield unit
        if task.done():
            task.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await unit.close()


@contextlib.contextmanager
def notify_socket(address: str) -> Iterator[socket.socket]:
    """Listen for datagrams as a service manager does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.setblocking(False)
        yield listening
