"""Detection against real scripts: what is found, what is published, and that an upgrade is seen."""

import asyncio
import json
import os
import sqlite3
from pathlib import Path
from typing import NoReturn

import pytest

from clown_daemon.agents.service import GRACE_SECONDS
from clown_daemon.clock import ManualClock
from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.manifests.agent import AgentManifest, ProfileRules, VersionProbe
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import AgentDetected, AgentUpdated, Event
from clown_daemon.protocol.resources import Agent
from clown_daemon.store.agents import read_agents
from clown_daemon.store.database import Transaction
from tests.support.agents import Announced, agent_service, catalogue_of, environ_of, write_program
from tests.support.waiting import until

FAKE = AgentManifest(id="fake", name="Fake Agent", binary="fake", supported_models=("m-1",), default_model="m-1")
OTHER = AgentManifest(id="other", name="Other", binary="other", profile=ProfileRules(strategy="shared"))


def decoded(announced: Announced) -> list[Event]:
    events = [codec.decode_frame(event.body) for event in announced.events]
    assert all(isinstance(event, Event) for event in events)
    return [event for event in events if isinstance(event, Event)]


async def test_an_installed_agent_is_detected_once(tmp_path: Path) -> None:
    program = write_program(tmp_path / "bin" / "fake", "echo fake 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE, OTHER), environ) as (service, _, announced):
        await service.prepare()
        detection = await service.detect()
        again = await service.detect()
        listed = await service.list()
    assert (detection.changed, again.changed) == (1, 0)
    (event,) = decoded(announced)
    assert event.data == AgentDetected(id="fake", name="Fake Agent", version="1.0.0", binary_path=str(program))
    assert event.resource == detection.agents[0]
    assert [(agent.id, agent.installed, agent.version) for agent in listed] == [
        ("fake", True, "1.0.0"),
        ("other", False, None),
    ]


async def test_every_row_that_changes_has_its_event_even_unprepared(tmp_path: Path) -> None:
    async with agent_service(tmp_path, catalogue_of(FAKE, OTHER), environ_of(tmp_path)) as (
        service,
        database,
        announced,
    ):
        assert (await service.detect()).changed == 2
        rows = await database.read(read_agents)
    assert [event.resource for event in decoded(announced)] == list(rows)


async def test_an_upgrade_a_removal_and_a_new_installation_are_told_apart(tmp_path: Path) -> None:
    program = write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, announced):
        await service.prepare()
        await service.detect()
        write_program(program, "echo 1.1.0")
        await service.detect()
        program.unlink()
        await service.detect()
        write_program(program, "echo 1.1.0")
        await service.detect()
    assert [event.data for event in decoded(announced)] == [
        AgentDetected(id="fake", name="Fake Agent", version="1.0.0", binary_path=str(program)),
        AgentUpdated(id="fake", old_version="1.0.0", new_version="1.1.0"),
        AgentUpdated(id="fake", old_version="1.1.0", new_version=None),
        AgentDetected(id="fake", name="Fake Agent", version="1.1.0", binary_path=str(program)),
    ]


async def test_the_same_version_at_another_path_is_an_update(tmp_path: Path) -> None:
    write_program(tmp_path / "b" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "a", tmp_path / "b")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, announced):
        await service.detect()
        first = write_program(tmp_path / "a" / "fake", "echo 1.0.0")
        await service.detect()
        event = decoded(announced)[-1]
    assert event.data == AgentUpdated(id="fake", old_version="1.0.0", new_version="1.0.0")
    assert isinstance(event.resource, Agent)
    assert event.resource.binary_path == str(first)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("exit 0",), "fake --version printed no version"),
        (("echo hello there",), "fake --version printed no version but 'hello there'"),
        (("echo 1.0.0", "echo broken >&2", "exit 1"), "fake --version ended with 1: broken"),
        (("kill -9 $$",), "fake --version ended with -9"),
        (("exec 3<>$0.fifo", "read x <&3"), "fake --version did not answer within 0.5 s"),
    ],
    ids=["prints nothing", "prints garbage", "exits 1", "is killed", "hangs"],
)
async def test_a_program_that_does_not_say_its_version_is_installed_with_a_reason(
    tmp_path: Path, lines: tuple[str, ...], problem: str
) -> None:
    write_program(tmp_path / "bin" / "fake", *lines)
    if "answer" in problem:
        os.mkfifo(tmp_path / "bin" / "fake.fifo")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ, timeout_seconds=0.5) as (service, _, _announced):
        (agent,) = (await service.detect()).agents
    assert (agent.installed, agent.version, agent.problem) == (True, None, problem)


async def test_a_hanging_agent_does_not_delay_the_others(tmp_path: Path) -> None:

    write_program(tmp_path / "bin" / "fake", "exec 3<>$0.fifo", "read x <&3")
    os.mkfifo(tmp_path / "bin" / "fake.fifo")
    write_program(tmp_path / "bin" / "other", "echo 2.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE, OTHER), environ, timeout_seconds=0.5) as (service, _, _a):
        fake, other = (await service.detect()).agents
    assert (fake.version, other.version) == (None, "2.0.0")


async def test_another_wording_of_the_same_problem_is_no_change(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "fake", "echo $$ >&2", "exit 1")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, announced):
        await service.detect()
        assert (await service.detect()).changed == 0
    assert announced.types == ["AgentDetected"]


async def test_a_second_caller_joins_the_detection_that_runs(tmp_path: Path) -> None:
    count = tmp_path / "count"
    write_program(tmp_path / "bin" / "fake", f"echo x >> {count}", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, _announced):
        first, second = await asyncio.gather(service.detect(), service.detect())
    assert first is second
    assert count.read_text() == "x\n"


async def test_a_caller_that_gives_up_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, _announced):
        async with asyncio.TaskGroup() as group:
            first = group.create_task(service.detect())
            second = group.create_task(service.detect())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            first.cancel()
        assert second.result().agents[0].version == "1.0.0"


async def test_a_replaced_binary_is_seen_without_being_asked(tmp_path: Path) -> None:
    program = write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, announced):
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(service.watch())
            await until(lambda: len(announced.events) >= 1)
            write_program(program, "echo 1.1.0")
            await until(lambda: len(announced.events) >= 2)
            watching.cancel()
        assert decoded(announced)[-1].data == AgentUpdated(id="fake", old_version="1.0.0", new_version="1.1.0")


async def test_an_upgrade_is_seen_where_folders_cannot_be_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_folders: Path, **_options: object) -> NoReturn:
        raise OSError(28, "inotify watch limit reached")

    monkeypatch.setattr("clown_daemon.agents.service.awatch", exhausted)
    program = write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, announced):
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(service.watch())
            await until(lambda: len(announced.events) >= 1)
            write_program(program, "echo 1.1.0")
            await until(lambda: len(announced.events) >= 2)
            watching.cancel()
        assert announced.types == ["AgentDetected", "AgentUpdated"]


async def test_a_failure_reaches_everybody_who_waits_and_the_next_detection_runs(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, database, _):
        await database.close()
        for _ in range(2):
            both = await asyncio.gather(service.detect(), service.detect(), return_exceptions=True)
            assert [type(failure) for failure in both] == [StoreUnavailableError, StoreUnavailableError]


async def test_a_program_that_is_away_during_its_upgrade_is_not_called_gone(tmp_path: Path) -> None:
    program = write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE, OTHER), environ) as (service, _, announced):
        await service.prepare()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(service.watch())
            await until(lambda: announced.types == ["AgentDetected"])
            program.unlink()
            # Once the other one is seen, the missing one was looked for too.
            write_program(tmp_path / "bin" / "other", "echo 2.0.0")
            await until(lambda: len(announced.events) >= 2)
            write_program(program, "echo 1.1.0")
            await until(lambda: len(announced.events) >= 3)
            watching.cancel()
    assert announced.types == ["AgentDetected", "AgentDetected", "AgentUpdated"]
    assert decoded(announced)[-1].data == AgentUpdated(id="fake", old_version="1.0.0", new_version="1.1.0")


async def test_a_program_that_stays_away_is_called_gone_after_the_grace(tmp_path: Path) -> None:
    program = write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    clock = ManualClock()
    async with agent_service(tmp_path, catalogue_of(FAKE, OTHER), environ, clock=clock) as (service, _, announced):
        await service.prepare()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(service.watch())
            await until(lambda: announced.types == ["AgentDetected"])
            program.unlink()
            write_program(tmp_path / "bin" / "other", "echo 2.0.0")
            await until(lambda: len(announced.events) >= 2)
            clock.advance(GRACE_SECONDS)
            await until(lambda: len(announced.events) >= 3)
            watching.cancel()
    assert decoded(announced)[-1].data == AgentUpdated(id="fake", old_version="1.0.0", new_version=None)


async def test_who_asks_is_told_at_once_that_a_program_is_gone(tmp_path: Path) -> None:
    program = write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with (
        agent_service(tmp_path, catalogue_of(FAKE), environ) as (service, _, announced),
        asyncio.TaskGroup() as group,
    ):
        watching = group.create_task(service.watch())
        await until(lambda: announced.types == ["AgentDetected"])
        program.unlink()
        assert not (await service.detect()).agents[0].installed
        watching.cancel()
    assert announced.types == ["AgentDetected", "AgentUpdated"]


async def test_an_upgraded_package_and_a_folder_that_comes_later_are_seen(tmp_path: Path) -> None:
    manifest = AgentManifest(
        id="fake", name="Fake", binary="fake", folders=("~/.late/bin",), version=VersionProbe(package="made-fake")
    )
    environ = environ_of(tmp_path)
    package = tmp_path / "lib" / "made-fake"
    program = write_program(package / "cli.js", "echo 1.0.0")

    def publish(version: str) -> None:
        fresh = package / "package.json.new"
        fresh.write_text(json.dumps({"name": "made-fake", "version": version}))
        fresh.replace(package / "package.json")

    publish("1.0.0")
    async with agent_service(tmp_path, catalogue_of(manifest), environ) as (service, _, announced):
        await service.prepare()
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(service.watch())
            link = Path(environ["HOME"]) / ".late" / "bin" / "fake"
            link.parent.mkdir(parents=True)
            link.symlink_to(program)
            await until(lambda: len(announced.events) >= 1)
            publish("2.0.0")
            await until(lambda: len(announced.events) >= 2)
            watching.cancel()
    assert [event.data for event in decoded(announced)] == [
        AgentDetected(id="fake", name="Fake", version="1.0.0", binary_path=str(link)),
        AgentUpdated(id="fake", old_version="1.0.0", new_version="2.0.0"),
    ]


async def test_profiles_are_counted_by_agent(tmp_path: Path) -> None:
    def insert(transaction: Transaction) -> None:
        connection: sqlite3.Connection = transaction.connection
        for alias in ("one", "two"):
            connection.execute(
                "INSERT INTO profiles (alias, agent_id, provider_id, created_ms, home)"
                " VALUES (?, 'fake', 'anthropic', 0, '/home/dev')",
                (alias,),
            )

    async with agent_service(tmp_path, catalogue_of(FAKE, OTHER), environ_of(tmp_path)) as (service, database, _):
        await database.write(insert)
        assert [(agent.id, agent.profile_count) for agent in await service.list()] == [("fake", 2), ("other", 0)]


async def test_the_details_come_from_the_manifest_before_anything_was_looked_for(tmp_path: Path) -> None:
    async with agent_service(tmp_path, catalogue_of(FAKE), environ_of(tmp_path)) as (service, _, _announced):
        detail = await service.get("fake")
    assert (detail.installed, detail.binary, detail.default_model, detail.supported_models) == (
        False,
        "fake",
        "m-1",
        ("m-1",),
    )


async def test_an_unknown_agent_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    async with agent_service(tmp_path, catalogue_of(FAKE), environ_of(tmp_path)) as (service, _, _announced):
        with pytest.raises(DomainError, match="there is no agent 'fak'") as caught:
            await service.get("fak")
    assert (caught.value.code, caught.value.hint) == ("unknown_agent", "did you mean 'fake'?")


async def test_preparing_follows_the_manifests_and_says_nothing(tmp_path: Path) -> None:
    write_program(tmp_path / "bin" / "fake", "echo 1.0.0")
    environ = environ_of(tmp_path, tmp_path / "bin")
    async with agent_service(tmp_path, catalogue_of(FAKE, OTHER), environ) as (service, _, _announced):
        await service.detect()
    renamed = AgentManifest(id="fake", name="Renamed", binary="fake")
    async with agent_service(tmp_path, catalogue_of(renamed), environ) as (service, database, announced):
        await service.prepare()
        (agent,) = await database.read(read_agents)
        assert (await service.detect()).changed == 0
    assert (agent.name, agent.version, announced.events) == ("Renamed", "1.0.0", [])
