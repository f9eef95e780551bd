"""Proxies of a real daemon: what is told of them, and that nobody who asks through one notices what befalls it."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from tests.support.metered import KEY, LAST_CHUNK, MODEL, Metered, metered, stream_pieces
from tests.support.raw_upstream import ask
from tests.support.waiting import until


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Metered]:
    async with metered(tmp_path) as found:
        await found.add_profile()
        yield found


async def test_a_proxy_is_started_told_and_shown(bench: Metered) -> None:
    before = await bench.daemon.ask("GET", "/api/proxy/status/work")
    assert before == {"profile": "work", "enabled": False, "port": None, "pid": None, "status": "stopped"}
    status = await bench.start_proxy()
    assert status == {**before, "enabled": True, "port": status["port"], "pid": status["pid"], "status": "running"}
    [summary] = await bench.daemon.ask("GET", "/api/proxy/status")
    assert summary.keys() == {"profile", "port", "pid", "status", "restarts", "started_at"}
    assert (await bench.daemon.ask("GET", "/api/daemon/status"))["active_proxies"] == 1
    data = {"profile": "work", "port": status["port"], "pid": status["pid"]}
    assert await bench.events() == [
        ("ProxyUpdated", {"profile": "work", "changes": ["status"]}),
        ("ProxyStarted", data),
    ]
    reply = await bench.daemon.call("POST", "/api/proxy/work/start")
    assert (reply.status_code, reply.json()["code"]) == (409, "proxy_running")


async def test_what_passes_is_metered_and_counted(bench: Metered) -> None:
    port = (await bench.start_proxy())["port"]
    bench.answer(1, fresh=100, output=20)
    bench.provider.answer_whole(b"{}", status="529 Overloaded")
    assert (await bench.ask(port)).status == 200
    assert (await bench.ask(port)).status == 529
    assert bench.provider.asked[0].header("x-api-key") == KEY

    async def counted() -> bool:
        return bool((await bench.proxy())["requests"] == 2)

    await until(counted)
    assert await bench.totals() == (100, 20)
    proxy = await bench.proxy()
    assert (proxy["errors"], proxy["last_status"], len(proxy["minutes"]) > 0) == (1, 529, True)
    metered_events = await bench.events("ProxyMetered")
    assert sum(data["requests"] for _, data in metered_events) == 2
    assert len(await bench.events("UsageUpdated")) == 1
    lines = (await bench.daemon.ask("GET", "/api/proxy/work/logs"))["lines"]
    assert "generate stub claude-sonnet-4-5 200 whole" in lines[0]
    assert "529" in lines[1]
    assert (await bench.daemon.ask("GET", "/api/proxy/work/logs?lines=1"))["lines"] == lines[1:]


async def test_a_stream_is_seen_while_it_goes_on(bench: Metered) -> None:
    port = (await bench.start_proxy())["port"]
    go_on = asyncio.Event()
    first, middle, end = stream_pieces(1)
    bench.provider.answer(first, go_on, middle + end + LAST_CHUNK)
    asking = asyncio.create_task(bench.ask(port))

    async def begun() -> bool:
        return await bench.totals() == (100, 1)

    await until(begun)
    go_on.set()
    assert (await asking).whole

    async def ended() -> bool:
        return await bench.totals() == (100, 20)

    await until(ended)


async def test_a_killed_proxy_is_mended_and_nobody_is_refused_meanwhile(bench: Metered) -> None:
    status = await bench.start_proxy()
    os.kill(status["pid"], signal.SIGKILL)
    bench.answer(1)
    assert (await bench.ask(status["port"])).status == 200
    proxy = await bench.proxy()
    assert (proxy["status"], proxy["port"], proxy["restarts"]) == ("running", status["port"], 1)
    assert proxy["pid"] != status["pid"]
    told = [(kind, data) for kind, data in await bench.events() if kind != "ProxyMetered"][2:]
    assert told == [
        ("ProxyStopped", {"profile": "work", "exit_code": -9}),
        ("ProxyStarted", {"profile": "work", "port": status["port"], "pid": proxy["pid"]}),
    ]


async def test_a_request_that_a_kill_cut_off_counts_as_far_as_it_was_billed(bench: Metered) -> None:
    status = await bench.start_proxy()
    first, _, _ = stream_pieces(1)
    bench.provider.answer(first, asyncio.Event())
    asking = asyncio.create_task(bench.ask(status["port"]))

    async def begun() -> bool:
        return await bench.totals() == (100, 1)

    await until(begun)
    os.kill(status["pid"], signal.SIGKILL)
    assert not (await asking).whole
    bench.answer(2)
    assert (await bench.ask(status["port"])).whole

    async def both() -> bool:
        return await bench.totals() == (200, 21)

    await until(both)


async def test_a_crash_loop_ends_with_its_reason_and_a_closed_port(bench: Metered) -> None:
    status = await bench.start_proxy()
    # The spool's place is taken by a file: harmless. The log's is not: no process starts with it.
    log = bench.daemon.root / "clown" / "logs" / "proxy-work.log"
    log.unlink()
    log.mkdir()
    os.kill(status["pid"], signal.SIGKILL)

    async def failed() -> bool:
        return bool((await bench.proxy())["status"] == "failed")

    await until(failed, seconds=60)
    error = (await bench.proxy())["last_error"]
    assert error.startswith("it ended 5 times within 60 s and is not started again")
    assert "IsADirectoryError" in error
    assert (await bench.events("ProxyError"))[-1] == ("ProxyError", {"profile": "work", "error": error})
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", status["port"])
    log.rmdir()
    assert (await bench.start_proxy())["port"] == status["port"]
    assert (await bench.proxy())["last_error"] is None


async def test_a_restart_puts_another_process_in_its_place(bench: Metered) -> None:
    before = await bench.start_proxy()
    after = await bench.daemon.ask("POST", "/api/proxy/work/restart")
    assert after["port"] == before["port"]
    assert after["pid"] != before["pid"]
    assert [process.pid for process in bench.children()] == [after["pid"]]
    assert (await bench.proxy())["restarts"] == 0
    told = await bench.events("ProxyStopped,ProxyStarted")
    assert [kind for kind, _ in told] == ["ProxyStarted", "ProxyStopped", "ProxyStarted"]
    bench.answer(1)
    assert (await bench.ask(after["port"])).status == 200


async def test_a_stream_under_way_ends_well_over_a_restart(bench: Metered) -> None:
    status = await bench.start_proxy()
    go_on = asyncio.Event()
    first, middle, end = stream_pieces(1)
    bench.provider.answer(first, go_on, middle + end + LAST_CHUNK)
    asking = asyncio.create_task(bench.ask(status["port"]))
    await until(lambda: len(bench.provider.asked) == 1)
    restarting = asyncio.create_task(bench.daemon.ask("POST", "/api/proxy/work/restart"))

    async def replaced() -> bool:
        return bool((await bench.proxy())["pid"] != status["pid"])

    await until(replaced)
    go_on.set()
    assert (await asking).whole
    await restarting


async def test_a_stop_leaves_nobody_and_a_closed_port(bench: Metered) -> None:
    status = await bench.start_proxy()
    stopped = await bench.daemon.ask("POST", "/api/proxy/work/stop")
    assert stopped == {**status, "pid": None, "status": "stopped"}
    assert bench.children() == []
    assert (await bench.events())[-1] == ("ProxyStopped", {"profile": "work", "exit_code": 0})
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", status["port"])
    reply = await bench.daemon.call("POST", "/api/proxy/work/stop")
    assert (reply.status_code, reply.json()["code"]) == (409, "proxy_not_running")
    assert (await bench.start_proxy())["port"] == status["port"]


async def test_all_are_stopped_at_once(bench: Metered) -> None:
    await bench.add_profile("play")
    ports = {(await bench.start_proxy(alias))["port"] for alias in ("work", "play")}
    assert len(ports) == 2
    assert await bench.daemon.ask("POST", "/api/proxy/stop-all") == {"message": "stopped 2 proxies"}
    assert bench.children() == []
    assert await bench.daemon.ask("POST", "/api/proxy/stop-all") == {"message": "stopped 0 proxies"}


async def test_a_proxy_deaf_to_term_is_gone_all_the_same(bench: Metered) -> None:
    status = await bench.start_proxy()
    os.kill(status["pid"], signal.SIGSTOP)
    await bench.daemon.ask("POST", "/api/proxy/work/stop")
    assert bench.children() == []
    assert (await bench.events())[-1] == ("ProxyStopped", {"profile": "work", "exit_code": -9})


async def test_a_port_of_another_program_is_named_and_nothing_starts(bench: Metered) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        await bench.daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True, "port": port})
        reply = await bench.daemon.call("POST", "/api/proxy/work/start")
        assert (reply.status_code, reply.json()["code"]) == (409, "port_taken")
        told = (await bench.events("ProxyError"))[-1][1]["error"]
        assert told.startswith(f"Port {port} already in use by ")
        assert f"(pid {os.getpid()})" in told
        proxy = await bench.proxy()
        assert (proxy["status"], proxy["pid"], proxy["last_error"]) == ("failed", None, told)
        assert bench.children() == []
    assert (await bench.start_proxy())["port"] == port


async def test_the_end_of_the_daemon_leaves_no_proxy(bench: Metered) -> None:
    await bench.start_proxy()
    await bench.daemon.stop()
    assert bench.children() == []
    await bench.daemon.start()
    assert (await bench.proxy())["status"] == "stopped"


async def test_a_proxy_outlives_a_killed_daemon_and_is_taken_over(bench: Metered) -> None:
    status = await bench.start_proxy()
    bench.answer(1)
    await bench.ask(status["port"])
    await bench.daemon.kill()
    for number in range(2, 5):
        bench.answer(number)
        assert (await bench.ask(status["port"])).status == 200
    await bench.daemon.start()
    proxy = await bench.proxy()
    assert (proxy["status"], proxy["pid"], proxy["port"]) == ("running", status["pid"], status["port"])

    async def all_metered() -> bool:
        return await bench.totals() == (400, 80)

    await until(all_metered)
    again = await bench.daemon.ask("POST", "/api/proxy/work/restart")
    assert again["pid"] != status["pid"]
    bench.answer(5)
    assert (await bench.ask(status["port"])).status == 200
    await bench.daemon.ask("POST", "/api/proxy/work/stop")
    assert bench.children() == []


async def test_an_adopted_proxy_that_dies_is_mended_too(bench: Metered) -> None:
    status = await bench.start_proxy()
    await bench.daemon.kill()
    await bench.daemon.start()
    os.kill(status["pid"], signal.SIGKILL)

    async def mended() -> bool:
        proxy = await bench.proxy()
        return bool(proxy["status"] == "running" and proxy["pid"] != status["pid"])

    await until(mended)
    assert ("ProxyStopped", {"profile": "work", "exit_code": None}) in await bench.events()
    bench.answer(1)
    assert (await bench.ask(status["port"])).status == 200


async def test_a_proxy_that_died_with_its_daemon_is_told_as_stopped(bench: Metered) -> None:
    status = await bench.start_proxy()
    bench.answer(1)
    await bench.ask(status["port"])
    await bench.daemon.kill()
    os.kill(status["pid"], signal.SIGKILL)
    await until(lambda: bench.children() == [])
    await bench.daemon.start()
    assert (await bench.proxy())["status"] == "stopped"
    # What it metered may be read before its end is told, or after.
    assert "ProxyStopped" in [event[0] for event in (await bench.events())[-2:]]

    async def metered_and_tidy() -> bool:
        return await bench.totals() == (100, 20) and not list(bench.daemon.state_dir.glob("spool/*/*"))

    await until(metered_and_tidy)


async def test_a_changed_key_is_used_from_the_next_request_on(bench: Metered) -> None:
    status = await bench.start_proxy()
    await bench.daemon.ask("PATCH", "/api/profiles/work", {"api_key": "sk-another-key-of-the-provider"})
    bench.answer(1)
    await bench.ask(status["port"])
    assert bench.provider.asked[0].header("x-api-key") == "sk-another-key-of-the-provider"
    assert (await bench.proxy())["pid"] == status["pid"]


async def test_a_fallback_is_another_profile_until_that_is_deleted(bench: Metered) -> None:
    await bench.add_profile("spare")
    reply = await bench.daemon.call("PUT", "/api/proxy/work/settings", {"enabled": True, "fallbacks": ["nobody"]})
    assert (reply.status_code, reply.json()["code"]) == (404, "unknown_profile")
    await bench.daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True, "fallbacks": ["spare"]})
    port = (await bench.start_proxy())["port"]
    bench.provider.answer_whole(b"{}", status="529 Overloaded")
    bench.answer(1)
    assert (await bench.ask(port)).status == 200
    await bench.daemon.ask("DELETE", "/api/profiles/spare")
    bench.provider.answer_whole(b"{}", status="529 Overloaded")
    assert (await bench.ask(port)).status == 529
    restarted = await bench.daemon.ask("POST", "/api/proxy/work/restart")
    assert restarted["status"] == "running"


async def test_a_profile_takes_its_proxy_along_when_it_is_deleted(bench: Metered) -> None:
    status = await bench.start_proxy()
    bench.answer(1)
    await bench.ask(status["port"])
    await bench.daemon.ask("DELETE", "/api/profiles/work")
    assert bench.children() == []
    assert await bench.proxy() is None
    assert (await bench.events("ProxyDeleted")) == [("ProxyDeleted", {"profile": "work"})]
    assert "work proxy" not in (bench.daemon.state_dir / "secrets.json").read_text()

    async def metered_and_tidy() -> bool:
        return await bench.totals() == (100, 20) and not list(bench.daemon.state_dir.glob("spool/*"))

    await until(metered_and_tidy)
    assert list((bench.daemon.root / "clown" / "logs").glob("proxy-*")) == []


async def test_a_profile_that_cannot_be_served_any_more_stops_its_proxy(bench: Metered) -> None:
    await bench.start_proxy()
    await bench.daemon.ask("PATCH", "/api/profiles/work", {"provider_id": "self"})
    proxy = await bench.proxy()
    assert proxy["status"] == "failed"
    assert "no address that a proxy could pass requests to" in proxy["last_error"]
    assert bench.children() == []


async def test_a_running_proxy_keeps_its_port(bench: Metered) -> None:
    status = await bench.start_proxy()
    body = {"enabled": True, "port": status["port"] % 60_000 + 1024}
    reply = await bench.daemon.call("PUT", "/api/proxy/work/settings", body)
    assert (reply.status_code, reply.json()["code"]) == (409, "proxy_running")
    settings = await bench.daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": False})
    assert (settings["port"], settings["enabled"]) == (status["port"], False)


async def test_a_port_belongs_to_one_profile(bench: Metered) -> None:
    port = (await bench.start_proxy())["port"]
    await bench.add_profile("play")
    reply = await bench.daemon.call("PUT", "/api/proxy/play/settings", {"port": port})
    assert (reply.status_code, reply.json()["code"]) == (409, "port_taken")


async def test_certificates_that_are_none_are_refused(bench: Metered) -> None:
    for file in ("relative.pem", str(bench.daemon.root / "missing.pem"), str(Path(__file__))):
        reply = await bench.daemon.call("PUT", "/api/proxy/work/settings", {"ca_file": file})
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_field"), file


async def test_a_run_starts_its_proxy_and_the_agent_sees_the_proxy_alone(tmp_path: Path) -> None:
    async with metered(tmp_path) as bench:
        bench.daemon.add_agent("quick", '#!/bin/sh\n[ "$1" = --version ] && { echo 1.2.3; exit 0; }\nexec env\n')
        manifest = tmp_path / "clown" / "agents.d" / "quick.toml"
        manifest.write_text(manifest.read_text() + '[profile.env]\nURL = "{base_url}"\nKEY = "{api_key}"\n')
        await bench.daemon.stop()
        await bench.daemon.start()
        await bench.add_profile()
        await bench.daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True})
        await bench.daemon.ask("POST", "/api/profiles/work/run", {"args": []})

        async def lines() -> dict[str, str]:
            page = await bench.daemon.ask("GET", "/api/profiles/work/output")
            return dict(line["text"].partition("=")[::2] for line in page["lines"])

        async def printed() -> bool:
            return "URL" in await lines()

        await until(printed)
        environ = await lines()
        status = await bench.daemon.ask("GET", "/api/proxy/status/work")
        assert environ["URL"] == f"http://127.0.0.1:{status['port']}"
        assert environ["KEY"] == "[secret]"
        assert "127.0.0.1" in environ["NO_PROXY"]
        bench.answer(1)
        assert (await ask(status["port"], bench.request(status["port"]))).status == 200


def logged(number: int, request_id: str | None) -> str:
    """A line of Claude Code's log, of now: a response whose input it tells otherwise than the provider billed it."""
    message = {"id": f"msg_{number}", "model": MODEL, "usage": {"input_tokens": 7, "output_tokens": 3}}
    line = {
        "type": "assistant",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "sessionId": "s1",
        "cwd": "/home/dev/project",
        "message": {**message, "role": "assistant", "stop_reason": "end_turn"},
        **({} if request_id is None else {"requestId": request_id}),
    }
    return json.dumps(line) + "\n"


@pytest.mark.parametrize("log_first", [True, False])
async def test_what_an_agent_logs_behind_its_proxy_counts_once(bench: Metered, *, log_first: bool) -> None:
    await bench.daemon.ask("PUT", "/api/proxy/work/settings", {"enabled": True})
    await bench.daemon.ask("POST", "/api/profiles/work/run", {"args": []})
    port = (await bench.daemon.ask("GET", "/api/proxy/status/work"))["port"]
    home = Path((await bench.daemon.ask("GET", "/api/profiles/work"))["profile_home"])
    log = home / ".claude" / "projects" / "p" / "s.jsonl"
    log.parent.mkdir(parents=True)

    async def counted(total: tuple[int, int]) -> bool:
        return await bench.totals() == total

    async def write_log() -> None:
        # The second one has no id that the proxy saw, too; the third happened without it.
        log.write_text(logged(1, "req_1") + logged(2, None))

    if log_first:
        await write_log()
        await until(partial(counted, (7, 3)))
    for number in (1, 2):
        bench.answer(number)
        await bench.ask(port)
    await until(partial(counted, (200, 40)))
    if not log_first:
        await write_log()

    async def has_project() -> bool:
        report = await bench.daemon.ask("GET", "/api/usage?period=all&by=project")
        return "/home/dev/project" in json.dumps(report)

    await until(has_project)
    await bench.daemon.ask("POST", "/api/profiles/work/stop")
    with log.open("a") as out:
        out.write(logged(3, None))
    await until(partial(counted, (207, 43)))


async def test_a_spent_hard_budget_is_refused_in_the_providers_shape_until_it_is_raised(bench: Metered) -> None:
    port = (await bench.start_proxy())["port"]
    budget = {"profile": "work", "period": "day", "limit_tokens": 100, "hard": True}
    await bench.daemon.ask("POST", "/api/budgets", budget)
    bench.answer(1)
    assert (await bench.ask(port)).status == 200

    async def status() -> int:
        return (await bench.ask(port)).status

    async def refused() -> bool:
        bench.provider.answers.clear()
        bench.answer(1)  # the same response: what passes before the proxy knows adds nothing
        return await status() == 429

    await until(refused)
    heard = await bench.ask(port)
    error = json.loads(heard.body)["error"]
    assert error["type"] == "rate_limit_error"
    assert error["message"].startswith("Clown: the hard budget of work for today is spent (100 tokens).")
    assert ("x-should-retry", "false") in heard.headers
    asked = len(bench.provider.asked)
    again = await bench.daemon.ask("POST", "/api/proxy/work/restart")
    assert await status() == 429  # a process that is started knows it too
    assert len(bench.provider.asked) == asked
    await bench.daemon.ask("POST", "/api/budgets", {**budget, "limit_tokens": 1_000_000})

    async def passes() -> bool:
        bench.provider.answers.clear()
        bench.answer(2)
        return await status() == 200

    await until(passes)
    assert (await bench.proxy())["pid"] == again["pid"]
