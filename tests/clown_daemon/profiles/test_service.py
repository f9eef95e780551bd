"""Profiles through their service: what is refused, what is published, what is on disk."""

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import UNSET

from clown_daemon.errors import DomainError, StoreUnavailableError
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import BudgetDeleted, ProfileCreated, ProfileDeleted, ProfileUpdated
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import CreateProfile, RunProfile, UpdateProfile
from clown_daemon.protocol.resources import Profile
from clown_daemon.store.budgets import BudgetRow, put_row, read_rows
from clown_daemon.store.profiles import read_profiles
from tests.support.fake_agents import Bench, open_bench

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = await open_bench(tmp_path)
    yield bench
    await bench.close()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def asked(
    alias: str = "work",
    agent_id: str = "fake",
    provider_id: str = "acme",
    endpoint_id: str | None = None,
    model: str | None = None,
    api_key: str | None = None,
) -> CreateProfile:
    return CreateProfile(
        alias=alias,
        agent_id=agent_id,
        provider_id=provider_id,
        endpoint_id=endpoint_id,
        model=model,
        api_key=api_key,
    )


async def test_creating_publishes_the_whole_profile_and_makes_its_home(bench: Bench) -> None:
    reply = await bench.service.create(asked(model="m1", endpoint_id="eu"))
    assert reply.alias == "work"
    (event,) = bench.events
    assert event.data == ProfileCreated(alias="work", agent_id="fake", provider_id="acme", model="m1")
    (profile,) = await bench.database.read(read_profiles)
    assert event.resource == profile
    home = Path(profile.profile_home)
    assert home == bench.paths.profiles_dir / "work"
    assert mode_of(home) == 0o700


async def test_what_was_created_can_be_read(bench: Bench) -> None:
    await bench.service.create(asked("b"))
    await bench.service.create(asked("a"))
    assert [profile.alias for profile in await bench.service.list()] == ["a", "b"]
    assert await bench.service.list(agent="codex") == ()
    assert (await bench.service.get("a")).provider_id == "acme"


@pytest.mark.parametrize(
    ("request_", "code", "hint"),
    [
        (asked("../etc"), ProblemCode.INVALID_FIELD, "letters"),
        (asked("unattributed"), ProblemCode.INVALID_FIELD, "another"),
        (asked(agent_id="fkae"), ProblemCode.UNKNOWN_AGENT, "did you mean 'fake'?"),
        (asked(provider_id="amce"), ProblemCode.UNKNOWN_PROVIDER, "did you mean 'acme'?"),
        (asked(endpoint_id="mian"), ProblemCode.UNKNOWN_ENDPOINT, "did you mean 'main'?"),
        (asked(provider_id="open"), ProblemCode.INCOMPATIBLE_PROVIDER, "another provider"),
        (asked(api_key=" "), ProblemCode.INVALID_FIELD, "leave it out"),
        (asked(model="--dangerous"), ProblemCode.INVALID_FIELD, "leave it out"),
        (asked(model=" --dangerous"), ProblemCode.INVALID_FIELD, "leave it out"),
    ],
)
async def test_what_cannot_be_created_is_refused_with_a_cure(
    bench: Bench, request_: CreateProfile, code: ProblemCode, hint: str
) -> None:
    with pytest.raises(DomainError) as caught:
        await bench.service.create(request_)
    assert caught.value.code is code
    assert hint in (caught.value.hint or "")
    assert bench.events == []
    assert not list(bench.paths.profiles_dir.glob("*"))


@pytest.mark.parametrize("alias", ["work", "Work"])
async def test_a_taken_name_is_refused_in_any_case(bench: Bench, alias: str) -> None:
    await bench.service.create(asked("work", api_key=KEY))
    with pytest.raises(DomainError) as caught:
        await bench.service.create(asked(alias))
    assert caught.value.code is ProblemCode.PROFILE_EXISTS
    assert (bench.paths.profiles_dir / "work").is_dir()
    assert await bench.secrets.get("work") == KEY


async def test_of_many_that_create_the_same_one_succeeds(bench: Bench) -> None:
    results = await asyncio.gather(*(bench.service.create(asked()) for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(result, DomainError) for result in results) == 9
    assert bench.types() == ["ProfileCreated"]


async def test_a_key_is_in_the_key_file_and_nowhere_else(bench: Bench) -> None:
    replies = [await bench.service.create(asked(api_key=f" {KEY}\n")), await bench.service.get("work")]
    assert await bench.secrets.get("work") == KEY
    assert mode_of(bench.paths.secrets_file) == 0o600
    holders = [file for file in bench.folder.rglob("*") if file.is_file() and KEY.encode() in file.read_bytes()]
    assert holders == [bench.paths.secrets_file]
    said = [*replies, *bench.events, repr(bench.secrets), repr(asked(api_key=KEY))]
    assert not [text for text in said if KEY in repr(text) or KEY.encode() in codec.encode(text)]


async def test_a_change_names_exactly_what_changed(bench: Bench) -> None:
    await bench.service.create(asked(model="m1"))
    await bench.service.update("work", UpdateProfile(model="m2", provider_id="acme", api_key=KEY))
    event = bench.events[-1]
    assert event.data == ProfileUpdated(alias="work", changes=("api_key", "model"))
    assert isinstance(event.resource, Profile)
    assert (event.resource.model, event.resource.has_api_key) == ("m2", True)


@pytest.mark.parametrize(
    "request_",
    [UpdateProfile(), UpdateProfile(model="m1", provider_id="acme", endpoint_id=None), UpdateProfile(api_key=KEY)],
)
async def test_no_change_publishes_nothing(bench: Bench, request_: UpdateProfile) -> None:
    await bench.service.create(asked(model="m1", api_key=KEY))
    await bench.service.update("work", request_)
    assert bench.types() == ["ProfileCreated"]


async def test_an_endpoint_does_not_come_along_to_another_provider(bench: Bench) -> None:
    await bench.service.create(asked(endpoint_id="eu"))
    await bench.service.update("work", UpdateProfile(provider_id="other"))
    assert bench.events[-1].data == ProfileUpdated(alias="work", changes=("endpoint_id", "provider_id"))


async def test_a_key_is_never_sent_to_another_provider(bench: Bench) -> None:
    await bench.service.create(asked(api_key=KEY))
    await bench.service.update("work", UpdateProfile(provider_id="other"))
    event = bench.events[-1]
    assert event.data == ProfileUpdated(alias="work", changes=("api_key", "provider_id"))
    assert isinstance(event.resource, Profile)
    assert not event.resource.has_api_key
    assert await bench.secrets.get("work") is None


async def test_another_provider_can_come_with_its_own_key(bench: Bench) -> None:
    await bench.service.create(asked(api_key=KEY))
    await bench.service.update("work", UpdateProfile(provider_id="other", api_key="another-long-key"))
    assert await bench.secrets.get("work") == "another-long-key"


async def test_null_removes_the_key(bench: Bench) -> None:
    await bench.service.create(asked(api_key=KEY))
    await bench.service.update("work", UpdateProfile(api_key=None))
    assert await bench.secrets.get("work") is None
    assert bench.events[-1].data == ProfileUpdated(alias="work", changes=("api_key",))


async def test_a_profiles_budgets_are_deleted_with_it(bench: Bench) -> None:
    await bench.service.create(asked())
    budget = BudgetRow("profile:work:day:usd", "work", None, "day", 10**13, None, (80,))
    await bench.database.write(lambda transaction: put_row(transaction.connection, budget))
    await bench.service.delete("work")
    deleted = BudgetDeleted(id=budget.id, profile="work", agent_id=None)
    assert [event.data for event in bench.events[-2:]] == [ProfileDeleted(alias="work"), deleted]
    assert await bench.database.read(read_rows) == ()


async def test_deleting_removes_home_and_key(bench: Bench, tmp_path: Path) -> None:
    await bench.service.create(asked(api_key=KEY))
    home = bench.paths.profiles_dir / "work"
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (home / "link").symlink_to(outside)
    (home / "cache").mkdir()
    (home / "cache" / "file").touch()
    (home / "cache").chmod(0o500)
    await bench.service.delete("work")
    assert (bench.events[-1].data, bench.events[-1].resource) == (ProfileDeleted(alias="work"), None)
    assert list(bench.paths.profiles_dir.iterdir()) == []
    assert (outside / "precious").exists()
    assert await bench.secrets.get("work") is None
    assert await bench.service.list() == ()


async def test_an_unknown_profile_is_told_with_the_nearest_name(bench: Bench) -> None:
    await bench.service.create(asked("work"))
    for call in (
        bench.service.get("wrok"),
        bench.service.update("wrok", UpdateProfile(model=UNSET)),
        bench.service.delete("wrok"),
        bench.service.run("wrok", RunProfile()),
        bench.service.stop("wrok"),
    ):
        with pytest.raises(DomainError) as caught:
            await call
        assert caught.value.code is ProblemCode.UNKNOWN_PROFILE
        assert caught.value.hint == "did you mean 'work'?"


async def test_when_the_books_refuse_nothing_is_left_behind(bench: Bench) -> None:
    def refuse(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'full'); END")

    await bench.service.create(asked("old", api_key=KEY))
    await bench.database.write(lambda transaction: refuse(transaction.connection))
    with pytest.raises((StoreUnavailableError, sqlite3.IntegrityError)):
        await bench.service.create(asked("new", api_key=KEY))
    with pytest.raises((StoreUnavailableError, sqlite3.IntegrityError)):
        await bench.service.update("old", UpdateProfile(api_key="sk-another-key-000"))
    with pytest.raises((StoreUnavailableError, sqlite3.IntegrityError)):
        await bench.service.delete("old")
    assert await bench.secrets.get("new") is None
    assert await bench.secrets.get("old") == KEY
    assert [home.name for home in bench.paths.profiles_dir.iterdir()] == ["old"]


async def test_a_deletion_cut_short_is_settled_at_boot(bench: Bench) -> None:
    await bench.service.create(asked("kept"))
    (bench.paths.profiles_dir / "kept").rename(bench.paths.profiles_dir / ".deleted-kept")
    (bench.paths.profiles_dir / ".deleted-gone").mkdir()
    await bench.service.reconcile()
    assert [home.name for home in bench.paths.profiles_dir.iterdir()] == ["kept"]
