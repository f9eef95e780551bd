"""Which agents write logs, where, and how each kind of their files is read. Pure: the environment is passed in.

An agent keeps its logs in a folder of its own (`~/.claude`), which a variable may move, and which a profile of Clown
has below its home. A kind of files is told by a pattern below that folder. An agent whose logs Clown cannot read is
here all the same, without kinds: it is said, not guessed.
"""

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.formats.codex import CodexParser
from clown_daemon.usage.formats.copilot import CopilotParser
from clown_daemon.usage.formats.gemini import GeminiDocumentParser, GeminiParser
from clown_daemon.usage.formats.parser import Parser
from clown_daemon.usage.formats.qwen import QwenParser

Reading = Literal["lines", "document"]
"""How a file is read: on from where the last read ended, or whole whenever it changed."""

ANY_DEPTH = "**"


class LogKind(NamedTuple):
    """One kind of files that an agent writes."""

    name: str
    """Tells its parser, also to another process."""
    pattern: str
    """Below the agent's folder, `/` between the parts; the last part is the file's name, `**` any number of folders."""
    reading: Reading
    parser: Callable[[bytes], Parser]
    """Makes one that goes on from a state."""

    @property
    def folder(self) -> PurePosixPath:
        """The innermost folder that holds all of them, relative to the agent's; this one is watched."""
        fixed: list[str] = []
        for part in self.pattern.split("/")[:-1]:
            if "*" in part:
                break
            fixed.append(part)
        return PurePosixPath(*fixed)

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the pattern below `folder`."""
        return tuple(self.pattern.split("/"))[len(self.folder.parts) :]


class LogFile(NamedTuple):
    """A log as it was found."""

    source: str
    kind: str
    path: str
    profile: str
    inode: int
    size: int
    modified_ns: int


class Home(NamedTuple):
    """Where a variable says that an agent's folder is."""

    variable: str
    below: str = ""
    """The agent's folder below what the variable names."""
    several: bool = False
    """Whether it may name several, separated by commas; some people name the logs' folder itself."""


class Source(NamedTuple):
    """An agent's logs."""

    name: str
    agent_id: str
    title: str
    """What people call the agent."""
    homes: tuple[Home, ...]
    """The first that is set decides."""
    defaults: tuple[str, ...]
    """Below the user's home, where no variable is set. The first is also where it is below a profile's home."""
    kinds: tuple[LogKind, ...]

    def folders(self, environ: Mapping[str, str]) -> tuple[Path, ...]:
        """Answer the agent's own folders; they need not exist."""
        for home in self.homes:
            named = environ.get(home.variable, "").strip()
            if named and home.several:
                return tuple(self.folder_around(Path(path.strip())) for path in named.split(",") if path.strip())
            if named:
                return (Path(named, home.below),)
        user = environ.get("HOME")
        return tuple(Path(user, below) for below in self.defaults) if user else ()

    def folder_of_profile(self, profile_home: Path) -> Path:
        """Answer the agent's folder of a profile."""
        return profile_home / self.defaults[0]

    def folder_around(self, path: Path) -> Path:
        """Answer the agent's folder when a path may be that, or the folder of its logs."""
        for kind in self.kinds:
            inner = kind.folder.parts
            if inner and path.parts[-len(inner) :] == inner:
                return path.parents[len(inner) - 1]
        return path

    def kind(self, name: str) -> LogKind:
        """Answer one of its kinds of files."""
        return next(kind for kind in self.kinds if kind.name == name)


SOURCES: tuple[Source, ...] = (
    Source(
        name="claude",
        agent_id="claude",
        title="Claude Code",
        homes=(Home("CLAUDE_CONFIG_DIR", several=True),),
        defaults=(".claude", ".config/claude"),
        kinds=(LogKind("claude", "projects/**/*.jsonl", "lines", ClaudeParser),),
    ),
    Source(
        name="codex",
        agent_id="codex",
        title="Codex CLI",
        homes=(Home("CODEX_HOME"),),
        defaults=(".codex",),
        kinds=(
            LogKind("codex", "sessions/**/*.jsonl", "lines", CodexParser),
            LogKind("codex-archived", "archived_sessions/**/*.jsonl", "lines", CodexParser),
        ),
    ),
    Source(
        name="gemini",
        agent_id="gemini",
        title="Gemini CLI",
        homes=(Home("GEMINI_CLI_HOME", ".gemini"),),
        defaults=(".gemini",),
        kinds=(
            LogKind("gemini", "tmp/*/chats/session-*.jsonl", "lines", GeminiParser),
            LogKind("gemini-document", "tmp/*/chats/session-*.json", "document", GeminiDocumentParser),
        ),
    ),
    Source(
        name="qwen",
        agent_id="qwen",
        title="Qwen Code",
        homes=(Home("QWEN_RUNTIME_DIR"), Home("QWEN_HOME")),
        defaults=(".qwen",),
        kinds=(LogKind("qwen", "projects/*/chats/*.jsonl", "lines", QwenParser),),
    ),
    Source(
        name="copilot",
        agent_id="copilot",
        title="Copilot CLI",
        homes=(Home("COPILOT_HOME"),),
        defaults=(".copilot",),
        kinds=(LogKind("copilot", "session-state/*/events.jsonl", "lines", CopilotParser),),
    ),
    Source(
        name="grok",
        agent_id="grok",
        title="Grok CLI",
        homes=(Home("GROK_HOME"),),
        defaults=(".grok",),
        kinds=(),
    ),
)
"""In the order in which they are read."""

BY_NAME: Mapping[str, Source] = {source.name: source for source in SOURCES}
KINDS: Mapping[str, LogKind] = {kind.name: kind for source in SOURCES for kind in source.kinds}
"""Every kind of files by its name, which is unique over all sources."""
