"""What an agent program is: how it is found, how its version is read, how a profile's home and launch are made.

Texts in `env`, `args`, `model_args` and `files` are templates (`manifests.template`): `{profile_home}`, `{api_key}`,
`{base_url}`, `{model}`, `{alias}` and some more. An entry whose variable has no value is left out whole; an entry of
`args` may be a list of words, which then come or go together. `manifests.recipe.make_recipe` fills them all in.
"""

from typing import Literal

import msgspec

from clown_daemon.manifests.wires import Wire

Args = tuple[str | tuple[str, ...], ...]
"""Words of a command line; a nested tuple is left out whole when one of its variables has no value."""

VERSION_PATTERN = r"\d+\.\d+\.\d+\w*(?:[-+.]\w+)*"


class VersionProbe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the version is read: from the package beside the binary, else from what the binary prints."""

    args: tuple[str, ...] = ("--version",)
    package: str | None = None
    """The `name` in the `package.json` above the resolved binary; its `version` is believed without a start."""
    pattern: str = VERSION_PATTERN
    """A regular expression; its first group, or else its whole match, on the first printed line is the version."""


class ProfileFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the profile's home: what a fresh one starts with, or what Clown keeps true."""

    path: str
    """Relative to the profile's home, inside of it."""
    text: str
    """A template without `{api_key}`: keys are never written down."""
    needs: tuple[str, ...] = ()
    """Variables that must have a value for the file to be written, besides those in the text."""
    refresh: bool = False
    """False: written once, where there is none yet. True: it is Clown's, and written anew before every run."""


class ProfileRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What sets a profile apart from the user's own use of the agent, and from other profiles."""

    strategy: Literal["isolated", "shared"] = "isolated"
    """`isolated`: the agent keeps its files below the profile's home. `shared`: it has no way to be told."""
    env: dict[str, str] = {}
    unset: tuple[str, ...] = ()
    """Variables of the daemon's environment that the agent must not see: they would win over the profile's."""
    files: tuple[ProfileFile, ...] = ()


class LaunchRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The command line: binary, `args`, `model_args`, then what the caller gave."""

    args: Args = ()
    model_args: Args = ()


class Variant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is added when the profile's endpoint speaks one certain wire format."""

    env: dict[str, str] = {}
    args: Args = ()
    model_args: Args = ()
    files: tuple[ProfileFile, ...] = ()


class AgentManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One agent program."""

    id: str
    name: str
    binary: str
    """A name looked for in `PATH` and then in `folders`, or an absolute path."""
    folders: tuple[str, ...] = ()
    """Where installers put it besides `PATH`; `~` is the user's home."""
    platform_binaries: tuple[str, ...] = ()
    """Where the package manager put the real program when `binary` is a placeholder that an install script should have
    replaced: relative to a `node_modules` folder, with `{os}` and `{cpu}` as Node names them."""
    version: VersionProbe = VersionProbe()
    profile: ProfileRules = ProfileRules()
    launch: LaunchRules = LaunchRules()
    variants: dict[Wire, Variant] = {}
    wire: tuple[Wire, ...] = ()
    """The formats it can speak, best first."""
    supports_hooks: bool = False
    default_model: str | None = None
    supported_models: tuple[str, ...] = ()
    source: Literal["bundled", "user", "registry"] = "bundled"
    """Where the manifest came from; set by the loader, not in the file."""
