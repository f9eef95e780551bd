"""Where keys are kept: a keyring that works, fails or hangs, and the file."""

import stat
import threading
from pathlib import Path

import pytest

from clown_daemon.errors import StoreUnavailableError
from clown_daemon.paths import Paths
from clown_daemon.profiles.secrets import SecretStore, open_secret_store

KEY = "sk-test-0123456789abcdef"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.from_environment({"CLOWN_HOME": str(tmp_path)})


class MemoryKeyring:
    """A keyring in memory that can be broken."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.broken = False

    def get_password(self, service: str, username: str) -> str | None:
        self._answer()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._answer()
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._answer()
        del self.kept[service, username]

    def _answer(self) -> None:
        if self.broken:
            raise RuntimeError(f"no desktop here: {self.kept}")


async def test_a_keyring_keeps_keys_and_the_file_does_not(paths: Paths) -> None:
    keyring = MemoryKeyring()
    store = SecretStore(paths, find_backend=lambda: keyring)
    await store.set("work", KEY)
    assert await store.get("work") == KEY
    assert not paths.secrets_file.exists()
    await store.delete("work")
    await store.delete("work")
    assert keyring.kept == {}
    assert await store.get("work") is None


async def test_a_keyring_that_breaks_is_replaced_by_the_file(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    keyring = MemoryKeyring()
    store = SecretStore(paths, find_backend=lambda: keyring)
    await store.set("a", KEY)
    keyring.broken = True
    await store.set("b", KEY)
    assert await store.get("b") == KEY
    assert paths.secrets_file.exists()
    assert KEY not in caplog.text


async def test_a_keyring_that_hangs_is_replaced_by_the_file(paths: Paths) -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(30)

    store = SecretStore(paths, find_backend=hang, keyring_seconds=0.05)
    await store.set("work", KEY)
    assert await store.get("work") == KEY
    release.set()


async def test_the_switch_keeps_the_keyring_out(paths: Paths) -> None:
    store = open_secret_store(paths, {"CLOWN_SECRETS": "file"})
    await store.set("a", KEY)
    await store.set("b", "another-key")
    await store.delete("a")
    assert (await store.get("a"), await store.get("b")) == (None, "another-key")
    assert KEY not in paths.secrets_file.read_text()


async def test_the_file_is_private_even_if_it_was_not(paths: Paths) -> None:
    paths.state_dir.mkdir(parents=True)
    paths.secrets_file.write_text("{}")
    paths.secrets_file.chmod(0o644)
    store = SecretStore(paths, find_backend=None)
    await store.set("work", KEY)
    assert stat.S_IMODE(paths.secrets_file.stat().st_mode) == 0o600
    assert [file.name for file in paths.state_dir.iterdir()] == ["secrets.json"]


async def test_a_damaged_file_is_told_and_left_alone(paths: Paths) -> None:
    paths.state_dir.mkdir(parents=True)
    paths.secrets_file.write_text(f'{{"work": "{KEY}"')
    store = SecretStore(paths, find_backend=None)
    for call in (store.get("work"), store.set("work", "new"), store.delete("work")):
        with pytest.raises(StoreUnavailableError) as caught:
            await call
        assert KEY not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert KEY in paths.secrets_file.read_text()


def test_the_store_shows_no_key(paths: Paths) -> None:
    assert "secrets.json" in repr(SecretStore(paths, find_backend=None))
