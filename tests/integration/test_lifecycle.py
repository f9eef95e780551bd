"""Starting, stopping and failing, tried as a new user would: one clear sentence, the right exit code."""

import asyncio
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import websockets

from tests.support.command_line import clown_daemon
from tests.support.real_daemon import RealDaemon, clean_environment, running_daemon
from tests.support.waiting import until


async def test_start_status_and_stop_tell_the_same_story(tmp_path: Path) -> None:
    environ = clean_environment(tmp_path)
    code, out, err = await clown_daemon(environ, "status", "--json", cwd=tmp_path)
    assert (code, json.loads(out)["running"]) == (3, False), err
    code, out, err = await clown_daemon(environ, "start", "--port", "0", "--json", cwd=tmp_path)
    assert code == 0, err
    started = json.loads(out)
    code, out, err = await clown_daemon(environ, "status", "--json", cwd=tmp_path)
    assert (code, json.loads(out)) == (0, started), err
    assert started["state_dir"] == str(tmp_path / "clown" / "state")
    code, again, err = await clown_daemon(environ, "start", "--json", cwd=tmp_path)
    assert (code, json.loads(again)["pid"]) == (0, started["pid"]), err
    code, out, err = await clown_daemon(environ, "stop", cwd=tmp_path)
    assert code == 0, err
    assert f"stopped (pid {started['pid']})" in out
    code, _, _ = await clown_daemon(environ, "status", cwd=tmp_path)
    assert code == 3


async def test_status_says_what_does_not_work(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon:
        prices = tmp_path / "clown" / "prices.toml"
        prices.write_text("[models.mine]\ninput = 'three'\noutput = 15\n")

        async def told() -> bool:
            return bool((await daemon.ask("GET", "/api/daemon/status"))["problems"])

        await until(told)
        problem = (
            f"your prices in {prices} are not used: models.mine.input is no number of US dollars per million tokens"
        )
        code, out, err = await clown_daemon(daemon.environ, "status", cwd=tmp_path)
        assert (code, err) == (0, "")
        assert f"problem  {problem}\n" in out
        _, out, _ = await clown_daemon(daemon.environ, "status", "--json", cwd=tmp_path)
        assert json.loads(out)["problems"] == [problem]


async def test_a_port_taken_by_something_else_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = await clown_daemon(clean_environment(tmp_path), "--port", str(port), cwd=tmp_path)
        assert code == 1
        assert f"port {port} is already in use by" in err
        assert f"(pid {os.getpid()})" in err
        assert "hint:" in err
        assert "Traceback" not in err


async def test_a_second_daemon_on_the_same_state_is_refused(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon:
        code, _, err = await clown_daemon(daemon.environ, "--port", "0", cwd=tmp_path)
        assert code == 1
        assert "already runs on this state folder" in err


async def test_an_unwritable_state_folder_is_one_sentence(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    environ = {**clean_environment(tmp_path), "CLOWN_HOME": str(blocked / "clown")}
    code, _, err = await clown_daemon(environ, "--port", "0", cwd=tmp_path)
    assert code == 1
    assert "cannot be created" in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("port = [", "is not valid TOML"),
        ("prot = 1", "did you mean port?"),
        ('port = "x"', "does not fit"),
        ("port = 70000", "is no port"),
    ],
)
async def test_a_corrupt_configuration_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    environ = clean_environment(tmp_path)
    config = tmp_path / "clown" / "config.toml"
    config.parent.mkdir()
    config.write_text(text)
    code, _, err = await clown_daemon(environ, cwd=tmp_path)
    assert code == 2
    assert sentence in err
    assert "Traceback" not in err


async def test_an_idle_daemon_ends_by_itself_and_says_why(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path, CLOWN_IDLE_TIMEOUT_SECS="0.5")
    await daemon.start()
    frames: list[dict[str, Any]] = []
    async with websockets.connect(f"ws://127.0.0.1:{daemon.port}/ws?passive=1", proxy=None) as connection:
        with pytest.raises(websockets.ConnectionClosedOK):
            while True:
                frames.append(json.loads(await asyncio.wait_for(connection.recv(), 20)))  # it ends by raising
        assert connection.close_code == 1001
        assert connection.close_reason == "idle_timeout"
    assert frames[-1]["type"] == "DaemonShuttingDown"
    assert frames[-1]["data"] == {"reason": "idle_timeout"}
    assert await daemon.stop() == 0


async def test_a_watched_daemon_stays(tmp_path: Path) -> None:
    async with running_daemon(tmp_path, CLOWN_IDLE_TIMEOUT_SECS="0.4") as daemon:
        async with websockets.connect(f"ws://127.0.0.1:{daemon.port}/ws", proxy=None) as connection:
            with pytest.raises(TimeoutError):
                while "ShuttingDown" not in str(await asyncio.wait_for(connection.recv(), 1.5)):
                    pass
        process = daemon.process
        assert process is not None
        await until(lambda: process.returncode is not None)


async def test_garbage_on_the_stream_is_answered_and_the_daemon_lives(tmp_path: Path) -> None:
    async with running_daemon(tmp_path) as daemon:
        async with websockets.connect(f"ws://127.0.0.1:{daemon.port}/ws", proxy=None) as connection:
            await connection.send("{garbage")
            while (frame := json.loads(await connection.recv()))["type"] != "Error":
                pass
            assert frame["data"]["code"] == "bad_json"
            await connection.send(b"\x00\x01")
            with pytest.raises(websockets.ConnectionClosedError):
                while True:
                    await connection.recv()
            assert connection.close_code == 1003
        assert (await daemon.call("GET", "/api/health")).status_code == 200


async def test_a_broken_manifest_and_an_unreadable_log_folder_are_told_not_fatal(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    manifests = tmp_path / "clown" / "agents.d"
    manifests.mkdir(parents=True)
    (manifests / "broken.toml").write_text('id = "x"\nname = "X"\nbianry = "x"\n')
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    (tmp_path / "home" / ".claude" / "projects").write_text("not a folder")
    await daemon.start()

    async def told() -> bool:
        snapshot = await daemon.ask("GET", "/api/snapshot")
        return any("broken.toml:3" in problem for problem in snapshot["daemon"]["problems"])

    await until(told)
    await daemon.stop()


async def test_a_hanging_agent_is_bounded_and_named(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    daemon.add_agent("hang", "#!/bin/sh\nsleep 600\n")
    daemon.add_agent("quick", "#!/bin/sh\necho 1.0.0\n")
    await daemon.start()

    async def told() -> bool:
        agents = {agent["id"]: agent for agent in (await daemon.ask("GET", "/api/snapshot"))["agents"]}
        return agents.get("quick", {}).get("version") == "1.0.0" and bool(agents.get("hang", {}).get("problem"))

    await until(told)
    await daemon.stop()


async def test_a_stopped_daemon_takes_its_runs_along(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    daemon.add_agent("quick", '#!/bin/sh\n[ "$1" = --version ] && { echo 1.0.0; exit; }\nexec sleep 600\n')
    await daemon.start()

    async def started() -> bool:
        await daemon.call("POST", "/api/profiles", {"alias": "w", "agent_id": "quick", "provider_id": "anthropic"})
        return (await daemon.call("POST", "/api/profiles/w/run", {"args": []})).status_code in {201, 202, 409}

    await until(started)
    pid = (await daemon.ask("GET", "/api/snapshot"))["profiles"][0]["run"]["pid"]
    assert await daemon.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_a_second_signal_gives_a_stubborn_run_no_more_time(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path, CLOWN_STOP_GRACE_SECS="600")
    script = "#!/bin/sh\n[ \"$1\" = --version ] && { echo 1.0.0; exit; }\ntrap '' TERM\nwhile :; do sleep 1; done\n"
    daemon.add_agent("stubborn", script)
    await daemon.start()

    async def started() -> bool:
        await daemon.call("POST", "/api/profiles", {"alias": "w", "agent_id": "stubborn", "provider_id": "anthropic"})
        return (await daemon.call("POST", "/api/profiles/w/run", {"args": []})).status_code in {202, 409}

    await until(started)
    process = daemon.process
    assert process is not None
    process.terminate()
    log = tmp_path / "clown" / "logs" / "daemon.log"
    await until(lambda: "stopping: signal" in log.read_text())
    process.terminate()
    assert await daemon.stop() == 0
