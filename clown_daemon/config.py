"""The daemon's configuration: one frozen object. Flags beat `CLOWN_*` variables, these beat the file, it the defaults.

An unknown key is refused with the nearest known one: a typo must not become a setting that silently does nothing.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec

from clown_daemon.errors import ConfigError
from clown_daemon.paths import DEFAULT_PORT
from clown_daemon.protocol.names import nearest_name

MOST_RETENTION = 10**12
"""As good as for ever, in every unit; infinity is no number to count with."""
Auth = Literal["auto", "token", "off"]


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting of the daemon, with its unit and default."""

    port: int = DEFAULT_PORT
    """The one port of HTTP and WebSocket, on loopback; 0 takes any free one."""
    idle_timeout_secs: float = 600
    """Stop after this long without a client, a run or a request; 0 never stops."""
    auth: Auth = "auto"
    """`auto` lets this user's programs in without a token, `token` asks everybody for it, `off` nobody."""
    allowed_origins: tuple[str, ...] = ()
    """Web origins (`http://127.0.0.1:3000`) that may call, besides the daemon's own."""
    stop_grace_secs: float = 5
    """How long a run may take to end after TERM before it is killed."""
    proxy_ports: str = "8080-8180"
    """The first and the last port that a proxy may get."""
    retention_events: int = 100_000
    """How many events are kept; the oldest go first. Whichever of the three bounds is passed first counts."""
    retention_days: float = 7
    """How long events are kept."""
    retention_bytes: int = 64 * 1024 * 1024
    """How much the kept events may fill, encoded."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file_bytes: int = 2_000_000
    """The log file is rotated at this size; three old ones are kept."""

    @property
    def proxy_port_range(self) -> tuple[int, int]:
        """Both ports of `proxy_ports`.

        Raises:
            ConfigError: they are none.
        """
        first, _, last = self.proxy_ports.partition("-")
        if first.strip().isdecimal() and last.strip().isdecimal() and 0 < int(first) <= int(last) <= 65535:
            return int(first), int(last)
        raise ConfigError(f"proxy_ports {self.proxy_ports!r} is no range of ports", hint="write two, such as 8080-8180")


NAMES: tuple[str, ...] = tuple(field.name for field in msgspec.structs.fields(Config))


def load_config(file: Path, environ: Mapping[str, str], flags: Mapping[str, object]) -> Config:
    """Read the configuration.

    Args:
        file: TOML; a missing one is empty.
        environ: `CLOWN_PORT`, `CLOWN_IDLE_TIMEOUT_SECS`, ... are taken; empty ones are not.
        flags: what the command line gave; None means not given.

    Raises:
        ConfigError: naming the source, what is wrong with it, and the nearest known key.
    """
    values = _from_file(file)
    _check(values, str(file))
    from_environ = {name: environ[key] for name in NAMES if environ.get(key := f"CLOWN_{name.upper()}")}
    _check(from_environ, "the environment", prefix="CLOWN_")
    from_flags = {name: value for name, value in flags.items() if value is not None}
    _check(from_flags, "the command line", prefix="--")
    config = _convert({**values, **from_environ, **from_flags}, "the configuration")
    if not 0 <= config.port <= 65535:
        raise ConfigError(f"port {config.port} is no port", hint="use 0 to 65535; 0 takes any free one")
    _ = config.proxy_port_range  # refused at the start, not when the first proxy is
    for name in ("retention_events", "retention_days", "retention_bytes"):
        if not 0 < getattr(config, name) <= MOST_RETENTION:
            raise ConfigError(
                f"{name} {getattr(config, name)} cannot be used",
                hint="use more than 0, or leave it out for the default",
            )
    return config


def _from_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", hint="mend the line, or move the file away") from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error


def _check(values: Mapping[str, object], source: str, *, prefix: str = "") -> None:
    for name in values:
        if name not in NAMES:
            near = nearest_name(name, NAMES)
            hint = f"did you mean {near}?" if near else f"known keys: {', '.join(NAMES)}"
            raise ConfigError(f"unknown key {prefix}{name} in {source}", hint=hint)
    _convert(values, source)


def _convert(values: Mapping[str, object], source: str) -> Config:
    origins = values.get("allowed_origins")
    if isinstance(origins, str):
        values = {**values, "allowed_origins": [part for part in origins.split(",") if part]}
    try:
        return msgspec.convert(dict(values), Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{source} does not fit: {error}", hint="see docs/configuration.md for every key") from None
