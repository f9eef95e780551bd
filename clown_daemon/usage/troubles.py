"""What of the agents' logs cannot be read, in sentences: of folders by the last full look, of logs until it works."""

from collections.abc import Collection, Iterable

from clown_daemon.usage.backlog import LogName
from clown_daemon.usage.reader import Unreadable
from clown_daemon.usage.scanner import Problem

MOST_SENTENCES = 20
"""Of one source; a folder of 50,000 logs without permission is one trouble, not 50,000."""
MOST_IN_HEALTH = 2


class Troubles:
    """Everything that is wrong at the moment."""

    def __init__(self) -> None:
        self._folders: tuple[Problem, ...] = ()
        self._logs: dict[LogName, str] = {}

    def looked(self, problems: Iterable[Problem], existing: Collection[LogName]) -> None:
        """Take what a look at everything found; what is gone is no trouble any more."""
        self._folders = tuple(problems)
        self._logs = {name: sentence for name, sentence in self._logs.items() if name in existing}

    def read(self, names: Iterable[LogName], unreadable: Iterable[Unreadable]) -> None:
        """Take what came of reading some logs."""
        for name in names:
            self._logs.pop(name, None)
        self._logs.update({(source, path): sentence for source, path, sentence in unreadable})

    def of(self, source: str, most: int = MOST_SENTENCES) -> tuple[str, ...]:
        """Answer what is wrong with the logs of a source, in at most so many sentences."""
        sentences = sorted(
            {problem.sentence for problem in self._folders if problem.source == source}
            | {sentence for (of, _), sentence in self._logs.items() if of == source}
        )
        more = len(sentences) - most
        if more <= 0:
            return tuple(sentences)
        return (*sentences[:most], f"{more:,} more logs or folders of {source} cannot be read")

    def sentences(self) -> tuple[str, ...]:
        """Answer what is wrong at all, in few sentences."""
        sources = {problem.source for problem in self._folders} | {source for source, _ in self._logs}
        return tuple(sentence for source in sorted(sources) for sentence in self.of(source, MOST_IN_HEALTH))
