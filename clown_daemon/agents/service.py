"""The agents of this machine: detects them, remembers what was found, publishes what changed.

One detection runs at a time. What it found is compared with the books in one transaction, so every difference is one
event and a detection that finds nothing new says nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
from watchfiles import awatch

from clown_daemon.agents.detector import TIMEOUT_SECONDS, Finding, look_for, resource
from clown_daemon.agents.locate import candidates
from clown_daemon.agents.places import Stamp, folders_of, stamps
from clown_daemon.clock import Clock
from clown_daemon.errors import DomainError
from clown_daemon.manifests.catalogue import Catalogue
from clown_daemon.protocol.events import AgentDetected, AgentUpdated
from clown_daemon.protocol.names import nearest_name
from clown_daemon.protocol.problems import ProblemCode
from clown_daemon.protocol.replies import Detection
from clown_daemon.protocol.resources import Agent, AgentDetail, AgentSummary
from clown_daemon.store.agents import count_profiles, delete_agent, put_agent, read_agent, read_agents
from clown_daemon.store.database import Database, Transaction

logger = logging.getLogger(__name__)

PARALLEL_PROBES = 8
QUIET_MS = 500
"""An upgrade replaces many files; it is looked at when nothing happened for this long."""
GRACE_SECONDS = 30.0
"""How long a program that vanished may stay away before it counts as gone: npm removes the old one before it fetches
the new one (4 s measured on a fast line). Who asks for a detection is told at once."""
LOOK_ANYWAY_MS = 5000
"""How often the files are looked at without a notification: those can be lost."""


class AgentService:
    """The agents of this machine."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        database: Database,
        environ: Mapping[str, str],
        clock: Clock,
        timeout_seconds: float = TIMEOUT_SECONDS,
        quiet_ms: int = QUIET_MS,
        look_anyway_ms: int = LOOK_ANYWAY_MS,
    ) -> None:
        self._manifests = catalogue.agents
        self._database = database
        self._environ = environ
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._quiet_ms = quiet_ms
        self._look_anyway_ms = look_anyway_ms
        self._current: asyncio.Future[Detection] | None = None
        self._files: tuple[Path, ...] = ()
        self._vanished: dict[str, float] = {}

    async def prepare(self) -> None:
        """Bring the books in line with the manifests, silently: call it before anybody listens.

        Agents that no manifest describes any more are forgotten, and every other one gets what its manifest says now.
        """
        await self._database.write(self._reconcile)

    async def list(self) -> tuple[AgentSummary, ...]:
        """All agents by id, with the number of their profiles."""
        agents, counts = await self._database.read(
            lambda connection: (read_agents(connection), count_profiles(connection))
        )
        known = {agent.id: agent for agent in agents}
        return tuple(
            _summary(known.get(id_) or resource(manifest), counts.get(id_, 0))
            for id_, manifest in sorted(self._manifests.items())
        )

    async def get(self, agent_id: str) -> AgentDetail:
        """One agent.

        Raises:
            DomainError: `unknown_agent`.
        """
        manifest = self._manifests.get(agent_id)
        if manifest is None:
            near = nearest_name(agent_id, self._manifests)
            hint = f"did you mean {near!r}?" if near else f"known agents: {', '.join(sorted(self._manifests))}"
            raise DomainError(ProblemCode.UNKNOWN_AGENT, f"there is no agent {agent_id!r}", hint=hint)
        agent = await self._database.read(lambda connection: read_agent(connection, agent_id))
        return _detail(agent or resource(manifest))

    async def detect(self) -> Detection:
        """Look for every agent now; while a detection runs, wait for that one instead."""
        while self._current is not None:
            current = self._current
            await asyncio.wait([current])
            if not current.cancelled():
                return current.result()
        return await self._detect()

    async def watch(self) -> None:
        """Detect now, and again whenever a program or its package changes; runs for ever."""
        patient = False
        while True:
            # The stamps are taken before the look, so that a change in between makes another look.
            before = await asyncio.to_thread(stamps, self._watched_files())
            await self._detect_afresh(patient=patient)
            patient = True
            files = self._watched_files()
            found = await asyncio.to_thread(stamps, files)
            await self._wait_for_change({file: before.get(file, stamp) for file, stamp in found.items()})

    async def _wait_for_change(self, before: Mapping[Path, Stamp]) -> None:
        folders = await asyncio.to_thread(folders_of, before)
        logger.debug("watching %d folders for agents", len(folders))
        try:
            changes = awatch(
                *sorted(folders),
                watch_filter=None,
                debounce=10 * self._quiet_ms,
                step=self._quiet_ms,
                rust_timeout=self._look_anyway_ms,
                yield_on_timeout=True,
                recursive=False,
                ignore_permission_denied=True,
            )
            async with contextlib.aclosing(changes):
                async for _ in changes:
                    if await self._must_look(before):
                        return
        except (OSError, RuntimeError) as error:
            # A folder that has just gone, or no watches left in the kernel (watchfiles says both in both ways).
            logger.warning("the agents' folders cannot be watched, so they are looked at now and then: %s", error)
            while True:
                await asyncio.sleep(self._look_anyway_ms / 1000)
                if await self._must_look(before):
                    return

    async def _must_look(self, before: Mapping[Path, Stamp]) -> bool:
        grace_is_over = any(self._clock.monotonic() - start >= GRACE_SECONDS for start in self._vanished.values())
        return grace_is_over or await asyncio.to_thread(stamps, before) != before

    def _watched_files(self) -> tuple[Path, ...]:
        places = [path for manifest in self._manifests.values() for path in candidates(manifest, self._environ)]
        return tuple(dict.fromkeys((*places, *self._files)))

    async def _detect_afresh(self, *, patient: bool) -> Detection:
        """Like `detect`, but never content with a detection that began before the call."""
        while self._current is not None:
            await asyncio.wait([self._current])
        return await self._detect(patient=patient)

    async def _detect(self, *, patient: bool = False) -> Detection:
        current: asyncio.Future[Detection] = asyncio.get_running_loop().create_future()
        self._current = current
        try:
            detection = await self._look_and_record(patient=patient)
        except asyncio.CancelledError:
            current.cancel()
            raise
        except BaseException as error:
            current.set_exception(error)
            current.exception()  # Marks it as seen: often nobody waits for it but our own caller.
            raise
        else:
            current.set_result(detection)
            return detection
        finally:
            self._current = None

    async def _look_and_record(self, *, patient: bool) -> Detection:
        started = self._clock.monotonic()
        findings = await self._look()
        self._files = tuple(file for finding in findings for file in finding.files)
        found = [finding.agent for finding in findings]
        spared = await self._spare(found) if patient else {}
        told = [agent for agent in found if agent.id not in spared]
        detection = await self._database.write(lambda transaction: _record(transaction, told))
        self._vanished = spared
        logger.info(
            "%d of %d agents found in %.1f s, %d changed",
            sum(agent.installed for agent in found),
            len(found),
            self._clock.monotonic() - started,
            detection.changed,
        )
        return detection

    async def _spare(self, found: Iterable[Agent]) -> dict[str, float]:
        """The agents that vanished too recently to be called gone, and since when they are away."""
        known = await self._database.read(read_agents)
        away = {agent.id for agent in found if not agent.installed} & {agent.id for agent in known if agent.installed}
        now = self._clock.monotonic()
        since = {id_: self._vanished.get(id_, now) for id_ in away}
        return {id_: start for id_, start in since.items() if now - start < GRACE_SECONDS}

    async def _look(self) -> tuple[Finding, ...]:
        gate = asyncio.Semaphore(PARALLEL_PROBES)

        async def look(id_: str) -> Finding:
            async with gate:
                return await look_for(self._manifests[id_], self._environ, timeout_seconds=self._timeout_seconds)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(look(id_), name=f"agents.look.{id_}") for id_ in self._manifests]
        return tuple(task.result() for task in tasks)

    def _reconcile(self, transaction: Transaction) -> None:
        known = {agent.id: agent for agent in read_agents(transaction.connection)}
        for id_ in known.keys() - self._manifests.keys():
            delete_agent(transaction.connection, id_)
        for id_, manifest in self._manifests.items():
            old = known.get(id_)
            path, version, problem = (old.binary_path, old.version, old.problem) if old else (None, None, None)
            put_agent(transaction.connection, resource(manifest, path=path, version=version, problem=problem))


def _record(transaction: Transaction, found: Iterable[Agent]) -> Detection:
    known = {agent.id: agent for agent in read_agents(transaction.connection)}
    changed = 0
    for agent in found:
        old = known.get(agent.id)
        if old is not None and _same(old, agent):
            continue
        put_agent(transaction.connection, agent)
        transaction.record(_event(old, agent), agent)
        changed += 1
    return Detection(agents=read_agents(transaction.connection), changed=changed)


def _same(old: Agent, new: Agent) -> bool:
    """Whether nothing changed; the words of a problem may hold a time or a number and do not count."""
    if old.problem is not None and new.problem is not None:
        new = msgspec.structs.replace(new, problem=old.problem)
    return old == new


def _event(old: Agent | None, new: Agent) -> AgentDetected | AgentUpdated:
    if new.binary_path is not None and (old is None or not old.installed):
        return AgentDetected(id=new.id, name=new.name, version=new.version, binary_path=new.binary_path)
    return AgentUpdated(id=new.id, old_version=old.version if old else None, new_version=new.version)


def _summary(agent: Agent, profile_count: int) -> AgentSummary:
    return AgentSummary(
        id=agent.id,
        name=agent.name,
        installed=agent.installed,
        version=agent.version,
        binary_path=agent.binary_path,
        profile_count=profile_count,
    )


def _detail(agent: Agent) -> AgentDetail:
    return AgentDetail(
        id=agent.id,
        name=agent.name,
        installed=agent.installed,
        version=agent.version,
        binary=agent.binary,
        binary_path=agent.binary_path,
        profile_strategy=agent.profile_strategy,
        supports_hooks=agent.supports_hooks,
        default_model=agent.default_model,
        supported_models=agent.supported_models,
    )
