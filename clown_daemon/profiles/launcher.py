"""Gets everything ready that a start of a profile's agent needs: its key or its proxy, its program, its home.

The same for a run without a terminal, which the daemon starts itself, and for one that the user's own shell starts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from clown_daemon.errors import DomainError
from clown_daemon.manifests.catalogue import Catalogue
from clown_daemon.manifests.recipe import Recipe, Through
from clown_daemon.profiles import homes, rules
from clown_daemon.profiles.secrets import SecretStore
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.requests import RunProfile
from clown_daemon.protocol.resources import Profile


class Proxies(Protocol):
    """What profiles need of their proxies."""

    async def find(self, alias: str) -> Through | None:
        """Answer the proxy of a profile, started if it did not run; None for a profile that wants none."""

    async def changed(self, alias: str) -> None:
        """The profile is another than before."""

    async def forget(self, alias: str) -> None:
        """The profile is gone."""


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A start that is ready."""

    argv: tuple[str, ...] = field(repr=False)
    recipe: Recipe
    managed: frozenset[str]
    """Variables of the starter's environment that must not reach the agent."""
    working_dir: Path
    secrets: tuple[str, ...] = field(repr=False)
    """Texts in the recipe's environment that are nobody's to see."""
    secret_name: str | None
    """What the secret store calls the secret; None where there is none."""
    proxied: bool
    """Whether the agent asks its proxy instead of the provider."""

    def environ(self, parent: Mapping[str, str]) -> dict[str, str]:
        """The agent's whole environment, for a starter with this one."""
        return rules.launch_environment(self.recipe, self.managed, parent)


class Launcher:
    """Prepares starts of all profiles."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        secrets: SecretStore,
        find_binary: Callable[[str], Awaitable[str | None]],
        proxies: Proxies,
    ) -> None:
        self._catalogue = catalogue
        self._secrets = secrets
        self._find_binary = find_binary
        self._proxies = proxies

    async def prepare(self, profile: Profile, request: RunProfile, *, mark: str | None = None) -> Launch:
        """Make a start ready: files are written, the proxy answers.

        Args:
            profile: whose agent.
            request: how.
            mark: stands in the environment instead of the secret; None: the secret itself does.

        Raises:
            DomainError: the agent is not installed, its key is gone, its home cannot be used, its proxy does not start.
        """
        rules.check_run(request)
        agent = rules.find_agent(self._catalogue, profile.agent_id)
        provider = rules.find_provider(self._catalogue, profile.provider_id)
        api_key = await self._key_of(profile)
        binary = await self._find_binary(profile.agent_id)
        if binary is None:
            raise DomainError(
                ProblemCode.AGENT_NOT_INSTALLED,
                f"{agent.name} is not installed: there is no {agent.binary!r}",
                hint="install it, then look again with POST /api/agents/detect",
            )
        through = await self._proxies.find(profile.alias)
        # The real key stays with the proxy.
        secret = through.token if through else api_key
        shown = None if secret is None else mark or secret
        given = through._replace(token=shown) if through and shown else None
        recipe = rules.launch_recipe(agent, provider, profile, None if through else shown, given)
        working_dir = Path(request.working_dir or profile.profile_home)
        await asyncio.to_thread(_make_ready, Path(profile.profile_home), recipe, working_dir)
        return Launch(
            argv=(binary, *recipe.args, *request.args),
            recipe=recipe,
            managed=rules.managed_variables(agent),
            working_dir=working_dir,
            secrets=() if secret is None else (secret,),
            secret_name=None if secret is None else through.token_name if through else profile.alias,
            proxied=through is not None,
        )

    async def _key_of(self, profile: Profile) -> str | None:
        if not profile.has_api_key:
            return None
        api_key = await self._secrets.get(profile.alias)
        if api_key is None:
            raise DomainError(
                ProblemCode.SPAWN_FAILED,
                f"the API key of {profile.alias} is no longer where it was kept",
                hint="set it again, or set api_key to null to use the agent's own login",
            )
        return api_key


def _make_ready(home: Path, recipe: Recipe, working_dir: Path) -> None:
    try:
        homes.make_home(home)
        homes.write_first_files(home, recipe.files)
        homes.write_fresh_files(home, recipe.fresh_files)
    except OSError as error:
        raise DomainError(
            ProblemCode.SPAWN_FAILED, f"the profile's home {home} cannot be used: {error.strerror}"
        ) from error
    if not working_dir.is_dir():
        raise DomainError(
            ProblemCode.INVALID_FIELD,
            f"working_dir: {working_dir} is no folder",
            hint="leave it out for the profile's home",
        )
