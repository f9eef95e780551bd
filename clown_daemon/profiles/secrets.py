"""API keys by profile: in the operating system's keyring where there is a real one, else in a file of mode 0600.

A keyring may be missing, broken, or hang on a desktop that is not there, so every call to it runs in a thread of its
own with a bound, and the first failure moves this process to the file. Keys never leave through `repr`.
"""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import msgspec

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.paths import Paths
from clown_daemon.profiles.private_file import write_private

T = TypeVar("T")

logger = logging.getLogger(__name__)

KEYRING_SECONDS = 5.0
"""How long the keyring may take for one answer."""

_UNREAL_BACKENDS = ("keyring.backends.fail", "keyring.backends.null")


class KeyringBackend(Protocol):
    """What is needed of a keyring."""

    def get_password(self, service: str, username: str) -> str | None:
        """The secret, or None."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a secret."""

    def delete_password(self, service: str, username: str) -> None:
        """Forget a secret."""


class SecretStore:
    """The keys of all profiles.

    Args:
        paths: where the file is; the keyring's entries carry its folder, so that two installations do not mix.
        find_backend: finds the keyring, or None; asked once, at the first use. None: use the file alone.
        keyring_seconds: see `KEYRING_SECONDS`.
    """

    def __init__(
        self,
        paths: Paths,
        *,
        find_backend: Callable[[], KeyringBackend | None] | None,
        keyring_seconds: float = KEYRING_SECONDS,
    ) -> None:
        self._file = paths.secrets_file
        self._service = f"clown {paths.state_dir}"
        self._find_backend = find_backend
        self._keyring_seconds = keyring_seconds
        self._backend: KeyringBackend | None = None
        self._lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"SecretStore({str(self._file)!r})"

    async def get(self, alias: str) -> str | None:
        """Answer the key of a profile, or None.

        Raises:
            StoreUnavailableError: the file is damaged or cannot be read.
        """
        async with self._lock:
            # A key in the file was written when the keyring failed, so it is the newer one.
            kept = (await asyncio.to_thread(self._read)).get(alias)
            return kept or await self._ask(lambda backend: backend.get_password(self._service, alias))

    async def set(self, alias: str, key: str) -> None:
        """Keep the key of a profile instead of the one before.

        Raises:
            StoreUnavailableError: it can be kept nowhere; the one before stays.
        """
        async with self._lock:
            done = await self._ask(lambda backend: _put(backend, self._service, alias, key))
            await asyncio.to_thread(self._change, alias, None if done else key)

    async def delete(self, alias: str) -> None:
        """Forget the key of a profile; one that is not there is no error.

        Raises:
            StoreUnavailableError: the file is damaged or cannot be written.
        """
        async with self._lock:
            await self._ask(lambda backend: _drop(backend, self._service, alias))
            await asyncio.to_thread(self._change, alias, None)

    async def _ask(self, question: Callable[[KeyringBackend], T]) -> T | None:
        """Ask the keyring; None when there is none or it fails, which is then not asked again."""
        try:
            if self._backend is None and self._find_backend is not None:
                self._backend = await _bounded(self._find_backend, self._keyring_seconds)
                if self._backend is None:
                    self._find_backend = None
            backend = self._backend
            if backend is None:
                return None
            return await _bounded(lambda: question(backend), self._keyring_seconds)
        except Exception as error:  # noqa: BLE001  # backends raise whatever their desktop raises; the file serves instead
            # The type alone: the text of a foreign error may quote what it was given.
            logger.warning("the keyring failed (%s); keys are kept in %s", type(error).__name__, self._file)
            self._find_backend = self._backend = None
            return None

    def _read(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            # Without the cause: it would quote the content.
            raise StoreUnavailableError(
                f"the keys in {self._file} cannot be read",
                hint="repair the file, or move it away and set the keys again",
            ) from None

    def _change(self, alias: str, key: str | None) -> None:
        keys = self._read()
        changed = {name: kept for name, kept in keys.items() if name != alias}
        if key is not None:
            changed[alias] = key
        if changed == keys:
            return
        try:
            write_private(self._file, msgspec.json.encode(changed))
        except OSError as error:
            raise StoreUnavailableError(
                f"the keys in {self._file} cannot be written: {error.strerror}",
                hint="free some space, check the folder",
            ) from None


def open_secret_store(paths: Paths, environ: Mapping[str, str] = os.environ) -> SecretStore:
    """Make the store of this installation; `CLOWN_SECRETS=file` keeps it from using a keyring."""
    return SecretStore(paths, find_backend=None if environ.get("CLOWN_SECRETS") == "file" else find_keyring)


def find_keyring() -> KeyringBackend | None:
    """Find the operating system's keyring; None when the library has only stand-ins. Blocking, and may hang."""
    import keyring  # noqa: PLC0415  # it looks for desktops when imported; the file store must not pay for that

    backend = keyring.get_keyring()
    module = type(backend).__module__
    if module in _UNREAL_BACKENDS or (module == "keyring.backends.chainer" and not getattr(backend, "backends", ())):
        return None
    return backend


def _put(backend: KeyringBackend, service: str, alias: str, key: str) -> bool:
    backend.set_password(service, alias, key)
    return True


def _drop(backend: KeyringBackend, service: str, alias: str) -> None:
    # Backends raise errors of their own for what is not there.
    if backend.get_password(service, alias) is not None:
        backend.delete_password(service, alias)


async def _bounded(call: Callable[[], T], seconds: float) -> T:
    """Run a call that may hang in a thread that keeps nobody from exiting.

    Raises:
        TimeoutError: it took too long; the thread is left to itself.
        Exception: what the call raised.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(result: Callable[[], None]) -> None:
        if not answer.done():
            result()

    def work() -> None:
        try:
            found = call()
        except Exception as error:  # noqa: BLE001  # handed to the caller, whatever it is
            failure = error
            tell(lambda: answer.set_exception(failure))
        else:
            tell(lambda: answer.set_result(found))

    def tell(result: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=work, name="clown-keyring", daemon=True).start()
    async with asyncio.timeout(seconds):
        return await answer
