"""Everything Clown knows of agents and providers: the bundled manifests, with the user's own laid over them by id.

A user's file needs to say only what differs from the bundled manifest of the same id. A broken one is one sentence in
`problems` and changes nothing: the bundled manifest goes on serving.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Generic, TypeVar

from clown_daemon.manifests.agent import AgentManifest
from clown_daemon.manifests.checks import check_agent, check_provider
from clown_daemon.manifests.provider import ProviderManifest
from clown_daemon.manifests.reader import ManifestError, convert, overlay, parse
from clown_daemon.paths import Paths

M = TypeVar("M", AgentManifest, ProviderManifest)


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The agents and providers of this daemon, by id in their order, and what is wrong with the user's files."""

    agents: Mapping[str, AgentManifest]
    providers: Mapping[str, ProviderManifest]
    problems: tuple[str, ...] = ()
    """One sentence each, `FILE:LINE: what is wrong`."""


@dataclass(frozen=True, kw_only=True)
class _Kind(Generic[M]):
    """One kind of manifest."""

    type: type[M]
    check: Callable[[M], tuple[tuple[str, ...], str] | None]
    """Answers the path of what is wrong and the sentence, or None."""


_AGENTS = _Kind(type=AgentManifest, check=check_agent)
_PROVIDERS = _Kind(type=ProviderManifest, check=check_provider)


def load_catalogue(paths: Paths) -> Catalogue:
    """Read the bundled manifests, then the user's `agents.d/*.toml` and `providers.d/*.toml` in the order of names.

    Raises:
        ManifestError: a bundled manifest is broken; the tests of this package keep that from happening.
    """
    bundled = resources.files("clown_daemon.manifests") / "bundled"
    agents, agent_problems = _load(_AGENTS, bundled / "agents", paths.agents_dir)
    providers, provider_problems = _load(_PROVIDERS, bundled / "providers", paths.providers_dir)
    return Catalogue(agents=agents, providers=providers, problems=(*agent_problems, *provider_problems))


def _load(kind: _Kind[M], bundled: Traversable, user_dir: Path) -> tuple[dict[str, M], tuple[str, ...]]:
    tables: dict[str, dict[str, Any]] = {}
    manifests: dict[str, M] = {}
    for entry in bundled.iterdir():
        if entry.name.endswith(".toml"):
            text = entry.read_text("utf-8")
            table = parse(text, entry.name)
            manifest = convert(table, kind.type, kind.check, text=text, file=entry.name, source="bundled")
            tables[manifest.id], manifests[manifest.id] = table, manifest
    problems = _lay_over(kind, tables, manifests, user_dir)
    return dict(sorted(manifests.items())), problems


def _lay_over(
    kind: _Kind[M], tables: Mapping[str, dict[str, Any]], manifests: dict[str, M], user_dir: Path
) -> tuple[str, ...]:
    problems: list[str] = []
    origin: dict[str, Path] = {}
    try:
        files = sorted(file for file in user_dir.iterdir() if file.suffix == ".toml")
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        return (f"{user_dir}: the folder cannot be read: {error.strerror}",)
    for file in files:
        try:
            manifest = _read_user_file(kind, tables, file)
        except ManifestError as error:
            problems.append(str(error))
            continue
        if manifest.id in origin:
            problems.append(f"{file}:1: {manifest.id!r} is already described in {origin[manifest.id].name}")
            continue
        origin[manifest.id] = file
        manifests[manifest.id] = manifest
    return tuple(problems)


def _read_user_file(kind: _Kind[M], tables: Mapping[str, dict[str, Any]], file: Path) -> M:
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ManifestError(str(file), line, "the text is not UTF-8") from None
    except OSError as error:
        raise ManifestError(str(file), 1, f"it cannot be read: {error.strerror}") from None
    table = parse(text, str(file))
    below = tables.get(str(table.get("id")), {})
    return convert(overlay(below, table), kind.type, kind.check, text=text, file=str(file), source="user")
