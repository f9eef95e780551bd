"""Rows of profiles with their newest run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.protocol.resources import Profile, Run
from clown_daemon.store import profiles, runs
from clown_daemon.store.database import Database, Transaction, open_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(tmp_path / "clown.db", ManualClock())
    yield database
    await database.close()


def add(transaction: Transaction, alias: str, agent_id: str = "fake") -> None:
    profiles.insert_profile(
        transaction.connection,
        profiles.NewProfile(
            alias=alias,
            agent_id=agent_id,
            provider_id="acme",
            endpoint_id=None,
            model="m",
            home=f"/home/dev/{alias}",
            has_api_key=True,
        ),
        now_ms=1_767_868_200_000,
    )


async def test_a_profile_comes_back_as_it_was_written(database: Database) -> None:
    await database.write(lambda transaction: add(transaction, "work"))
    assert await database.read(lambda connection: profiles.read_profile(connection, "work")) == Profile(
        alias="work",
        agent_id="fake",
        provider_id="acme",
        model="m",
        created_at="2026-01-08T10:30:00Z",
        profile_home="/home/dev/work",
        has_api_key=True,
    )


async def test_the_newest_run_is_joined_whatever_the_clock_did(database: Database) -> None:
    def change(transaction: Transaction) -> None:
        add(transaction, "work")
        for run_id, at_ms in (("first", 9_000), ("second", 1_000)):
            runs.insert_run(transaction.connection, run_id, "work", now_ms=at_ms)
            runs.set_running(transaction.connection, run_id, pid=1, process_start=None)
        runs.insert_run(transaction.connection, "third, being started", "work", now_ms=0)

    await database.write(change)
    (profile,) = await database.read(profiles.read_profiles)
    assert profile.run == Run(run_id="second", state="running", pid=1, started_at="1970-01-01T00:00:01Z")


async def test_profiles_are_sorted_and_can_be_those_of_one_agent(database: Database) -> None:
    def change(transaction: Transaction) -> None:
        for alias, agent_id in (("b", "x"), ("a", "y"), ("C", "x")):
            add(transaction, alias, agent_id)

    await database.write(change)
    found = await database.read(profiles.read_profiles)
    assert [profile.alias for profile in found] == ["C", "a", "b"]
    of_x = await database.read(lambda connection: profiles.read_profiles(connection, agent_id="x"))
    assert [profile.alias for profile in of_x] == ["C", "b"]
    assert await database.read(lambda connection: profiles.find_taken_alias(connection, "c")) == "C"


async def test_a_deleted_profile_takes_its_runs_along(database: Database) -> None:
    def change(transaction: Transaction) -> None:
        add(transaction, "work")
        runs.insert_run(transaction.connection, "r1", "work", now_ms=0)
        profiles.delete_profile(transaction.connection, "work")

    await database.write(change)
    assert await database.read(runs.read_open_runs) == ()
    assert await database.read(profiles.read_aliases) == ()
