"""The log of a proxy: one line a request, in a file that is rotated. No body, no key, no prompt, no query is in it."""

import logging
import logging.handlers
import sys
from pathlib import Path

from clown_daemon.proxies.records import Record

FILE_BYTES = 1_000_000
OLD_FILES = 2

log = logging.getLogger("clown.proxy")


def open_log(file: Path) -> None:
    """Write to a file, and what is worse than usual to standard error too: the daemon keeps a proxy's last words."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = logging.handlers.RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8")
    kept.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    said = logging.StreamHandler(sys.stderr)
    said.setLevel(logging.WARNING)
    log.addHandler(kept)
    log.addHandler(said)
    log.setLevel(logging.INFO)


def log_end(record: Record) -> None:
    """Write the line of a request that has ended."""
    counts = record.counts
    spent = "-" if counts is None else f"{counts.total} tokens"
    log.info(
        "%s %s %s %s %s %.0f ms%s",
        record.call,
        record.provider or "-",
        record.model or record.model_requested or "-",
        record.status or "-",
        record.ended,
        record.total_ms or 0.0,
        f", {spent}" + (f", {record.problem}" if record.problem else ""),
    )
