import pytest

from clown_daemon.errors import DomainError
from clown_daemon.manifests.agent import AgentManifest
from clown_daemon.manifests.provider import Endpoint, ProviderManifest
from clown_daemon.manifests.wires import Wire
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import Profile, ProxyRule, ProxySettings
from clown_daemon.proxies.engine.instructions import Instructions, Rule, Upstream
from clown_daemon.proxies.wiring import Party, make_instructions, named_profiles, uses_own_login
from tests.support.fake_agents import ACME, FAKE, OPEN, OTHER, OWN

MANY = AgentManifest(id="many", name="Many", binary="many", wire=("anthropic", "openai", "openai-chat", "gemini"))


def party(
    alias: str, provider: ProviderManifest = ACME, agent: AgentManifest = FAKE, key: str | None = "sk-1"
) -> Party:
    profile = Profile(
        alias=alias,
        agent_id=agent.id,
        provider_id=provider.id,
        endpoint_id=None,
        model=None,
        last_used=None,
        created_at="2026-01-08T10:30:00Z",
        profile_home=f"/home/dev/{alias}",
        has_api_key=key is not None,
    )
    return Party(profile=profile, agent=agent, provider=provider, api_key=key)


def told(own: Party, *others: Party, settings: ProxySettings | None = None, refusal: str | None = None) -> Instructions:
    by_name = {other.profile.alias: other for other in others}
    return make_instructions(own, by_name, settings or ProxySettings(), "token", refusal=refusal)


def test_a_profile_is_the_upstream_of_its_own_proxy() -> None:
    instructions = told(party("work"), refusal="too dear")
    assert instructions == Instructions(
        profile="work",
        agent_id="fake",
        token="token",  # made up
        upstreams={
            "work": Upstream(
                provider="acme", url="https://acme.example/main", wire="anthropic", key="sk-1", key_header="bearer"
            )
        },
        default="work",
        refusal="too dear",
    )


def test_rules_and_fallbacks_become_upstreams_with_their_own_keys() -> None:
    rule = ProxyRule(to="cheap", priority=3, thinking=False, tokens_over=5, tools_at_least=2, model="h*", set_model="m")
    settings = ProxySettings(rules=(rule,), fallbacks=("spare",), upstream_proxy="http://p:1", ca_file="/ca.pem")
    instructions = told(
        party("work"), party("cheap", OTHER, key="sk-2"), party("spare", OTHER, key=None), settings=settings
    )
    assert instructions.rules == (
        Rule(upstream="cheap", priority=3, thinking=False, tokens_over=5, tools_at_least=2, model="h*", set_model="m"),
    )
    assert instructions.fallbacks == ("spare",)
    assert {name: upstream.key for name, upstream in instructions.upstreams.items()} == {
        "work": "sk-1",
        "cheap": "sk-2",
        "spare": None,
    }
    assert (instructions.upstream_proxy, instructions.ca_file) == ("http://p:1", "/ca.pem")


def test_other_profiles_are_named_once_each() -> None:
    rules = tuple(ProxyRule(to=name) for name in ("b", "a", "b"))
    assert named_profiles(ProxySettings(rules=rules, fallbacks=("c", "a"))) == ("a", "b", "c")


@pytest.mark.parametrize(
    ("wire", "header"),
    [("openai", "bearer"), ("openai-chat", "bearer"), ("gemini", "x-goog-api-key"), ("anthropic", "x-api-key")],
)
def test_a_key_goes_where_the_format_wants_it(wire: Wire, header: str) -> None:
    endpoints: dict[str, str | Endpoint] = {"only": Endpoint(url="https://p.example", wire=wire)}
    provider = ProviderManifest(id="p", name="P", type="anthropic", endpoints=endpoints)
    assert told(party("work", provider, MANY)).upstreams["work"].key_header == header


def test_the_agents_own_login_passes_to_its_own_provider_alone() -> None:
    own, other = party("work", key=None), party("spare", OTHER, key=None)
    assert uses_own_login(own)
    instructions = told(own, other, settings=ProxySettings(fallbacks=("spare",)))
    assert {name: upstream.key_header for name, upstream in instructions.upstreams.items()} == {
        "work": "none",
        "spare": "bearer",
    }


def test_a_provider_without_keys_is_sent_none() -> None:
    local = ProviderManifest(
        id="l", name="L", type="anthropic-compatible", endpoints={"e": "http://127.0.0.1:1"}, needs_key=False
    )
    assert not uses_own_login(party("work", local, key=None))
    assert told(party("work", local, key=None)).upstreams["work"].key_header == "bearer"


def test_a_profile_of_another_format_cannot_take_requests() -> None:
    own = party("work", agent=MANY)
    with pytest.raises(DomainError, match="its provider speaks openai, not anthropic") as caught:
        told(own, party("cheap", OPEN, MANY), settings=ProxySettings(fallbacks=("cheap",)))
    assert caught.value.code is ProblemCode.INCOMPATIBLE_PROVIDER


def test_a_profile_with_the_agents_own_login_has_no_address() -> None:
    with pytest.raises(DomainError, match="no address that a proxy could pass requests to"):
        told(party("work", OWN, key=None))


def test_nothing_that_is_printed_shows_a_key() -> None:
    assert "sk-1" not in repr(party("work"))
    assert "sk-1" not in repr(told(party("work")))
