"""The dashboard's settings: one frozen object. Flags beat `CLOWN_*` variables, these beat `tui.toml`, it the defaults.

An unknown key is refused with the nearest known one: a typo must not become a setting that silently does nothing.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import msgspec

from clown_daemon.errors import ConfigError
from clown_daemon.paths import DEFAULT_PORT, Paths
from clown_daemon.protocol.names import nearest_name


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of the dashboard, with its unit and default."""

    url: str = ""
    """Address of the daemon, `http://HOST:PORT`; empty: this machine's, on `port`."""
    port: int | None = None
    """Port of this machine's daemon; None: the one it says it listens on, else 8765; 0: any, told by the daemon."""
    start: bool = True
    """Start a daemon when none answers."""
    events: tuple[str, ...] = ()
    """Names, globs and groups to which the Events pane is narrowed; empty: all."""
    color: Literal["auto", "never"] = "auto"
    """`never` draws without colour; `NO_COLOR` in the environment says the same."""
    ascii: bool = False
    """Draw with ASCII characters alone."""
    times: Literal["local", "utc", "ago"] = "local"
    """How the Events pane writes instants."""
    keys: dict[str, tuple[str, ...]] = {}
    """Other keys for actions, by the action's id; only in the file."""


NAMES: tuple[str, ...] = tuple(field.name for field in msgspec.structs.fields(Settings))
_FROM_ENVIRONMENT: dict[str, str] = {name: f"CLOWN_{name.upper()}" for name in NAMES if name != "keys"}


class Sources(msgspec.Struct, frozen=True):
    """Settings, and where each came from."""

    settings: Settings
    origins: dict[str, str]
    """`default`, the file's path, a variable's name, or a flag, by the setting's name."""


def load_settings(file: Path, environ: Mapping[str, str], flags: Mapping[str, object]) -> Sources:
    """Read the settings.

    Args:
        file: TOML; a missing one is empty.
        environ: `CLOWN_URL`, `CLOWN_PORT`, ... and `NO_COLOR` are taken; empty ones are not.
        flags: what the command line gave; None means not given.

    Raises:
        ConfigError: naming the source, what is wrong with it, and the nearest known key.
    """
    written = _from_file(file)
    _check_names(written, str(file))
    variables = {name: environ[key] for name, key in _FROM_ENVIRONMENT.items() if environ.get(key)}
    if environ.get("NO_COLOR"):
        variables.setdefault("color", "never")
    given = {name: value for name, value in flags.items() if value is not None}
    _check_names(given, "the command line")
    origins = dict.fromkeys(NAMES, "default") | dict.fromkeys(written, str(file))
    origins |= {name: _variable(name, environ) for name in variables}
    origins |= {name: f"--{name}" for name in given}
    _convert(written, str(file))
    _convert(variables, "the environment")
    settings = _convert(_one_address(written, variables, given), "the settings")
    _check_address(settings)
    return Sources(settings, origins)


def _one_address(*layers: Mapping[str, object]) -> dict[str, object]:
    """Join the layers; a port given in a higher one beats an address from a lower one, and the other way round."""
    joined: dict[str, object] = {}
    for layer in layers:
        if "port" in layer and "url" not in layer:
            joined.pop("url", None)
        joined.update(layer)
    return joined


def _variable(name: str, environ: Mapping[str, str]) -> str:
    return _FROM_ENVIRONMENT[name] if environ.get(_FROM_ENVIRONMENT[name]) else "NO_COLOR"


def _from_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", hint="mend the line, or move the file away") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def _check_names(values: Mapping[str, object], source: str) -> None:
    for name in values:
        if name not in NAMES:
            near = nearest_name(name, NAMES)
            hint = f"did you mean {near}?" if near else f"known keys: {', '.join(NAMES)}"
            raise ConfigError(f"unknown key {name} in {source}", hint=hint)


def _convert(values: Mapping[str, object], source: str) -> Settings:
    listed = dict(values)
    if isinstance(events := listed.get("events"), str):
        listed["events"] = split_names(events)
    if isinstance(keys := listed.get("keys"), dict):
        listed["keys"] = {name: (key,) if isinstance(key, str) else key for name, key in keys.items()}
    try:
        return msgspec.convert(listed, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source} does not fit: {error}", hint="clown-tui --print-config shows every key") from None


def split_names(text: str) -> tuple[str, ...]:
    """Split `A,B` into names; blanks and empty parts are dropped."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _check_address(settings: Settings) -> None:
    if settings.port is not None and not 0 <= settings.port <= 65535:
        raise ConfigError(f"port {settings.port} is no port", hint="use 0 to 65535; 0 takes any free one")
    if not settings.url:
        return
    parts = urlsplit(settings.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{settings.url!r} is no address of a daemon", hint=f"write http://127.0.0.1:{DEFAULT_PORT}")


# -- what follows from them -------------------------------------------------------------------------------------------


def daemon_url(settings: Settings, paths: Paths) -> str:
    """Answer the daemon's address: as set, else where this machine's daemon says it listens, else where one would.

    With port 0 and no daemon it is port 0, where nothing can listen: a started daemon tells its own.
    """
    from clown_daemon.client.discovery import resolve_url  # noqa: PLC0415  # --help starts without the client

    if settings.port == 0 and not settings.url and not paths.daemon_file.exists():
        return "http://127.0.0.1:0"
    return resolve_url({}, paths, url=settings.url or None, port=settings.port or None)


def is_local(url: str) -> bool:
    """Tell whether an address is this machine: only then may a daemon be started, and the token be sent."""
    return urlsplit(url).hostname in {"127.0.0.1", "localhost", "::1"}


def read_token(url: str, paths: Paths) -> str | None:
    """Read this machine's access token; None where there is none, and for another machine: it must never get there."""
    from clown_daemon.client.discovery import read_token as read_own_token  # noqa: PLC0415  # see above

    return read_own_token(paths) if is_local(url) else None


def config_lines(sources: Sources) -> tuple[str, ...]:
    """Answer the settings as lines of TOML, each with where it came from."""
    values = msgspec.to_builtins(sources.settings)
    width = max(map(len, NAMES))
    return tuple(
        f"# {name} is not set"
        if values[name] is None
        else f"{name:<{width}} = {_toml(values[name]):<24} # {sources.origins[name]}"
        for name in NAMES
    )


def _toml(value: object) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(keys)}" for key, keys in value.items())
        return f"{{{inner}}}"
    return msgspec.json.encode(value).decode()
