"""Make the screenshots: a real daemon with made-up agents and today's made-up usage, drawn at two sizes.

Everything lives in a temporary folder with its own home, so nothing of the person who runs it is ever shown.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from clown_tui.app import dashboard
from clown_tui.settings import Settings
from tests.support.real_daemon import RealDaemon, running_daemon
from tests.support.waiting import until

HERE = Path(__file__).parent
SIZES = ((120, 40), (80, 24))
AGENT = (
    '#!/bin/sh\n[ "$1" = --version ] && { echo "1.4.2"; exit 0; }\ncase "$*" in *fail*) exit 3;; esac\nexec sleep 600\n'
)
PROFILES = (
    ("work", "claude", "claude-sonnet-4-5"),
    ("review", "claude", "claude-haiku-4-5"),
    ("personal", "claude", "claude-opus-4-5"),
    ("nightly", "claude", "claude-haiku-4-5"),
    ("lab", "claude", "claude-sonnet-4-5"),
)
RUNNING = {"work": [], "review": [], "lab": ["fail"]}
RESPONSES = {"work": 60, "review": 40, "personal": 12}


def _records(alias: str, model: str, count: int, now: float) -> Iterator[str]:
    for number in range(count):
        at = now - number * 13 - len(alias)
        usage = {
            "input_tokens": 40 + number * 7 % 900,
            "output_tokens": 300 + number * 37 % 1500,
            "cache_creation_input_tokens": 200 * (number % 5),
            "cache_read_input_tokens": 20_000 + number * 911 % 30_000,
        }
        yield json.dumps(
            {
                "type": "assistant",
                "sessionId": f"00000000-0000-4000-8000-{number // 20:012}",
                "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".000Z",
                "requestId": f"req_{alias}_{number}",
                "uuid": f"{alias}-{number}",
                "message": {
                    "id": f"msg_{alias}_{number}",
                    "type": "message",
                    "role": "assistant",
                    "model": model,
                    "stop_reason": "end_turn",
                    "usage": usage,
                },
            }
        )


def _write_logs(home: Path, alias: str, model: str, count: int, now: float) -> None:
    folder = home / "projects" / "-home-dev-src"
    folder.mkdir(parents=True, exist_ok=True)
    lines = sorted(_records(alias, model, count, now), key=lambda line: str(json.loads(line)["timestamp"]))
    (folder / f"{alias}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


async def _seed(daemon: RealDaemon) -> None:
    now = time.time()
    for alias, agent, model in PROFILES:
        body = {"alias": alias, "agent_id": agent, "provider_id": "anthropic", "model": model}
        await daemon.ask("POST", "/api/profiles", body)
        detail = await daemon.ask("GET", f"/api/profiles/{alias}")
        if alias in RESPONSES:
            _write_logs(Path(detail["profile_home"]) / ".claude", alias, model, RESPONSES[alias], now)
    await daemon.ask("POST", "/api/budgets", {"period": "day", "limit_usd": 5})
    for alias in ("work", "review"):
        await daemon.ask("POST", f"/api/proxy/{alias}/start")
    _write_logs(daemon.root / "home" / ".claude", "loose", "claude-sonnet-4-5", 5, now)
    for alias, args in RUNNING.items():
        await daemon.ask("POST", f"/api/profiles/{alias}/run", {"args": args})


async def _draw(url: str, width: int, height: int) -> str:
    app = dashboard(Settings(url=url, start=False))
    async with app.run_test(size=(width, height)) as pilot:
        await until(lambda: app.model.live and len(app.model.usage) > len(RESPONSES) - 1, seconds=30)
        await pilot.pause(2)
        return app.export_screenshot(title="clown-tui")


async def main() -> None:
    """Make every screenshot."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["CLOWN_HOME"] = str(root / "clown")
        for name in ("claude", "codex", "opencode"):
            binary = root / "bin" / name
            binary.parent.mkdir(parents=True, exist_ok=True)
            binary.write_text(AGENT)
            binary.chmod(0o755)
        async with running_daemon(root) as daemon:
            first = asyncio.create_task(_draw(daemon.url, *SIZES[0]), name="first")
            await asyncio.sleep(0)
            await _seed(daemon)
            drawings = [await first, *[await _draw(daemon.url, *size) for size in SIZES[1:]]]
            for (width, height), drawing in zip(SIZES, drawings, strict=True):
                (HERE / f"dashboard-{width}x{height}.svg").write_text(drawing, encoding="utf-8")


asyncio.run(main())
