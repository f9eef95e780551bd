"""Which agents write logs, where, and how each kind of their files is read. Pure: the environment is passed in.

An agent keeps its logs in a folder of its own (`~/.claude`), which a variable may move, and which a profile of Clown
has below its home. A kind of files is told by a pattern below that folder. An agent whose logs Clown cannot read is
here all the same, without kinds: it is said, not guessed.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from clown_daemon.usage import droid_sessions, opencode_database
from clown_daemon.usage.formats.amp import AmpParser
from clown_daemon.usage.formats.claude import ClaudeParser
from clown_daemon.usage.formats.codex import CodexParser
from clown_daemon.usage.formats.copilot import CopilotParser
from clown_daemon.usage.formats.gemini import GeminiDocumentParser, GeminiParser
from clown_daemon.usage.formats.opencode import OpenCodeParser
from clown_daemon.usage.formats.parser import Parser
from clown_daemon.usage.formats.qwen import QwenParser
from clown_daemon.usage.pages import Page

ANY_DEPTH = "**"


class Lines(NamedTuple):
    """Files that only grow: they are read on from where the last read ended."""

    parser: Callable[[bytes], Parser]
    """Makes one that goes on from a state."""


class Document(NamedTuple):
    """Files that are written anew: they are read whole whenever they changed."""

    parser: Callable[[bytes], Parser]


class Pages(NamedTuple):
    """Files with a reader of their own, which knows by its state where to go on."""

    read: Callable[[Path, bytes], Iterator[Page]]
    companions: tuple[str, ...] = ()
    """What is added to the names of other files that a change may be in."""


class LogKind(NamedTuple):
    """One kind of files that an agent writes."""

    name: str
    """Tells its parser, also to another process."""
    pattern: str
    """Below the agent's folder, `/` between the parts; the last part is the file's name, `**` any number of folders."""
    reading: Lines | Document | Pages
    project_marker: str | None = None
    """The name of a file above a log that holds its working directory, where the log itself does not tell it."""

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
    def companions(self) -> tuple[str, ...]:
        """What is added to a log's name for other files that a change may be in."""
        return self.reading.companions if isinstance(self.reading, Pages) else ()

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
        kinds=(LogKind("claude", "projects/**/*.jsonl", Lines(ClaudeParser)),),
    ),
    Source(
        name="codex",
        agent_id="codex",
        title="Codex CLI",
        homes=(Home("CODEX_HOME"),),
        defaults=(".codex",),
        kinds=(
            LogKind("codex", "sessions/**/*.jsonl", Lines(CodexParser)),
            LogKind("codex-archived", "archived_sessions/**/*.jsonl", Lines(CodexParser)),
        ),
    ),
    Source(
        name="opencode",
        agent_id="opencode",
        title="OpenCode",
        homes=(Home("XDG_DATA_HOME", "opencode"),),
        defaults=(".local/share/opencode",),
        kinds=(
            LogKind("opencode", "opencode*.db", Pages(opencode_database.read_rows, companions=("-wal",))),
            LogKind("opencode-message", "storage/message/*/*.json", Document(OpenCodeParser)),
        ),
    ),
    Source(
        name="gemini",
        agent_id="gemini",
        title="Gemini CLI",
        homes=(Home("GEMINI_CLI_HOME", ".gemini"),),
        defaults=(".gemini",),
        kinds=(
            LogKind("gemini", "tmp/*/chats/**/*.jsonl", Lines(GeminiParser), ".project_root"),
            LogKind("gemini-document", "tmp/*/chats/session-*.json", Document(GeminiDocumentParser), ".project_root"),
        ),
    ),
    Source(
        name="qwen",
        agent_id="qwen",
        title="Qwen Code",
        homes=(Home("QWEN_RUNTIME_DIR"), Home("QWEN_HOME")),
        defaults=(".qwen",),
        kinds=(LogKind("qwen", "projects/*/chats/*.jsonl", Lines(QwenParser)),),
    ),
    Source(
        name="copilot",
        agent_id="copilot",
        title="Copilot CLI",
        homes=(Home("COPILOT_HOME"),),
        defaults=(".copilot",),
        kinds=(LogKind("copilot", "session-state/*/events.jsonl", Lines(CopilotParser)),),
    ),
    Source(
        name="amp",
        agent_id="amp",
        title="Amp",
        homes=(Home("XDG_DATA_HOME", "amp"),),
        defaults=(".local/share/amp",),
        kinds=(LogKind("amp", "threads/*.json", Document(AmpParser)),),
    ),
    Source(
        name="droid",
        agent_id="droid",
        title="Droid",
        homes=(Home("FACTORY_HOME_OVERRIDE", ".factory"),),
        defaults=(".factory",),
        kinds=(LogKind("droid", "sessions/**/*.settings.json", Pages(droid_sessions.read_rows)),),
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
