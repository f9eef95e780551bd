"""What a profile may be, and how its agent is launched. Pure.

Refusals are `DomainError`s with one sentence and a cure. Keys go into the child's environment and nowhere else: the
manifests' own rules (`manifests.recipe`) refuse them in arguments and files.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from clown_daemon.errors import DomainError
from clown_daemon.manifests.agent import AgentManifest
from clown_daemon.manifests.catalogue import Catalogue
from clown_daemon.manifests.provider import ProviderManifest
from clown_daemon.manifests.recipe import Recipe, Through, choose_endpoint, fits, make_recipe
from clown_daemon.profiles.loopback import with_loopback_direct
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import (
    ALIAS_PATTERN,
    MAX_ALIAS_LENGTH,
    MAX_KEY_LENGTH,
    RunEnded,
    RunProfile,
)
from clown_daemon.protocol.resources import MAX_TEXT_LENGTH, UNATTRIBUTED, Profile
from clown_daemon.redaction import looks_like_key

RUN_VARIABLE = "CLOWN_RUN_ID"
"""Set in every child: a daemon that died between the spawn and writing down the pid finds its child by it."""

_ALIAS = re.compile(ALIAS_PATTERN)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def check_alias(alias: str) -> None:
    """Refuse a name that is none: it is a folder, a word of a command line and a key of reports.

    Raises:
        DomainError: `invalid_field`.
    """
    hint = f"1 to {MAX_ALIAS_LENGTH} letters, digits, '.', '_' or '-', beginning with a letter or digit"
    if not alias:
        raise _invalid("alias: a profile needs a name", hint)
    if len(alias) > MAX_ALIAS_LENGTH:
        raise _invalid(f"alias: the name is {len(alias)} characters long", hint)
    if not _ALIAS.fullmatch(alias):
        raise _invalid(f"alias: {alias!r} cannot be a profile's name", hint)
    if looks_like_key(alias):
        raise _invalid("alias: this looks like an API key", "a key goes into api_key, and nowhere else")
    if alias.casefold() == UNATTRIBUTED:
        raise _invalid(f"alias: {alias!r} is the name for usage that belongs to no profile", "choose another name")


def find_agent(catalogue: Catalogue, agent_id: str) -> AgentManifest:
    """The manifest of an agent.

    Raises:
        DomainError: `unknown_agent`, with the nearest name.
    """
    found = catalogue.agents.get(agent_id)
    if found is None:
        hint = _nearest(agent_id, tuple(catalogue.agents), "agents")
        raise DomainError(ProblemCode.UNKNOWN_AGENT, f"there is no agent {agent_id!r}", hint=hint)
    return found


def find_provider(catalogue: Catalogue, provider_id: str) -> ProviderManifest:
    """The manifest of a provider.

    Raises:
        DomainError: `unknown_provider`, with the nearest name.
    """
    found = catalogue.providers.get(provider_id)
    if found is None:
        hint = _nearest(provider_id, tuple(catalogue.providers), "providers")
        raise DomainError(ProblemCode.UNKNOWN_PROVIDER, f"there is no provider {provider_id!r}", hint=hint)
    return found


def check_provider(agent: AgentManifest, provider: ProviderManifest, endpoint_id: str | None) -> None:
    """Refuse an endpoint of another provider, and a provider that the agent cannot talk to.

    Raises:
        DomainError: `unknown_endpoint` or `incompatible_provider`.
    """
    if endpoint_id is not None and endpoint_id not in provider.endpoints:
        hint = _nearest(endpoint_id, tuple(provider.endpoints), "endpoints")
        raise DomainError(ProblemCode.UNKNOWN_ENDPOINT, f"{provider.name} has no endpoint {endpoint_id!r}", hint=hint)
    spoken = " or ".join(agent.wire) or "no known format"
    if not fits(agent, provider):
        raise DomainError(
            ProblemCode.INCOMPATIBLE_PROVIDER,
            f"{agent.name} cannot use {provider.name}: the agent speaks {spoken}, the provider does not",
            hint="choose another provider, or 'self' for the agent's own login",
        )
    if endpoint_id is not None and choose_endpoint(agent, provider, endpoint_id) is None:
        raise DomainError(
            ProblemCode.INCOMPATIBLE_PROVIDER,
            f"{agent.name} cannot use the endpoint {endpoint_id!r} of {provider.name}: the agent speaks {spoken}",
            hint="leave endpoint_id out: the best one is chosen then",
        )


def clean_model(model: str | None) -> str | None:
    """Check a model's name.

    Raises:
        DomainError: `invalid_field`: it is empty, too long, or would be read as an option.
    """
    if model is None:
        return None
    name = model.strip()
    # It becomes a word of a command line, so it must not look like an option.
    if not name or len(model) > MAX_TEXT_LENGTH or _CONTROL.search(model) or name.startswith("-"):
        raise _invalid("model: this cannot be a model's name", "leave it out for the agent's default")
    if looks_like_key(name):
        raise _invalid("model: this looks like an API key", "a key goes into api_key, and nowhere else")
    return name


def clean_key(api_key: str | None) -> str | None:
    """Check a key, without the blanks around it that pasting brings along. No message ever quotes it.

    Raises:
        DomainError: `invalid_field`.
    """
    if api_key is None:
        return None
    key = api_key.strip()
    if not key or len(api_key) > MAX_KEY_LENGTH or _CONTROL.search(key):
        raise _invalid("api_key: this cannot be a key", "leave it out to use the agent's own login")
    return key


def check_run(request: RunProfile) -> None:
    """Refuse what no program can be given; whether the folder exists is for who starts it.

    Raises:
        DomainError: `invalid_field`.
    """
    if any("\0" in word for word in request.args):
        raise _invalid("args: an argument cannot hold a NUL character", None)
    folder = request.working_dir
    if folder is not None and ("\0" in folder or not Path(folder).is_absolute()):
        raise _invalid("working_dir: the folder must be an absolute path", "leave it out for the profile's home")


def check_end(request: RunEnded) -> None:
    """Refuse what is no sentence.

    Raises:
        DomainError: `invalid_field`.
    """
    if request.error is not None and len(request.error) > MAX_TEXT_LENGTH:
        raise _invalid(f"error: at most {MAX_TEXT_LENGTH} characters", "one sentence for people")


def launch_recipe(
    manifest: AgentManifest,
    provider: ProviderManifest,
    profile: Profile,
    api_key: str | None,
    through: Through | None = None,
) -> Recipe:
    """Fill in the agent's rules for this profile: variables, arguments, first files.

    Args:
        manifest: the rules.
        provider: gives the address.
        profile: gives home, endpoint and model.
        api_key: or None for the agent's own login.
        through: the profile's proxy, or None for the provider itself.

    Raises:
        DomainError: the provider changed since the profile was made and no longer fits.
    """
    check_provider(manifest, provider, profile.endpoint_id)
    return make_recipe(
        manifest,
        provider,
        endpoint_id=profile.endpoint_id,
        model=profile.model,
        api_key=api_key,
        profile_home=profile.profile_home,
        alias=profile.alias,
        through=through,
    )


def managed_variables(manifest: AgentManifest) -> frozenset[str]:
    """The variables that are the profile's alone, also where it has no value for one."""
    known = {*manifest.profile.env, *(name for variant in manifest.variants.values() for name in variant.env)}
    return frozenset(known.union(manifest.profile.unset))


def launch_environment(recipe: Recipe, managed: Collection[str], parent_environ: Mapping[str, str]) -> dict[str, str]:
    """Make the whole environment of a profile's agent.

    Args:
        recipe: what is set.
        managed: see `managed_variables`; what the parent has of these would compete with the profile.
        parent_environ: the environment of who starts it.
    """
    kept = {name: value for name, value in parent_environ.items() if name not in managed}
    return {**kept, **recipe.env, **with_loopback_direct(kept)}


def _nearest(name: str, known: tuple[str, ...], what: str) -> str:
    near = nearest_name(name, known)
    return f"did you mean {near!r}?" if near else f"known {what}: {', '.join(sorted(known)) or 'none'}"


def _invalid(message: str, hint: str | None) -> DomainError:
    return DomainError(ProblemCode.INVALID_FIELD, message, hint=hint)
