"""What a profile may be and how its agent is launched."""

from pathlib import PurePosixPath

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clown_daemon.errors import DomainError
from clown_daemon.manifests.agent import LaunchRules
from clown_daemon.manifests.recipe import Through
from clown_daemon.profiles.rules import (
    check_alias,
    check_provider,
    launch_environment,
    launch_recipe,
    managed_variables,
)
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import Profile
from clown_daemon.redaction import looks_like_key
from tests.support.fake_agents import ACME, FAKE, OPEN, OWN

KEY = "sk-test-0123456789abcdef"


def a_profile(provider_id: str = "acme", endpoint_id: str | None = None, model: str | None = None) -> Profile:
    return Profile(
        alias="work",
        agent_id="fake",
        provider_id=provider_id,
        endpoint_id=endpoint_id,
        model=model,
        created_at="2026-01-08T10:30:00Z",
        profile_home="/home/dev/profiles/work",
    )


@pytest.mark.parametrize("alias", ["a", "A", "7", "my-project", "v1.2_x", "a" * 64])
def test_names_that_are_names(alias: str) -> None:
    check_alias(alias)


@pytest.mark.parametrize(
    "alias",
    ["", ".", "..", ".hidden", "-x", "_x", "a/b", "a\\b", "a b", "a\n", "é", "a\0", "a.", "a" * 65, "Unattributed"],
)
def test_names_that_are_none(alias: str) -> None:
    with pytest.raises(DomainError) as caught:
        check_alias(alias)
    assert caught.value.code is ProblemCode.INVALID_FIELD
    assert caught.value.hint


@given(st.text(max_size=70))
def test_a_name_is_one_step_of_a_path_and_no_option(alias: str) -> None:
    try:
        check_alias(alias)
    except DomainError:
        return
    assert PurePosixPath(alias).parts == (alias,)
    assert alias not in {".", ".."}
    assert not alias.startswith(("-", "."))
    assert alias.isascii()


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", fullmatch=True))
def test_every_plain_word_is_a_name(alias: str) -> None:
    assume(alias.lower() != "unattributed")
    assume(not looks_like_key(alias))
    check_alias(alias)


def test_an_agent_and_a_provider_must_speak_the_same() -> None:
    check_provider(FAKE, ACME, "eu")
    check_provider(FAKE, OWN, None)
    with pytest.raises(DomainError, match="Fake Agent cannot use Open") as caught:
        check_provider(FAKE, OPEN, None)
    assert caught.value.code is ProblemCode.INCOMPATIBLE_PROVIDER
    with pytest.raises(DomainError, match="has no endpoint 'v1'"):
        check_provider(FAKE, ACME, "v1")


def environment(
    parent: dict[str, str], profile: Profile, api_key: str | None = KEY, through: Through | None = None
) -> dict[str, str]:
    provider = OWN if profile.provider_id == "self" else ACME
    recipe = launch_recipe(FAKE, provider, profile, api_key, through)
    return launch_environment(recipe, managed_variables(FAKE), parent)


def test_the_environment_is_the_profiles_own() -> None:
    parent = {"PATH": "/bin", "FAKE_TOKEN": "x", "FAKE_URL": "https://elsewhere.example", "no_proxy": "corp, ::1"}
    assert environment(parent, a_profile(endpoint_id="eu")) == {
        "PATH": "/bin",
        "FAKE_HOME": "/home/dev/profiles/work/.fake",
        "FAKE_KEY": KEY,
        "FAKE_URL": "https://acme.example/eu",
        "NO_PROXY": "corp,::1,127.0.0.1,localhost",
        "no_proxy": "corp,::1,127.0.0.1,localhost",
    }


def test_behind_a_proxy_the_agent_gets_its_address_and_token_alone() -> None:
    environ = environment(
        {}, a_profile(endpoint_id="eu"), None, Through("http://127.0.0.1:8081", "local-token", "work proxy")
    )
    assert environ["FAKE_KEY"] == "local-token"
    assert environ["FAKE_URL"] == "http://127.0.0.1:8081"


def test_behind_a_proxy_with_a_login_of_its_own_the_token_stands_in_the_address() -> None:
    through = Through("http://127.0.0.1:8081", "local-token", "work proxy", own_login=True)
    environ = environment({"FAKE_KEY": "the user's own"}, a_profile(endpoint_id="eu"), None, through)
    assert environ["FAKE_URL"] == "http://127.0.0.1:8081/p/local-token"
    assert "FAKE_KEY" not in environ


def test_an_address_with_a_token_is_in_no_command_line() -> None:
    agent = msgspec.structs.replace(FAKE, launch=LaunchRules(args=("-p", ("--url", "{base_url}"))))
    through = Through("http://127.0.0.1:8081", "local-token", "work proxy")
    assert launch_recipe(agent, ACME, a_profile(), None, through).args == ("-p", "--url", "http://127.0.0.1:8081")
    assert launch_recipe(agent, ACME, a_profile(), None, through._replace(own_login=True)).args == ("-p",)


def test_a_variable_without_a_value_is_not_taken_from_the_parent() -> None:
    parent = {"FAKE_KEY": "the user's own", "FAKE_URL": "https://elsewhere.example"}
    assert not {"FAKE_KEY", "FAKE_URL"} & set(environment(parent, a_profile("self"), None))


def test_the_words_of_the_command_line_are_the_manifests() -> None:
    assert launch_recipe(FAKE, ACME, a_profile(model="m"), None).args == ("-p", "--model", "m")
    assert launch_recipe(FAKE, ACME, a_profile(), None).args == ("-p",)
