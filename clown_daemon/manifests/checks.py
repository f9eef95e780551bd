"""What a manifest must keep beyond its types: patterns compile, templates name known variables, keys stay secret."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from clown_daemon.manifests.agent import AgentManifest, Args, ProfileFile
from clown_daemon.manifests.provider import ProviderManifest
from clown_daemon.manifests.template import SECRETS, VARIABLES, variables_in
from clown_daemon.protocol.names import nearest_name

Mistake = tuple[tuple[str, ...], str]
"""The path of the key and the sentence."""

_URL = re.compile(r"https?://[^\s/\"'\\<>{}]+[^\s\"'\\<>{}]*")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]*")


def check_agent(agent: AgentManifest) -> Mistake | None:
    """Find the first mistake of an agent's manifest."""
    return next(_agent_mistakes(agent), None)


def check_provider(provider: ProviderManifest) -> Mistake | None:
    """Find the first mistake of a provider's manifest."""
    return next(_provider_mistakes(provider), None)


def _agent_mistakes(agent: AgentManifest) -> Iterator[Mistake]:
    yield from _id_mistakes(agent.id)
    if not agent.binary or ("/" in agent.binary and not agent.binary.startswith(("/", "~/"))):
        yield ("binary",), "binary must be a program's name or an absolute path"
    try:
        re.compile(agent.version.pattern)
    except re.error as error:
        yield ("version", "pattern"), f"version.pattern is no regular expression: {error}"
    for path, env in _environments(agent):
        for name, text in env.items():
            yield from _template_mistakes((*path, name), text, secrets=True)
    for path, args in _command_lines(agent):
        for word in _words(args):
            yield from _template_mistakes(path, word, secrets=False)
    for path, files in _file_lists(agent):
        for file in files:
            yield from _file_mistakes(path, file)


def _environments(agent: AgentManifest) -> Iterator[tuple[tuple[str, ...], dict[str, str]]]:
    yield ("profile", "env"), agent.profile.env
    for wire, variant in agent.variants.items():
        yield ("variants", wire, "env"), variant.env


def _command_lines(agent: AgentManifest) -> Iterator[tuple[tuple[str, ...], Args]]:
    yield ("launch", "args"), agent.launch.args
    yield ("launch", "model_args"), agent.launch.model_args
    for wire, variant in agent.variants.items():
        yield ("variants", wire, "args"), variant.args
        yield ("variants", wire, "model_args"), variant.model_args


def _file_lists(agent: AgentManifest) -> Iterator[tuple[tuple[str, ...], tuple[ProfileFile, ...]]]:
    yield ("profile", "files"), agent.profile.files
    for wire, variant in agent.variants.items():
        yield ("variants", wire, "files"), variant.files


def _words(args: Args) -> Iterator[str]:
    for entry in args:
        yield from (entry,) if isinstance(entry, str) else entry


def _file_mistakes(path: tuple[str, ...], file: ProfileFile) -> Iterator[Mistake]:
    place = PurePosixPath(file.path)
    if not file.path or place.is_absolute() or ".." in place.parts:
        yield path, f"the file {file.path!r} must lie inside the profile's home"
    yield from _template_mistakes(path, file.text, secrets=False)
    for need in file.needs:
        if need not in VARIABLES:
            yield path, f"needs names {need!r}; known variables: {', '.join(VARIABLES)}"


def _template_mistakes(path: tuple[str, ...], text: str, *, secrets: bool) -> Iterator[Mistake]:
    for name in variables_in(text):
        if name not in VARIABLES:
            near = nearest_name(name, VARIABLES)
            cure = f"did you mean {{{near}}}?" if near else f"known variables: {', '.join(VARIABLES)}"
            yield path, f"{'.'.join(path)} uses {{{name}}}, which is no variable; {cure}"
        elif name in SECRETS and not secrets:
            yield path, f"{'.'.join(path)} uses {{{name}}}: a key may stand in an env table alone"


def _provider_mistakes(provider: ProviderManifest) -> Iterator[Mistake]:
    yield from _id_mistakes(provider.id)
    if provider.type == "self":
        if provider.endpoints:
            yield ("endpoints",), "a provider of type 'self' has no endpoints: the agent's own login is used"
        return
    if not provider.endpoints:
        yield ("endpoints",), "a provider needs at least one endpoint"
    for name in provider.endpoints:
        if not _URL.fullmatch(provider.endpoint(name).url):
            yield ("endpoints", name), f"endpoints.{name} is no http or https address"
    if provider.default_endpoint is not None and provider.default_endpoint not in provider.endpoints:
        known = ", ".join(provider.endpoints)
        yield ("default_endpoint",), f"default_endpoint {provider.default_endpoint!r} is none of: {known}"


def _id_mistakes(id_: str) -> Iterator[Mistake]:
    if not _ID.fullmatch(id_):
        yield ("id",), "id must be small letters, digits, '.', '_' or '-'"
