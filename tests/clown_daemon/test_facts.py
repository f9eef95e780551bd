"""What the daemon knows of itself: who needs it, and that nothing begins once it ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from clown_daemon.clock import ManualClock
from clown_daemon.errors import DomainError
from clown_daemon.facts import DaemonFacts
from clown_daemon.store.database import open_database


class Needs:
    clients = 0
    runs = 0


@pytest.fixture
def needs() -> Needs:
    return Needs()


@pytest.fixture
async def facts(tmp_path: Path, needs: Needs) -> AsyncIterator[DaemonFacts]:
    clock = ManualClock()
    database = await open_database(tmp_path / "clown.db", clock, lambda _events: None)

    async def no_profiles() -> int:
        return 0

    yield DaemonFacts(
        pid=1,
        clock=clock,
        database=database,
        count_profiles=no_profiles,
        count_clients=lambda: needs.clients,
        count_runs=lambda: needs.runs,
        count_proxies=lambda: 0,
        access="own_user",
    )
    await database.close()


def test_it_says_who_needs_it(facts: DaemonFacts, needs: Needs) -> None:
    assert facts.needed_by() == ()
    needs.clients, needs.runs = 1, 2
    assert facts.needed_by() == ("1 client follows", "2 runs are under way")
    needs.clients = needs.runs = 0
    with facts.command():
        assert facts.needed_by() == ("1 command is carried out",)
        with facts.command():
            assert facts.needed_by() == ("2 commands are carried out",)
    assert facts.needed_by() == ()


def test_a_command_that_fails_is_over_too(facts: DaemonFacts) -> None:
    with pytest.raises(ValueError, match="it broke"), facts.command():
        raise ValueError("it broke")
    assert facts.needed_by() == ()


def test_no_command_begins_after_the_end_was_asked_for(facts: DaemonFacts) -> None:
    facts.request_shutdown("upgrade")
    facts.request_shutdown("stop")
    assert facts.shutdown_reason == "upgrade", "the first reason counts"
    with pytest.raises(DomainError, match="shutting down"), facts.command():
        pass
