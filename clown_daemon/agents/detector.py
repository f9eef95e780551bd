"""Looks for one agent: where its program is and which version, as the resource that is published.

A package's own word is taken before the program is started: asking costs seconds for some agents, and leaves files.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from clown_daemon.agents.ask import Answer, ask
from clown_daemon.agents.locate import locate
from clown_daemon.agents.versions import first_line, parse_version
from clown_daemon.manifests.agent import AgentManifest
from clown_daemon.protocol.resources import Agent

TIMEOUT_SECONDS = 5.0


class Finding(NamedTuple):
    """What was found of one agent."""

    agent: Agent
    files: tuple[Path, ...]
    """What the answer rests on, besides the places where the program is looked for; a change means: look again."""


async def look_for(
    manifest: AgentManifest, environ: Mapping[str, str], *, timeout_seconds: float = TIMEOUT_SECONDS
) -> Finding:
    """Find the agent's program and its version."""
    located = await asyncio.to_thread(locate, manifest, environ)
    if located.path is None:
        return Finding(resource(manifest, problem=located.problem), _files(located.package_file))
    version, problem = located.package_version, None
    if version is None:
        argv = (str(located.path), *manifest.version.args)
        answer = await ask(argv, environ=environ, timeout_seconds=timeout_seconds)
        version, problem = read_answer(manifest, answer, timeout_seconds)
    agent = resource(manifest, path=str(located.path), version=version, problem=problem)
    return Finding(agent, _files(located.package_file, located.path))


def resource(
    manifest: AgentManifest, *, path: str | None = None, version: str | None = None, problem: str | None = None
) -> Agent:
    """The agent as it is published; without a path it is not installed."""
    return Agent(
        id=manifest.id,
        name=manifest.name,
        installed=path is not None,
        version=version,
        binary=manifest.binary,
        binary_path=path,
        profile_strategy=manifest.profile.strategy,
        supports_hooks=manifest.supports_hooks,
        default_model=manifest.default_model,
        supported_models=manifest.supported_models,
        source=manifest.source,
        problem=problem,
    )


def read_answer(manifest: AgentManifest, answer: Answer, timeout_seconds: float) -> tuple[str | None, str | None]:
    """The version in what a program said, or None and one sentence why there is none."""
    command = " ".join((manifest.binary, *manifest.version.args))
    if answer.error is not None:
        return None, f"{manifest.binary} cannot be started: {answer.error}"
    if answer.exit_code is None:
        return None, f"{command} did not answer within {timeout_seconds:g} s"
    if answer.exit_code != 0:
        said = first_line(answer.stderr) or first_line(answer.stdout)
        return None, f"{command} ended with {answer.exit_code}" + (f": {said[:200]}" if said else "")
    version = parse_version(answer.stdout, manifest.version.pattern)
    if version is not None:
        return version, None
    said = first_line(answer.stdout)
    return None, f"{command} printed no version" + (f" but {said[:80]!r}" if said else "")


def _files(*files: Path | None) -> tuple[Path, ...]:
    return tuple(file for file in files if file is not None)
