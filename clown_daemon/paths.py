"""Where Clown keeps its files, and where it finds the user's home.

`CLOWN_HOME` moves every file of Clown under one folder; without it the operating system's own places are used
(platformdirs). Agents' files are found under `HOME` and the agents' own variables, never under `CLOWN_HOME`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT = 8765


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Every path of Clown's own files; nothing here creates anything."""

    config_dir: Path
    state_dir: Path
    data_dir: Path
    log_dir: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Paths":
        """Find the folders: below `CLOWN_HOME` if it is set, else where the operating system keeps such files."""
        home = environ.get("CLOWN_HOME")
        if home:
            root = Path(home).expanduser().absolute()
            return cls(config_dir=root, state_dir=root / "state", data_dir=root / "data", log_dir=root / "logs")
        import platformdirs  # noqa: PLC0415  # only where it is needed: the client starts without it

        dirs = platformdirs.PlatformDirs("clown", appauthor=False)
        return cls(
            config_dir=Path(dirs.user_config_dir),
            state_dir=Path(dirs.user_state_dir),
            data_dir=Path(dirs.user_data_dir),
            log_dir=Path(dirs.user_log_dir),
        )

    @property
    def config_file(self) -> Path:
        """The daemon's configuration, TOML."""
        return self.config_dir / "config.toml"

    @property
    def dashboard_config_file(self) -> Path:
        """The dashboard's configuration, TOML."""
        return self.config_dir / "tui.toml"

    @property
    def agents_dir(self) -> Path:
        """The user's own agent manifests."""
        return self.config_dir / "agents.d"

    @property
    def providers_dir(self) -> Path:
        """The user's own provider manifests."""
        return self.config_dir / "providers.d"

    @property
    def prices_file(self) -> Path:
        """The user's own prices, TOML."""
        return self.config_dir / "prices.toml"

    @property
    def prices_table_file(self) -> Path:
        """The price table that the user had fetched, JSON."""
        return self.state_dir / "prices" / "table.json"

    @property
    def database_file(self) -> Path:
        return self.state_dir / "clown.db"

    @property
    def token_file(self) -> Path:
        """The access token, mode 0600."""
        return self.state_dir / "token"

    @property
    def secrets_file(self) -> Path:
        """API keys where the operating system has no keyring, mode 0600."""
        return self.state_dir / "secrets.json"

    @property
    def lock_file(self) -> Path:
        """Held by the running daemon; the kernel releases it when that dies."""
        return self.state_dir / "daemon.lock"

    @property
    def spawn_lock_file(self) -> Path:
        """Held by whoever is starting a daemon."""
        return self.state_dir / "spawn.lock"

    @property
    def daemon_file(self) -> Path:
        """`{pid, started_at, port, version, instance}` of the running daemon; information, not a lock."""
        return self.state_dir / "daemon.json"

    @property
    def runs_dir(self) -> Path:
        """The last output of finished runs."""
        return self.state_dir / "runs"

    @property
    def unheard_ends_dir(self) -> Path:
        """Notes of `clown run` on runs whose end no daemon heard."""
        return self.state_dir / "unheard_ends"

    @property
    def spool_dir(self) -> Path:
        """What proxies wrote down of requests, one folder a profile, until the daemon has read it."""
        return self.state_dir / "spool"

    @property
    def profiles_dir(self) -> Path:
        """One home per profile."""
        return self.data_dir / "profiles"

    @property
    def log_file(self) -> Path:
        return self.log_dir / "daemon.log"
