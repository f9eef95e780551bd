"""Whether a daemon is older than this program. Pure."""

import re

from clown_daemon import __version__


def is_other(version: str, own: str = __version__) -> bool:
    """Whether a daemon of this version is not this program's own."""
    return version != own


def is_older(version: str, own: str = __version__) -> bool:
    """Whether a daemon of this version may be replaced by this program's.

    A newer one may not: its database is one that this program cannot read. Suffixes (`1.2.0rc1`) have no order here.
    """
    return is_other(version, own) and _release(version) <= _release(own)


def _release(version: str) -> tuple[int, ...]:
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()
