"""A profile service over a fake agent: a shell script in a folder of the test, with manifests made by hand."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clown_daemon.clock import ManualClock
from clown_daemon.manifests.agent import AgentManifest, LaunchRules, ProfileFile, ProfileRules
from clown_daemon.manifests.catalogue import Catalogue
from clown_daemon.manifests.provider import ProviderManifest
from clown_daemon.manifests.recipe import Through
from clown_daemon.paths import Paths
from clown_daemon.processes.alias_locks import AliasLocks
from clown_daemon.processes.supervisor import Supervisor
from clown_daemon.profiles.interactive import InteractiveRuns
from clown_daemon.profiles.interactive_run import Patience
from clown_daemon.profiles.launcher import Launcher, Proxies
from clown_daemon.profiles.secrets import SecretStore
from clown_daemon.profiles.service import ProfileService
from clown_daemon.protocol import codec
from clown_daemon.protocol.events import Event
from clown_daemon.store.database import Database, open_database
from clown_daemon.store.event_log import EncodedEvent

FAKE = AgentManifest(
    id="fake",
    name="Fake Agent",
    binary="fake-agent",
    wire=("anthropic",),
    profile=ProfileRules(
        env={"FAKE_HOME": "{profile_home}/.fake", "FAKE_KEY": "{api_key}", "FAKE_URL": "{base_url}"},
        unset=("FAKE_TOKEN",),
        files=(ProfileFile(path=".fake/settings.json", text="{}"),),
    ),
    launch=LaunchRules(args=("-p",), model_args=(("--model", "{model}"),)),
)
ACME = ProviderManifest(
    id="acme",
    name="Acme",
    type="anthropic-compatible",
    endpoints={"main": "https://acme.example/main", "eu": "https://acme.example/eu"},
    default_endpoint="main",
)
OTHER = ProviderManifest(
    id="other", name="Other", type="anthropic-compatible", endpoints={"only": "https://other.example"}
)
OPEN = ProviderManifest(id="open", name="Open", type="openai", endpoints={"v1": "https://open.example/v1"})
OWN = ProviderManifest(id="self", name="Own login", type="self")

CATALOGUE = Catalogue(
    agents={FAKE.id: FAKE}, providers={provider.id: provider for provider in (ACME, OTHER, OPEN, OWN)}
)


PATIENT = Patience(tell_seconds=60.0)
"""Nobody is late on a slow machine."""
HASTY = Patience(begin_seconds=0.05, tell_seconds=0.05)
"""For what nobody will do."""


class NoProxies:
    """No profile has a proxy."""

    async def find(self, alias: str) -> Through | None:  # noqa: ARG002  # what is called
        return None

    async def changed(self, alias: str) -> None:
        pass

    async def forget(self, alias: str) -> None:
        pass


@dataclass(kw_only=True)
class Bench:
    """A service, what it stands on, and the events it published."""

    folder: Path
    paths: Paths
    clock: ManualClock
    database: Database
    supervisor: Supervisor
    secrets: SecretStore
    service: ProfileService
    runs: InteractiveRuns
    events: list[Event] = field(default_factory=list)

    def script(self, text: str) -> None:
        """Make the agent a shell script."""
        write_agent(self.folder, text)

    def types(self) -> list[str]:
        """The types of all events, in their order."""
        return [event.type for event in self.events]

    async def close(self) -> None:
        """End everything, as the daemon would."""
        await self.service.close()
        await self.supervisor.close()
        await self.database.close()


def write_agent(folder: Path, text: str) -> Path:
    """Write the agent's program."""
    program = folder / "fake-agent"
    program.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    program.chmod(0o700)
    return program


async def open_bench(
    folder: Path,
    *,
    environ: Mapping[str, str] | None = None,
    installed: bool = True,
    patience: Patience = PATIENT,
    proxies: Proxies | None = None,
) -> Bench:
    """Build a service whose files are all below the folder; opening it twice is a restart of the daemon."""
    paths = Paths.from_environment({"CLOWN_HOME": str(folder / "clown")})
    paths.state_dir.mkdir(parents=True, exist_ok=True)
    clock = ManualClock()
    events: list[Event] = []

    def announce(batch: Sequence[EncodedEvent]) -> None:
        frames = [codec.decode_frame(event.body) for event in batch]
        events.extend(frame for frame in frames if isinstance(frame, Event))

    async def find_binary(agent_id: str) -> str | None:
        return str(folder / f"{agent_id}-agent") if installed else None

    database = await open_database(paths.database_file, clock, announce)
    supervisor = Supervisor(stop_grace_seconds=0.5, drain_seconds=0.3)
    secrets = SecretStore(paths, find_backend=None)
    proxies = proxies or NoProxies()
    launcher = Launcher(catalogue=CATALOGUE, secrets=secrets, find_binary=find_binary, proxies=proxies)
    locks = AliasLocks()
    runs = InteractiveRuns(
        launcher=launcher,
        database=database,
        locks=locks,
        paths=paths,
        stop_grace_seconds=0.5,
        patience=patience,
    )
    service = ProfileService(
        catalogue=CATALOGUE,
        database=database,
        secrets=secrets,
        supervisor=supervisor,
        paths=paths,
        environ={"PATH": os.environ["PATH"], **(environ or {})},
        launcher=launcher,
        interactive=runs,
        locks=locks,
        proxies=proxies,
    )
    return Bench(
        folder=folder,
        paths=paths,
        clock=clock,
        database=database,
        supervisor=supervisor,
        secrets=secrets,
        service=service,
        runs=runs,
        events=events,
    )
