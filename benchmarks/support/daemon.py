"""A real daemon in a child process, and what it says of itself at `/metrics`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from prometheus_client.parser import text_string_to_metric_families

from tests.support.real_daemon import clean_environment

START_SECONDS = 20

Facts = dict[str, float]
"""Values by metric; those with labels are added up, and stand there as `name{label="value"}` too."""


class ChildDaemon:
    """Can be started, killed and started again on the same port and state. What it prints goes to a file."""

    def __init__(self, root: Path, **environ: str) -> None:
        self.root = root
        self.port = 0
        self.pid = 0
        self._environ = {**clean_environment(root), "CLOWN_IDLE_TIMEOUT_SECS": "0", **environ}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        reading, writing = os.pipe()
        with (self.root / "daemon.out").open("ab") as out:
            self._process = subprocess.Popen(
                (sys.executable, "-m", "clown_daemon", "--ready-fd", str(writing), "--port", str(self.port)),
                env=self._environ,
                cwd=self.root,
                pass_fds=(writing,),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            facts = json.loads(pipe.readline() or "{}")
        if "url" not in facts:
            raise RuntimeError(f"no daemon: {(self.root / 'daemon.out').read_text('utf-8')[-2000:]}")
        self.pid = facts["pid"]
        self.port = int(facts["url"].rsplit(":", 1)[1])

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it, the hard way unless asked otherwise, and wait for its end."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(number)
            process.wait(START_SECONDS)

    def call(self, method: str, path: str, body: object = None) -> bytes:
        """One HTTP call that must succeed."""
        request = urllib.request.Request(  # our own daemon
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=START_SECONDS) as reply:
            return bytes(reply.read())

    def metrics(self) -> Facts:
        """What the daemon says of itself."""
        facts: Facts = {}
        for family in text_string_to_metric_families(self.call("GET", "/metrics?passive=1").decode()):
            for sample in family.samples:
                if sample.labels:
                    labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
                    facts[f"{sample.name}{{{labels}}}"] = sample.value
                facts[sample.name] = facts.get(sample.name, 0.0) + sample.value
        return facts


@contextlib.contextmanager
def child_daemon(root: Path, **environ: str) -> Iterator[ChildDaemon]:
    """A running daemon that is gone afterwards, also when the benchmark is interrupted or told to end."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    daemon = ChildDaemon(root, **environ)
    daemon.start()
    try:
        yield daemon
    finally:
        daemon.kill(signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)


def resident_bytes(pid: int) -> int:
    """The resident memory of a process; `/proc` is read, which asks the process nothing."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
