import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from clown_daemon.logs import configure_logging

ACCEPT_FAILED = "socket.accept() out of system resource\nsocket: <asyncio.TransportSocket fd=6>"


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """A log of 1,000 bytes that everything goes to, as in a daemon; the test's own logging is back afterwards."""
    loggers = [logging.getLogger(name) for name in ("", "asyncio", "aiohttp", "watchfiles", "keyring")]
    before = [(logger, logger.level, logger.handlers[:], logger.filters[:]) for logger in loggers]
    file = tmp_path / "daemon.log"
    configure_logging(file, level="info", max_bytes=1000, to_stderr=False)
    yield file
    for handler in set(loggers[0].handlers) - set(before[0][2]):
        handler.close()
    for logger, level, handlers, filters in before:
        logger.setLevel(level)
        logger.handlers[:], logger.filters[:] = handlers, filters


def test_no_file_of_the_log_can_be_read_by_others(log_file: Path) -> None:
    for number in range(100):
        logging.getLogger("clown_daemon").info("line %d", number)
    files = sorted(log_file.parent.iterdir())
    assert len(files) == 4
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}


def test_that_nothing_can_be_accepted_is_said_once_a_minute(log_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = 0
    for second in range(0, 180, 10):
        monkeypatch.setattr("time.time", lambda second=second: 1_000_000.0 + second)
        before = log_file.read_text()
        logging.getLogger("asyncio").error(ACCEPT_FAILED)
        said += log_file.read_text() != before
    assert said == 3
    logging.getLogger("asyncio").error("something else")
    assert "something else" in log_file.read_text()
