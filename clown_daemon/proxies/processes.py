"""The processes of all proxies: started, adopted, asked and told. What each is told is put together here."""

import asyncio
import logging
import secrets as randomness
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from clown_daemon.errors import DomainError
from clown_daemon.manifests.recipe import Through
from clown_daemon.paths import Paths
from clown_daemon.processes.child import SpawnError
from clown_daemon.processes.supervisor import Supervised, Supervisor
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.resources import ProxySettings
from clown_daemon.proxies import process
from clown_daemon.proxies.diary import Diary
from clown_daemon.proxies.engine.instructions import Instructions
from clown_daemon.proxies.ports import HOST
from clown_daemon.proxies.wiring import Party, make_instructions, named_profiles, uses_own_login
from clown_daemon.store import proxies as store
from clown_daemon.store.database import Database, Transaction

logger = logging.getLogger(__name__)


class Secrets(Protocol):
    """What is needed of the secret store (`profiles.secrets`)."""

    async def get(self, alias: str) -> str | None: ...
    async def set(self, alias: str, key: str) -> None: ...
    async def delete(self, alias: str) -> None: ...


class Processes:
    """Starts, adopts, asks and tells.

    Args:
        database: has the settings.
        diary: where starts are written down.
        secrets: keeps the token of each proxy.
        party: answers a profile with all that it stands for, its key too; raises `DomainError` `unknown_profile`.
        refusal: answers why a profile, of an agent, may not spend anything now; None when it may.
        paths: where spools and logs are.
        environ: of the proxy processes.
        supervisor: has them as children.
    """

    def __init__(
        self,
        *,
        database: Database,
        diary: Diary,
        secrets: Secrets,
        party: Callable[[str], Awaitable[Party]],
        refusal: Callable[[str, str], Awaitable[str | None]],
        paths: Paths,
        environ: Mapping[str, str],
        supervisor: Supervisor,
    ) -> None:
        self._database = database
        self._diary = diary
        self._secrets = secrets
        self._party = party
        self._refusal = refusal
        self._told: dict[str, tuple[str, str | None]] = {}
        """The agent of each proxy, and the refusal that it was told last."""
        self._paths = paths
        self._environ = environ
        self._supervisor = supervisor
        self._session: aiohttp.ClientSession | None = None

    async def instructions(self, alias: str, settings: ProxySettings) -> Instructions:
        """What the proxy of a profile has to know.

        Raises:
            DomainError: a profile that it names is not there, or cannot be used.
        """
        own = await self._party(alias)
        others = {name: await self._party(name) for name in named_profiles(settings) if name != alias}
        refusal = await self._refusal(alias, own.profile.agent_id)
        return make_instructions(own, others, settings, await self.token(alias), refusal=refusal)

    async def is_up_to_date(self, alias: str) -> bool:
        """Whether a running proxy knows what may be spent now."""
        if alias not in self._told:
            return False
        agent_id, told = self._told[alias]
        return told == await self._refusal(alias, agent_id)

    async def launch(self, alias: str, listening: socket.socket) -> Supervised:
        """Start a process and wait until it answers.

        Raises:
            SpawnError: it does not.
        """
        try:
            instructions = await self._current_instructions(alias)
        except DomainError as error:
            raise SpawnError(str(error), hint=error.hint) from error
        started = await process.spawn(
            self._supervisor,
            listening,
            instructions,
            spool_dir=self._paths.spool_dir / alias,
            log_file=self.log_file(alias),
            environ=self._environ,
        )
        try:
            # A daemon that dies from here on finds it again.
            await self._diary.write(partial(_set_spawned, profile=alias, process=started))
            await process.wait_ready(self._http(), listening.getsockname()[1], instructions.token, started)
        except BaseException:
            await self._supervisor.stop(started)
            raise
        self._told[alias] = (instructions.agent_id, instructions.refusal)
        return started

    async def adopt(self, living: store.Living) -> Supervised | None:
        """Take over a process that outlived its daemon; None when it is gone, or had to be ended since it is no use."""
        if living.process_start is None:
            return None
        found = await self._supervisor.adopt(living.pid, living.process_start, name=f"proxy of {living.profile}")
        if found is None:
            return None
        if living.serves and await self.answers(living.profile, living.port):
            logger.info("the proxy of %s goes on, pid %d", living.profile, living.pid)
            return found
        await self._supervisor.stop(found)
        return None

    async def end(self, started: Supervised) -> int | None:
        """End a process with its group; answer its exit code."""
        return await self._supervisor.stop(started)

    async def answers(self, alias: str, port: int) -> bool:
        """Whether the proxy of this profile answers on that port."""
        try:
            ident = await process.ask(self._http(), port, await self.token(alias))
        except (OSError, TimeoutError, aiohttp.ClientError, msgspec.DecodeError):
            return False
        return ident.profile == alias

    async def reload(self, alias: str, port: int) -> bool:
        """Tell the proxy of a profile what is so now; answer whether it took it.

        Raises:
            DomainError: there is nothing that it could go by any more.
        """
        instructions = await self._current_instructions(alias)
        try:
            await process.reload(self._http(), port, instructions.token, instructions)
        except (OSError, TimeoutError, aiohttp.ClientError) as error:
            logger.warning("the proxy of %s was not told of a change: %s", alias, type(error).__name__)
            return False
        self._told[alias] = (instructions.agent_id, instructions.refusal)
        return True

    async def through(self, alias: str, port: int) -> Through:
        """How an agent finds the proxy of its profile."""
        own_login = uses_own_login(await self._party(alias))
        return Through(f"http://{HOST}:{port}", await self.token(alias), _token_name(alias), own_login=own_login)

    async def token(self, alias: str) -> str:
        """What agents have to show the proxy of a profile; the same for ever."""
        name = _token_name(alias)
        token = await self._secrets.get(name)
        if token is None:
            token = f"clown-{randomness.token_urlsafe(32)}"
            await self._secrets.set(name, token)
        return token

    async def forget(self, alias: str) -> None:
        """Remove the token and the logs of a profile that is gone."""
        self._told.pop(alias, None)
        await self._secrets.delete(_token_name(alias))
        await asyncio.to_thread(_remove_logs, self.log_file(alias))

    def log_file(self, alias: str) -> Path:
        """Where the proxy of a profile writes what passed."""
        return self._paths.log_dir / f"proxy-{alias}.log"

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()

    async def _current_instructions(self, alias: str) -> Instructions:
        """Leaves out rules and fallbacks to profiles that were deleted since."""
        settings = await self._database.read(partial(store.read_settings, profile=alias))
        for name in named_profiles(settings):
            try:
                await self._party(name)
            except DomainError as error:
                if error.code != ProblemCode.UNKNOWN_PROFILE or name == alias:
                    raise
                logger.warning("the proxy of %s has a rule or fallback to %s, which is gone", alias, name)
                settings = _without(settings, name)
        return await self.instructions(alias, settings)

    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session


def _token_name(alias: str) -> str:
    # No alias holds a blank, so this is nobody's API key.
    return f"{alias} proxy"


def _without(settings: ProxySettings, name: str) -> ProxySettings:
    return msgspec.structs.replace(
        settings,
        rules=tuple(rule for rule in settings.rules if rule.to != name),
        fallbacks=tuple(fallback for fallback in settings.fallbacks if fallback != name),
    )


def _set_spawned(transaction: Transaction, profile: str, process: Supervised) -> None:
    store.set_spawned(transaction.connection, profile, pid=process.pid, process_start=process.process_start)


def _remove_logs(file: Path) -> None:
    for found in file.parent.glob(f"{file.name}*"):
        found.unlink(missing_ok=True)
