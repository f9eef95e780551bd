"""Profiles as the API sees them: create, read, change, delete, and the door to their runs.

Commands on one profile take turns. A command that has begun is brought to its end even when its caller has gone, so
that books, keys, folders and children never disagree because a connection broke.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import TypeVar

from msgspec import UNSET

from clown_daemon.errors import DomainError
from clown_daemon.manifests.catalogue import Catalogue
from clown_daemon.paths import Paths
from clown_daemon.processes.alias_locks import AliasLocks
from clown_daemon.processes.supervisor import Supervisor
from clown_daemon.processes.tasks import TaskScope
from clown_daemon.profiles import homes, rules
from clown_daemon.profiles.interactive import InteractiveRuns, new_run_id
from clown_daemon.profiles.interactive_run import InteractiveRun
from clown_daemon.profiles.launcher import Launcher, Proxies
from clown_daemon.profiles.output_tail import tail_file
from clown_daemon.profiles.runner import CLOSE_SECONDS, ActiveRun, Runner
from clown_daemon.profiles.secrets import SecretStore
from clown_daemon.protocol.events import BudgetDeleted, ProfileCreated, ProfileDeleted, ProfileUpdated
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import Message, OutputPage, ProfileMessage, RunStarted, RunStopped
from clown_daemon.protocol.requests import MAX_ALIAS_LENGTH, CreateProfile, OutputQuery, RunProfile, UpdateProfile
from clown_daemon.protocol.resources import Profile, ProfileDetail, ProfileSummary
from clown_daemon.store import profiles as store
from clown_daemon.store.budgets import delete_rows_of
from clown_daemon.store.database import Database, Transaction

T = TypeVar("T")


class ProfileService:
    """All commands and queries of profiles. Call `reconcile` before the first of them and `close` after the last."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: Database,
        secrets: SecretStore,
        supervisor: Supervisor,
        paths: Paths,
        environ: Mapping[str, str],
        launcher: Launcher,
        interactive: InteractiveRuns,
        locks: AliasLocks,
        proxies: Proxies,
        new_id: Callable[[], str] = new_run_id,
    ) -> None:
        self._catalogue = catalogue
        self._database = database
        self._secrets = secrets
        self._paths = paths
        self._interactive = interactive
        self._proxies = proxies
        self._locks = locks
        self._tasks = TaskScope()
        self._runner = Runner(
            launcher=launcher,
            database=database,
            supervisor=supervisor,
            paths=paths,
            environ=environ,
            new_id=new_id,
        )

    @property
    def active_runs(self) -> int:
        """How many agents run now."""
        return self._runner.count + self._interactive.count

    async def list(self, agent: str | None = None) -> tuple[ProfileSummary, ...]:
        """All profiles, or those of one agent, sorted by alias."""
        found = await self._database.read(lambda connection: store.read_profiles(connection, agent_id=agent))
        return tuple(
            ProfileSummary(
                alias=profile.alias,
                agent_id=profile.agent_id,
                provider_id=profile.provider_id,
                endpoint_id=profile.endpoint_id,
                model=profile.model,
                last_used=profile.last_used,
            )
            for profile in found
        )

    async def get(self, alias: str) -> ProfileDetail:
        """One profile.

        Raises:
            DomainError: `unknown_profile`.
        """
        profile = await self._read(alias)
        return ProfileDetail(
            alias=profile.alias,
            agent_id=profile.agent_id,
            provider_id=profile.provider_id,
            endpoint_id=profile.endpoint_id,
            model=profile.model,
            last_used=profile.last_used,
            created_at=profile.created_at,
            profile_home=profile.profile_home,
        )

    async def create(self, request: CreateProfile) -> ProfileMessage:
        """Make a profile with its home and its key.

        Raises:
            DomainError: a field cannot be used, or the name is taken.
        """
        return await self._take_turn(request.alias, self._create(request))

    async def update(self, alias: str, request: UpdateProfile) -> ProfileMessage:
        """Change what is given; nothing is published when nothing changes.

        Raises:
            DomainError: `unknown_profile`, or a field cannot be used.
        """
        return await self._take_turn(alias, self._update(alias, request))

    async def delete(self, alias: str) -> Message:
        """Remove a profile with its home, its key and its budgets; its usage stays.

        Raises:
            DomainError: `unknown_profile`, or `profile_running`.
        """
        return await self._take_turn(alias, self._delete(alias))

    async def run(self, alias: str, request: RunProfile) -> RunStarted:
        """Start a profile's agent without a terminal.

        Raises:
            DomainError: `unknown_profile`, `profile_running`, `agent_not_installed`, `spawn_failed`, ...
        """
        return await self._take_turn(alias, self._run(alias, request))

    async def stop(self, alias: str) -> RunStopped:
        """End a profile's runs, each with its whole process group.

        Raises:
            DomainError: `unknown_profile`, or `profile_not_running`.
        """
        # The turn ends before the agent does: its end may take as long as the grace.
        runs = await self._take_turn(alias, self._running(alias))
        ending = [self._tasks.start(self._end(run), name=f"stop of {alias}") for run in runs]
        codes = await asyncio.shield(asyncio.gather(*ending))
        told = "its exit code is not known" if codes[-1] is None else f"exit code {codes[-1]}"
        more = f", and {len(codes) - 1} more" if len(codes) > 1 else ""
        return RunStopped(run_id=runs[-1].run_id, exit_code=codes[-1], message=f"{alias} stopped, {told}{more}")

    async def output(self, alias: str, query: OutputQuery) -> OutputPage:
        """What the newest run printed.

        Raises:
            DomainError: `unknown_profile`.
        """
        return await self._runner.output(await self._read(alias), query)

    async def reconcile(self) -> None:
        """Bring folders and runs in line with the books; once, at boot, before anything else."""
        aliases = await self._database.read(store.read_aliases)
        await asyncio.to_thread(homes.settle, self._paths.profiles_dir, aliases)
        await self._interactive.reconcile()
        await self._runner.reconcile()

    async def close(self) -> None:
        """End every run and write down their ends."""
        await self._runner.close()
        await self._interactive.close()
        await self._tasks.close(CLOSE_SECONDS)

    async def _take_turn(self, alias: str, work: Awaitable[T]) -> T:
        async def turn() -> T:
            async with self._locks.of(alias):
                return await work

        return await self._tasks.finish(turn(), name=f"command on {alias[:MAX_ALIAS_LENGTH]}")

    async def _create(self, request: CreateProfile) -> ProfileMessage:
        rules.check_alias(request.alias)
        agent = rules.find_agent(self._catalogue, request.agent_id)
        provider = rules.find_provider(self._catalogue, request.provider_id)
        rules.check_provider(agent, provider, request.endpoint_id)
        api_key = rules.clean_key(request.api_key)
        profile = store.NewProfile(
            alias=request.alias,
            agent_id=agent.id,
            provider_id=provider.id,
            endpoint_id=request.endpoint_id,
            model=rules.clean_model(request.model),
            home=str(self._paths.profiles_dir / request.alias),
            has_api_key=api_key is not None,
        )
        await self._database.read(partial(_refuse_taken, alias=request.alias))
        home = Path(profile.home)
        made = await asyncio.to_thread(_make_home, home)
        try:
            if api_key is not None:
                await self._secrets.set(request.alias, api_key)
            await self._database.write(partial(_insert, profile=profile))
        except BaseException:
            if api_key is not None:
                await self._secrets.delete(request.alias)
            if made:
                await asyncio.to_thread(homes.remove, home)
            raise
        return ProfileMessage(alias=request.alias, message=f"created {request.alias} for {agent.name}")

    async def _update(self, alias: str, request: UpdateProfile) -> ProfileMessage:
        profile = await self._read(alias)
        provider_id = profile.provider_id if request.provider_id is UNSET else request.provider_id
        provider = rules.find_provider(self._catalogue, provider_id)
        if request.endpoint_id is not UNSET:
            endpoint_id = request.endpoint_id
        else:
            # An endpoint belongs to its provider: it does not come along to another one.
            endpoint_id = profile.endpoint_id if provider_id == profile.provider_id else None
        rules.check_provider(rules.find_agent(self._catalogue, profile.agent_id), provider, endpoint_id)
        model = profile.model if request.model is UNSET else rules.clean_model(request.model)
        old_key = await self._secrets.get(alias) if profile.has_api_key else None
        if request.api_key is not UNSET:
            api_key = rules.clean_key(request.api_key)
        else:
            # A key belongs to its provider too: another one must never be sent it.
            api_key = old_key if provider_id == profile.provider_id else None
        keeps_key = request.api_key is UNSET and provider_id == profile.provider_id
        has_api_key = profile.has_api_key if keeps_key else api_key is not None
        changed = {
            "provider_id": provider_id != profile.provider_id,
            "endpoint_id": endpoint_id != profile.endpoint_id,
            "model": model != profile.model,
            "api_key": api_key != old_key or has_api_key != profile.has_api_key,
        }
        changes = tuple(sorted(name for name, differs in changed.items() if differs))
        if not changes:
            return ProfileMessage(alias=alias, message=f"{alias} is like that already")

        def change(transaction: Transaction) -> None:
            store.update_profile(
                transaction.connection,
                alias,
                provider_id=provider_id,
                endpoint_id=endpoint_id,
                model=model,
                has_api_key=has_api_key,
            )
            resource = store.read_profile(transaction.connection, alias)
            transaction.record(ProfileUpdated(alias=alias, changes=changes), resource)

        if "api_key" not in changes:
            await self._database.write(change)
        else:
            await self._write_with_key(alias, change, new=api_key, old=old_key)
        await self._proxies.changed(alias)
        return ProfileMessage(alias=alias, message=f"changed {', '.join(changes)} of {alias}")

    async def _write_with_key(
        self, alias: str, change: Callable[[Transaction], None], *, new: str | None, old: str | None
    ) -> None:
        """Change the key and the books together: the old key comes back when the books refuse."""
        await self._put_key(alias, new)
        try:
            await self._database.write(change)
        except BaseException:
            await self._put_key(alias, old)
            raise

    async def _put_key(self, alias: str, key: str | None) -> None:
        if key is None:
            await self._secrets.delete(alias)
        else:
            await self._secrets.set(alias, key)

    async def _delete(self, alias: str) -> Message:
        profile = await self._read(alias)
        if self._runner.find(alias) is not None or self._interactive.of(alias):
            raise DomainError(ProblemCode.PROFILE_RUNNING, f"{alias} runs; it is not deleted", hint="stop it first")
        home = Path(profile.profile_home)
        aside = await asyncio.to_thread(_put_aside, self._paths.profiles_dir, home)
        try:
            await self._database.write(partial(_delete, alias=alias))
        except BaseException:
            if aside is not None:
                await asyncio.to_thread(homes.put_back, aside)
            raise
        await self._proxies.forget(alias)
        await self._secrets.delete(alias)
        await asyncio.to_thread(_clear, tail_file(self._paths.runs_dir, alias), aside)
        kept = "" if home.parent == self._paths.profiles_dir else f"; its home {home} was left alone"
        return Message(message=f"deleted {alias}{kept}")

    async def _run(self, alias: str, request: RunProfile) -> RunStarted:
        run = await self._runner.start(await self._read(alias), request)
        return RunStarted(run_id=run.run_id, pid=run.process.pid)

    async def _running(self, alias: str) -> tuple[ActiveRun | InteractiveRun, ...]:
        await self._read(alias)
        run = self._runner.find(alias)
        begun = (each for each in self._interactive.of(alias) if each.begun.is_set())
        runs = (*begun, *(() if run is None else (run,)))
        if not runs:
            raise DomainError(ProblemCode.PROFILE_NOT_RUNNING, f"{alias} does not run", hint="run it first")
        return runs

    async def _end(self, run: ActiveRun | InteractiveRun) -> int | None:
        if isinstance(run, InteractiveRun):
            return await self._interactive.stop(run)
        return await self._runner.stop(run)

    async def _read(self, alias: str) -> Profile:
        return await self._database.read(partial(store.find_profile, alias=alias))


def _refuse_taken(connection: Connection, alias: str) -> None:
    taken = store.find_taken_alias(connection, alias)
    if taken is not None:
        hint = "choose another name" if taken == alias else "choose a name that differs in more than case"
        raise DomainError(ProblemCode.PROFILE_EXISTS, f"there is a profile {taken!r} already", hint=hint)


def _insert(transaction: Transaction, profile: store.NewProfile) -> None:
    store.insert_profile(transaction.connection, profile, now_ms=transaction.now_ms)
    created = ProfileCreated(
        alias=profile.alias, agent_id=profile.agent_id, provider_id=profile.provider_id, model=profile.model
    )
    transaction.record(created, store.read_profile(transaction.connection, profile.alias))


def _delete(transaction: Transaction, alias: str) -> None:
    store.delete_profile(transaction.connection, alias)
    transaction.record(ProfileDeleted(alias=alias), None)
    for budget in delete_rows_of(transaction.connection, alias):
        transaction.record(BudgetDeleted(id=budget.id, profile=alias, agent_id=None), None)


def _make_home(home: Path) -> bool:
    try:
        return homes.make_home(home)
    except OSError as error:
        raise DomainError(
            ProblemCode.STORE_UNAVAILABLE,
            f"the profile's home {home} cannot be made: {error.strerror}",
            hint="check the folder's permissions and free space",
        ) from error


def _put_aside(profiles_dir: Path, home: Path) -> Path | None:
    try:
        return homes.put_aside(profiles_dir, home)
    except OSError as error:
        raise DomainError(
            ProblemCode.STORE_UNAVAILABLE, f"the profile's home {home} cannot be moved: {error.strerror}"
        ) from error


def _clear(tail: Path, aside: Path | None) -> None:
    tail.unlink(missing_ok=True)
    if aside is not None:
        homes.remove(aside)
