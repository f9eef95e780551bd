"""Commands that are sent twice are carried out once: on a real daemon, at once, after a restart, after a `kill -9`."""

import asyncio
import contextlib
import random
import sqlite3
from pathlib import Path
from typing import Any

import httpx

from clown_daemon.protocol.endpoint import KEY_HEADER, MAX_KEY_CHARACTERS, REPLAYED_HEADER
from tests.support.real_daemon import RealDaemon
from tests.support.waiting import until

PROFILE = {"alias": "work", "agent_id": "quick", "provider_id": "anthropic"}
SLEEP = {"args": ["sleep"]}
SECRET = "sk-marker-7c0ffee7c0ffee"
KILLS = 6


async def send(daemon: RealDaemon, key: str, method: str, path: str, body: object = None) -> httpx.Response:
    return await daemon.call(method, path, body, headers={KEY_HEADER: key})


def is_replay(reply: httpx.Response) -> bool:
    return bool(reply.headers.get(REPLAYED_HEADER) == "true")


async def events(daemon: RealDaemon, kind: str) -> list[dict[str, Any]]:
    page = await daemon.ask("GET", f"/api/events?types={kind}&limit=1000")
    found: list[dict[str, Any]] = page["events"]
    return found


async def revive(daemon: RealDaemon) -> None:
    await daemon.kill()
    await daemon.start()


def assert_again(first: httpx.Response, second: httpx.Response) -> None:
    assert not is_replay(first)
    assert is_replay(second)
    assert (second.status_code, second.content) == (first.status_code, first.content)


async def test_a_retry_gets_the_first_reply_and_changes_nothing(daemon: RealDaemon) -> None:
    first = await send(daemon, "k1", "POST", "/api/profiles", PROFILE)
    assert first.status_code == 201
    assert_again(first, await send(daemon, "k1", "POST", "/api/profiles", PROFILE))
    changed = await send(daemon, "k2", "PATCH", "/api/profiles/work", {"model": "m"})
    assert_again(changed, await send(daemon, "k2", "PATCH", "/api/profiles/work", {"model": "m"}))
    gone = await send(daemon, "k3", "DELETE", "/api/profiles/work")
    assert_again(gone, await send(daemon, "k3", "DELETE", "/api/profiles/work"))
    for kind in ("ProfileCreated", "ProfileUpdated", "ProfileDeleted"):
        assert len(await events(daemon, kind)) == 1


async def test_without_a_key_every_command_is_carried_out_and_a_read_needs_none(daemon: RealDaemon) -> None:
    assert (await daemon.call("POST", "/api/profiles", PROFILE)).status_code == 201
    again = await daemon.call("POST", "/api/profiles", PROFILE)
    assert (again.status_code, again.json()["code"], is_replay(again)) == (409, "profile_exists", False)
    for alias in ("work", "other"):
        read = await daemon.call("GET", f"/api/profiles/{alias}", headers={KEY_HEADER: "k1"})
        assert not is_replay(read)


async def test_where_there_is_no_command_a_key_decides_nothing(daemon: RealDaemon) -> None:
    await send(daemon, "k1", "POST", "/api/profiles", PROFILE)
    for key in ("k1", "no key"):
        assert (await send(daemon, key, "PATCH", "/api/profiles", {})).status_code == 405
        assert (await send(daemon, key, "POST", "/api/nothing", {})).status_code == 404


OTHERS: list[tuple[str, str, object]] = [
    ("POST", "/api/profiles", {**PROFILE, "alias": "other"}),
    ("DELETE", "/api/profiles/work", None),
    ("POST", "/api/agents/detect", None),
]


async def test_a_key_belongs_to_one_request(daemon: RealDaemon) -> None:
    await send(daemon, "k1", "POST", "/api/profiles", PROFILE)
    for method, path, body in OTHERS:
        reply = await send(daemon, "k1", method, path, body)
        assert (reply.status_code, reply.json()["code"]) == (409, "idempotency_key_reused"), path
    assert [profile["alias"] for profile in await daemon.ask("GET", "/api/profiles")] == ["work"]


async def test_what_is_no_key_is_refused_before_anything_is_done(daemon: RealDaemon) -> None:
    for key in ("", "two words", "ä", "x" * (MAX_KEY_CHARACTERS + 1), "tab\tbed"):
        headers = {KEY_HEADER.encode(): key.encode()}
        reply = await daemon.call("POST", "/api/profiles", PROFILE, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (400, "invalid_field"), key
        assert KEY_HEADER in reply.json()["error"]
    assert await daemon.ask("GET", "/api/profiles") == []


async def test_the_longest_key_is_a_key_and_two_are_none(daemon: RealDaemon) -> None:
    assert (await send(daemon, "~" * MAX_KEY_CHARACTERS, "POST", "/api/profiles", PROFILE)).status_code == 201
    reply = await daemon.call("DELETE", "/api/profiles/work", headers=[(KEY_HEADER, "a"), (KEY_HEADER, "b")])
    assert (reply.status_code, reply.json()["code"]) == (400, "invalid_field")


async def test_a_refusal_is_not_kept_so_the_request_can_be_mended(daemon: RealDaemon) -> None:
    refused = await send(daemon, "k1", "POST", "/api/profiles", {**PROFILE, "agent_id": "qiuck"})
    assert refused.status_code == 404
    assert (await send(daemon, "k1", "POST", "/api/profiles", PROFILE)).status_code == 201
    idle = await send(daemon, "k2", "POST", "/api/profiles/work/stop")
    assert (idle.status_code, idle.json()["code"]) == (409, "profile_not_running")
    await daemon.ask("POST", "/api/profiles/work/run", SLEEP)
    stopped = await send(daemon, "k2", "POST", "/api/profiles/work/stop")
    assert stopped.status_code == 200
    assert_again(stopped, await send(daemon, "k2", "POST", "/api/profiles/work/stop"))


async def test_commands_that_arrive_together_are_carried_out_once(daemon: RealDaemon) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    replies = await asyncio.gather(*(send(daemon, "k1", "POST", "/api/profiles/work/run", SLEEP) for _ in range(10)))
    assert {reply.status_code for reply in replies} == {202}
    assert len({reply.content for reply in replies}) == 1
    assert sorted(is_replay(reply) for reply in replies) == [False] + [True] * 9
    assert len(await events(daemon, "ProfileStarted")) == 1


async def test_a_failure_that_is_in_the_books_is_kept(daemon: RealDaemon) -> None:
    await daemon.ask("POST", "/api/profiles", PROFILE)
    (daemon.root / "bin" / "quick").write_text("#!/nowhere/at/all\n")
    first = await send(daemon, "k1", "POST", "/api/profiles/work/run")
    assert first.status_code >= 400
    assert_again(first, await send(daemon, "k1", "POST", "/api/profiles/work/run"))
    assert len(await events(daemon, "ProfileStopped")) == 1


async def test_a_reply_outlives_a_restart_and_a_kill(daemon: RealDaemon) -> None:
    first = await send(daemon, "k1", "POST", "/api/profiles", PROFILE)
    run = await send(daemon, "k2", "POST", "/api/profiles/work/run", SLEEP)
    await revive(daemon)
    assert_again(first, await send(daemon, "k1", "POST", "/api/profiles", PROFILE))
    assert_again(run, await send(daemon, "k2", "POST", "/api/profiles/work/run", SLEEP))
    await daemon.stop()
    await daemon.start()
    assert_again(first, await send(daemon, "k1", "POST", "/api/profiles", PROFILE))
    assert len(await events(daemon, "ProfileStarted")) == 1


async def test_a_daemon_killed_between_the_change_and_its_reply_says_so(daemon: RealDaemon) -> None:
    await send(daemon, "k1", "POST", "/api/profiles", PROFILE)
    await daemon.kill()
    # What the file holds when the daemon dies between the two: the change with its key, and no reply.
    with contextlib.closing(sqlite3.connect(daemon.state_dir / "clown.db")) as database, database:
        assert database.execute("UPDATE idempotency_keys SET status = NULL, body = NULL").rowcount == 1
    await daemon.start()
    reply = await send(daemon, "k1", "POST", "/api/profiles", PROFILE)
    assert (reply.status_code, reply.json()["code"]) == (409, "reply_lost")
    assert "look at what stands now" in reply.json()["hint"]
    assert len(await events(daemon, "ProfileCreated")) == 1


async def test_a_retry_after_a_kill_at_any_moment_never_does_it_twice(daemon: RealDaemon) -> None:
    moments = random.Random(7)  # noqa: S311  # moments, the same in every run
    outcomes = []
    for number in range(KILLS):
        alias = f"p{number}"
        command = asyncio.create_task(
            send(daemon, alias, "POST", "/api/profiles", {**PROFILE, "alias": alias}), name=f"create {alias}"
        )
        await asyncio.sleep(moments.uniform(0, 0.03))  # the moment is what is tested, not waited for
        await daemon.kill()
        await asyncio.wait([command])
        lost = command.exception() is not None
        await daemon.start()
        reply = await send(daemon, alias, "POST", "/api/profiles", {**PROFILE, "alias": alias})
        assert reply.status_code == 201 or reply.json()["code"] == "reply_lost"
        assert lost or is_replay(reply)
        outcomes.append((alias, reply.status_code))
    created = [event["data"]["alias"] for event in await events(daemon, "ProfileCreated")]
    assert created == [alias for alias, _ in outcomes]


async def test_nothing_of_a_body_or_a_key_is_in_the_database(daemon: RealDaemon) -> None:
    reply = await send(daemon, f"key-{SECRET}", "POST", "/api/profiles", {**PROFILE, "api_key": SECRET})
    assert reply.status_code == 201
    await daemon.stop()
    files = [file for file in daemon.state_dir.rglob("clown.db*") if file.is_file()]
    assert files
    assert [file.name for file in files if SECRET.encode() in file.read_bytes()] == []


async def test_a_stop_of_the_daemon_that_is_retried_does_not_stop_the_next_one(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    await daemon.start()
    first = await send(daemon, "k1", "POST", "/api/daemon/shutdown")
    assert daemon.process is not None
    process = daemon.process
    await until(lambda: process.returncode is not None)
    await daemon.start()
    assert_again(first, await send(daemon, "k1", "POST", "/api/daemon/shutdown"))
    assert (await daemon.call("GET", "/api/health")).status_code == 200
    await daemon.stop()
