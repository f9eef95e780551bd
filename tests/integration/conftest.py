from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.real_daemon import RealDaemon, running_daemon

QUICK_AGENT = """#!/bin/sh
[ "$1" = --version ] && { echo "1.2.3"; exit 0; }
echo "out $1"; echo "err" >&2
case "$1" in sleep) exec sleep 60 ;; fail) exit 3 ;; esac
"""


@pytest.fixture
async def daemon(tmp_path: Path) -> AsyncIterator[RealDaemon]:
    fresh = RealDaemon(tmp_path)
    fresh.add_agent("quick", QUICK_AGENT)
    async with running_daemon(tmp_path) as running:
        yield running
