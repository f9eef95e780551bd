"""Agents survive the way into the database and back."""

from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.protocol.resources import Agent
from clown_daemon.store.agents import count_profiles, delete_agent, put_agent, read_agent, read_agents
from clown_daemon.store.database import Database, open_database


def made(id_: str, version: str | None = "1.0.0") -> Agent:
    return Agent(
        id=id_,
        name=id_.title(),
        installed=version is not None,
        version=version,
        binary=id_,
        binary_path=None if version is None else f"/usr/bin/{id_}",
        profile_strategy="isolated",
        supports_hooks=True,
        default_model=None,
        supported_models=("one", "two"),
        source="user",
        problem=None,
    )


async def opened(tmp_path: Path) -> Database:
    return await open_database(tmp_path / "clown.db", ManualClock())


async def test_agents_come_back_whole_and_sorted(tmp_path: Path) -> None:
    database = await opened(tmp_path)
    try:
        await database.write(lambda transaction: put_agent(transaction.connection, made("b")))
        await database.write(lambda transaction: put_agent(transaction.connection, made("a", None)))
        assert await database.read(read_agents) == (made("a", None), made("b"))
        assert await database.read(lambda connection: read_agent(connection, "b")) == made("b")
        assert await database.read(lambda connection: read_agent(connection, "c")) is None
    finally:
        await database.close()


@pytest.mark.parametrize("version", ["2.0.0", None])
async def test_putting_an_agent_again_replaces_it(tmp_path: Path, version: str | None) -> None:
    database = await opened(tmp_path)
    try:
        await database.write(lambda transaction: put_agent(transaction.connection, made("a")))
        await database.write(lambda transaction: put_agent(transaction.connection, made("a", version)))
        assert await database.read(read_agents) == (made("a", version),)
    finally:
        await database.close()


async def test_a_deleted_agent_is_gone_and_nobody_has_profiles(tmp_path: Path) -> None:
    database = await opened(tmp_path)
    try:
        await database.write(lambda transaction: put_agent(transaction.connection, made("a")))
        await database.write(lambda transaction: delete_agent(transaction.connection, "a"))
        assert await database.read(read_agents) == ()
        assert await database.read(count_profiles) == {}
    finally:
        await database.close()
