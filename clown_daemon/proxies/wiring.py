"""From a profile and its proxy's settings to what the proxy process is told. Pure.

An upstream is a profile: its provider, endpoint, key and model. Rules and fallbacks name other profiles, so a key stays
with the profile it belongs to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from clown_daemon.errors import DomainError
from clown_daemon.manifests.agent import AgentManifest
from clown_daemon.manifests.provider import Endpoint, ProviderManifest
from clown_daemon.manifests.recipe import choose_endpoint
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import Profile, ProxySettings
from clown_daemon.proxies.engine.instructions import Instructions, KeyHeader, Rule, Upstream


@dataclass(frozen=True, kw_only=True)
class Party:
    """A profile with what it stands for."""

    profile: Profile
    agent: AgentManifest
    provider: ProviderManifest
    api_key: str | None = field(repr=False)


def named_profiles(settings: ProxySettings) -> tuple[str, ...]:
    """The other profiles that settings speak of, each once, sorted."""
    return tuple(sorted({rule.to for rule in settings.rules} | set(settings.fallbacks)))


def make_instructions(
    own: Party, others: Mapping[str, Party], settings: ProxySettings, token: str, *, refusal: str | None = None
) -> Instructions:
    """Put together what the proxy of a profile is told.

    Args:
        own: whose proxy it is.
        others: every profile that `named_profiles` names.
        settings: the proxy's.
        token: what the agent has to show.
        refusal: why nothing is passed on right now.

    Raises:
        DomainError: a profile has no address to pass requests to, or another one speaks another wire format.
    """
    alias = own.profile.alias
    upstreams = {alias: _upstream(own, own.agent, own_login=uses_own_login(own))}
    wire = upstreams[alias].wire
    for name, party in others.items():
        upstreams[name] = _upstream(party, own.agent, own_login=False)
        if upstreams[name].wire != wire:
            raise DomainError(
                ProblemCode.INCOMPATIBLE_PROVIDER,
                f"{name} cannot take requests of {alias}: its provider speaks {upstreams[name].wire}, not {wire}",
                hint="choose a profile whose provider speaks the same format",
            )
    return Instructions(
        profile=alias,
        agent_id=own.profile.agent_id,
        token=token,
        upstreams=upstreams,
        default=alias,
        rules=tuple(
            Rule(
                upstream=rule.to,
                priority=rule.priority,
                thinking=rule.thinking,
                tokens_over=rule.tokens_over,
                tools_at_least=rule.tools_at_least,
                model=rule.model,
                set_model=rule.set_model,
            )
            for rule in settings.rules
        ),
        fallbacks=settings.fallbacks,
        upstream_proxy=settings.upstream_proxy,
        ca_file=settings.ca_file,
        ask_for_usage=settings.ask_for_usage,
        refusal=refusal,
    )


def uses_own_login(party: Party) -> bool:
    """Whether the agent logs in by itself: its credential passes, to its own provider and to no other."""
    return party.api_key is None and party.provider.needs_key


def _upstream(party: Party, agent: AgentManifest, *, own_login: bool) -> Upstream:
    profile, provider = party.profile, party.provider
    name = choose_endpoint(agent, provider, profile.endpoint_id) if provider.endpoints else None
    if name is None:
        raise DomainError(
            ProblemCode.INCOMPATIBLE_PROVIDER,
            f"{profile.alias} has no address that a proxy could pass requests to",
            hint="a profile with the agent's own login talks to its provider directly; choose a provider for it",
        )
    endpoint = provider.endpoint(name)
    return Upstream(
        provider=provider.id,
        url=endpoint.url,
        wire=endpoint.wire,
        key=party.api_key,
        key_header="none" if own_login else _key_header(provider, endpoint),
        model=None,
    )


def _key_header(provider: ProviderManifest, endpoint: Endpoint) -> KeyHeader:
    match endpoint.wire:
        case "anthropic":
            return provider.key_header
        case "gemini":
            return "x-goog-api-key"
        case "openai" | "openai-chat":
            return "bearer"
