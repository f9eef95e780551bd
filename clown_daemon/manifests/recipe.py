"""From an agent, a provider and a profile's settings to environment, command line and first files. Pure.

Secrets go into the environment alone, never into arguments or files; the loader refuses manifests that would.
"""

from dataclasses import dataclass
from typing import NamedTuple

from clown_daemon.manifests.agent import AgentManifest, ProfileFile, Variant
from clown_daemon.manifests.provider import Endpoint, ProviderManifest
from clown_daemon.manifests.template import render, render_args, render_env


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a profile's agent is launched: `[binary, *args, *the caller's words]` in this environment."""

    env: dict[str, str]
    """To set, over the daemon's own environment without `unset`. May hold the key: never log it."""
    unset: tuple[str, ...]
    args: tuple[str, ...]
    files: dict[str, str]
    """By path relative to the profile's home; to be written where there is none yet."""
    fresh_files: dict[str, str]
    """The same, but to be written before every run, whatever is there."""

    def __repr__(self) -> str:
        return f"Recipe(args={self.args!r}, env names={sorted(self.env)!r})"


class Through(NamedTuple):
    """A proxy between the agent and its provider."""

    url: str
    """Without a path: `http://127.0.0.1:8081`."""
    token: str
    """What has to be shown to it; nobody's to see."""
    token_name: str
    """What the secret store calls the token."""
    own_login: bool = False
    """Whether the agent logs in by itself: then the token stands in the address, else in the place of the key."""

    @property
    def base_url(self) -> str:
        """What the agent takes for its provider's address, without a version."""
        return f"{self.url}/p/{self.token}" if self.own_login else self.url


def choose_endpoint(agent: AgentManifest, provider: ProviderManifest, endpoint_id: str | None) -> str | None:
    """Find the endpoint that a profile of this agent uses.

    Args:
        agent: decides which wire formats fit, and which of them is best.
        provider: of any type but `self`, which has no endpoints and fits every agent.
        endpoint_id: what the profile asks for, or None for the best.

    Returns:
        Its name, or None when no endpoint (or not the asked one) speaks a format of the agent.

    Raises:
        KeyError: the provider has no endpoint of the asked name.
    """
    if endpoint_id is not None:
        return endpoint_id if provider.endpoint(endpoint_id).wire in agent.wire else None
    fitting = [name for name in provider.endpoints if provider.endpoint(name).wire in agent.wire]
    if provider.default_endpoint in fitting:
        return provider.default_endpoint
    return min(fitting, key=lambda name: agent.wire.index(provider.endpoint(name).wire), default=None)


def fits(agent: AgentManifest, provider: ProviderManifest) -> bool:
    """Whether the agent can talk to the provider at all."""
    return provider.type == "self" or choose_endpoint(agent, provider, None) is not None


def make_recipe(
    agent: AgentManifest,
    provider: ProviderManifest,
    *,
    endpoint_id: str | None,
    model: str | None,
    api_key: str | None,
    profile_home: str,
    alias: str,
    through: Through | None = None,
) -> Recipe:
    """Fill in the agent's rules for one profile.

    Args:
        agent: whose rules.
        provider: must fit the agent (`choose_endpoint`), else the rules of no wire format are used.
        endpoint_id: the profile's, or None for the best.
        model: the profile's, or None for the provider's default, and without one the agent's own.
        api_key: or None; then the agent uses its own login.
        profile_home: an absolute path.
        alias: the profile's name.
        through: its proxy, whose address and token the agent gets instead of the provider's address and key.

    Raises:
        KeyError: the provider has no endpoint of that name.
    """
    name = choose_endpoint(agent, provider, endpoint_id)
    endpoint = None if name is None else provider.endpoint(name)
    values = {
        "profile_home": profile_home,
        "alias": alias,
        **_model_values(provider, model or provider.default_model),
        **_provider_values(provider, endpoint, api_key),
        **(_proxy_values(endpoint, through) if endpoint is not None and through is not None else {}),
    }
    variant = Variant() if endpoint is None else agent.variants.get(endpoint.wire, Variant())
    # An address that has a token in it is in the environment alone: everybody may read a command line.
    words = {**values, "base_url": None} if through is not None and through.own_login else values
    return Recipe(
        env=render_env({**agent.profile.env, **variant.env}, values),
        unset=agent.profile.unset,
        args=(
            *render_args((*agent.launch.args, *variant.args), words),
            *render_args((*agent.launch.model_args, *variant.model_args), words),
        ),
        files=_files((*agent.profile.files, *variant.files), values, refresh=False),
        fresh_files=_files((*agent.profile.files, *variant.files), values, refresh=True),
    )


def _model_values(provider: ProviderManifest, model: str | None) -> dict[str, str | None]:
    return {"model": model, "foreign_model": None if provider.type in {"anthropic", "openai", "self"} else model}


def _provider_values(
    provider: ProviderManifest, endpoint: Endpoint | None, api_key: str | None
) -> dict[str, str | None]:
    return {
        "base_url": None if endpoint is None else endpoint.url,
        "api_key": api_key,
        "x_api_key": api_key if provider.key_header == "x-api-key" else None,
        "bearer_token": api_key if provider.key_header == "bearer" else None,
    }


def _proxy_values(endpoint: Endpoint, through: Through) -> dict[str, str | None]:
    # Addresses of OpenAI's formats end with the version; a bearer token is never asked about, a key may be.
    version = "/v1" if endpoint.wire in {"openai", "openai-chat"} else ""
    shown = None if through.own_login else through.token
    return {
        "base_url": f"{through.base_url}{version}",
        "api_key": shown,
        "x_api_key": None,
        "bearer_token": shown,
    }


def _files(files: tuple[ProfileFile, ...], values: dict[str, str | None], *, refresh: bool) -> dict[str, str]:
    wanted = [
        file for file in files if file.refresh is refresh and all(values.get(need) is not None for need in file.needs)
    ]
    rendered = {file.path: render(file.text, values) for file in wanted}
    return {path: text for path, text in rendered.items() if text is not None}
