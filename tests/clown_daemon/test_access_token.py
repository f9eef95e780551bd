import stat
from pathlib import Path

import pytest

from clown_daemon.access_token import AccessToken, ensure_token, read_token, replace_token
from clown_daemon.errors import StartError


def test_the_token_is_made_once_and_kept_secret(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = ensure_token(file)
    assert len(token) >= 43
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert ensure_token(file) == token


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("x\n")
    file.chmod(0o644)
    with pytest.raises(StartError, match="others may read"):
        ensure_token(file)


def test_an_empty_token_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    with pytest.raises(StartError, match="is empty"):
        ensure_token(file)


async def test_a_replaced_file_is_taken_when_its_token_is_first_presented_and_revokes_the_old_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "token"
    token = AccessToken(file)
    old = read_token(file)
    revoked = await token.match(f"Bearer {old}")
    assert revoked is not None
    replace_token(file)
    new = read_token(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert new != old
    assert not revoked.is_set()
    now = await token.match(f"Bearer {new}")
    assert now is not None
    assert revoked.is_set()
    assert not now.is_set()
    assert await token.match(f"Bearer {old}") is None


async def test_a_file_that_cannot_be_used_is_told_and_the_last_good_token_stays(tmp_path: Path) -> None:
    file = tmp_path / "token"
    token = AccessToken(file)
    good = read_token(file)
    file.chmod(0o644)
    assert await token.match("Bearer wrong") is None
    assert list(token.problems) == [f"others may read the token {file}"]
    assert await token.match(f"Bearer {good}") is not None
    replace_token(file)
    await token.refresh()
    assert list(token.problems) == []
    assert await token.match(f"Bearer {good}") is None


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", "bearer {}", "Bearer {} ", " Bearer {}", "{}", "Basic {}"])
async def test_a_token_is_right_to_the_letter(tmp_path: Path, given: str) -> None:
    file = tmp_path / "token"
    token = AccessToken(file)
    assert await token.match(given.format(read_token(file))) is None


def test_replacing_a_token_that_cannot_be_written_keeps_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "file"
    folder.touch()
    with pytest.raises(StartError, match="cannot be written"):
        replace_token(folder / "token")
