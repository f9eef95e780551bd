"""The access token: 256 random bits in a file that only its user can read. The file is the truth, also while we run.

Whoever replaces the file has replaced the token: the daemon takes it the first time somebody presents it, and within
two seconds anyway. So a token can be replaced when nobody remembers the old one, and no secret crosses the API.
"""

import asyncio
import hmac
import logging
import os
import secrets
from pathlib import Path

from clown_daemon.errors import StartError
from clown_daemon.profiles.private_file import write_private

TOKEN_BYTES = 32
CHECK_SECONDS = 2
"""How often the file is looked at."""

logger = logging.getLogger(__name__)


def ensure_token(file: Path) -> str:
    """Read the access token, or create it. Blocking.

    Raises:
        StartError: the file can be neither read nor created, or others may read it.
    """
    try:
        # Never an existing file, and never through somebody's link.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return read_token(file)
    except OSError as error:
        raise StartError(f"the token {file} cannot be created: {error.strerror}") from error
    token = secrets.token_urlsafe(TOKEN_BYTES)
    with os.fdopen(descriptor, "w", encoding="ascii") as out:
        out.write(token + "\n")
    return token


def read_token(file: Path) -> str:
    """Read the access token. Blocking.

    Raises:
        StartError: it cannot be read, is empty, or others may read it.
    """
    try:
        if file.stat().st_mode & 0o077:
            raise StartError(f"others may read the token {file}", hint="replace it: clown-daemon token rotate")
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"the token {file} cannot be read", hint="replace it: clown-daemon token rotate") from error
    if not token:
        raise StartError(f"the token {file} is empty", hint="replace it: clown-daemon token rotate")
    return token


def replace_token(file: Path) -> None:
    """Write a new access token in place of the old one, at once and for this user alone. Blocking.

    Raises:
        StartError: the file cannot be written; the old token stays.
    """
    try:
        write_private(file, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode("ascii"))
    except OSError as error:
        raise StartError(f"the token {file} cannot be written: {error.strerror}") from error


class AccessToken:
    """The token in force. For the event loop alone."""

    def __init__(self, file: Path) -> None:
        """Read the token, or create it. Blocking.

        Raises:
            StartError: see `ensure_token`.
        """
        self._file = file
        self._expected = _header(ensure_token(file))
        self._revoked = asyncio.Event()
        self._reading = asyncio.Lock()
        self._problem: str | None = None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the file cannot be followed; the last good token stays in force meanwhile."""
        return () if self._problem is None else (self._problem,)

    async def match(self, authorization: str) -> asyncio.Event | None:
        """Compare the value of an `Authorization` header.

        Returns:
            None when it is wrong. Else what is set when this token is in force no longer.
        """
        given = authorization.encode("utf-8", "surrogateescape")
        # In constant time, so that a caller learns nothing from how long the refusal took.
        if not hmac.compare_digest(given, self._expected):
            await self.refresh()
        return self._revoked if hmac.compare_digest(given, self._expected) else None

    async def refresh(self) -> None:
        """Take what the file holds now."""
        async with self._reading:
            try:
                expected = _header(await asyncio.to_thread(read_token, self._file))
            except StartError as error:
                if self._problem is None:
                    logger.warning("%s; the token that was read before stays in force", error)
                self._problem = str(error)
                return
            self._problem = None
            if not hmac.compare_digest(expected, self._expected):
                self._expected = expected
                revoked, self._revoked = self._revoked, asyncio.Event()
                revoked.set()
                logger.info("the access token was replaced; the old one is refused from now on")

    async def follow(self) -> None:
        """Look at the file for ever."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            await self.refresh()


def _header(token: str) -> bytes:
    return f"Bearer {token}".encode("ascii")
