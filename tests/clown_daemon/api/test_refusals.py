from pathlib import Path

import pytest

from clown_daemon.api.refusals import Refusals
from tests.support.api_server import running_api


def test_refusals_are_counted_by_reason() -> None:
    refusals = Refusals()
    for reason in ("foreign_host", "unauthorized", "foreign_host"):
        refusals.count(reason)
    assert refusals.by_reason == {"foreign_host": 2, "unauthorized": 1}


def test_only_a_problem_code_is_a_reason_so_that_the_table_stays_small() -> None:
    refusals = Refusals()
    with pytest.raises(ValueError, match="evil"):
        refusals.count("evil")
    assert refusals.by_reason == {}


async def test_who_is_refused_by_the_access_rules_is_counted_and_who_asks_for_nonsense_is_not(tmp_path: Path) -> None:
    async with running_api(tmp_path) as api, api.client() as client:
        await client.get("/api/agents", headers={"Host": "evil.example"})
        await client.get("/api/agents", headers={"Origin": "null"})
        await client.get("/api/agents", headers={"Authorization": "Bearer wrong"})
        await client.post("/api/profiles", content="x", headers={"Content-Type": "text/plain"})
        await client.get("/api/nonsense")
        assert api.refusals.by_reason == {
            "foreign_host": 1,
            "foreign_origin": 1,
            "unauthorized": 1,
            "unsupported_media_type": 1,
        }
