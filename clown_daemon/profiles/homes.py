"""The folders of profiles: `profiles_dir/ALIAS`, mode 0700. Blocking.

A deletion first moves the folder aside, then the books are changed, then it is removed: a crash in between leaves
either a profile whose folder `settle` puts back, or a folder without a profile that `settle` removes.
"""

import logging
import os
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath

from clown_daemon.profiles.private_file import write_private

logger = logging.getLogger(__name__)

_ASIDE = ".deleted-"
"""No alias begins with a dot, so this is never a profile's folder."""


def make_home(home: Path) -> bool:
    """Make a profile's folder; answer False when it was there already.

    Raises:
        OSError: it cannot be made, or something else is in its place.
    """
    home.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.is_symlink():
        raise FileExistsError(17, "a link is in its place", str(home))
    try:
        home.mkdir(mode=0o700)
    except FileExistsError:
        if not home.is_dir():
            raise
        home.chmod(0o700)
        return False
    return True


def write_first_files(home: Path, files: Mapping[str, str]) -> None:
    """Write files that are not there yet; what is there is the user's, and a link out of the home is not followed.

    Args:
        home: the profile's folder.
        files: texts by path relative to the home.

    Raises:
        OSError: one cannot be written.
    """
    inside = home.resolve()
    for name, text in files.items():
        file = home / PurePosixPath(name)
        if os.path.lexists(file) or not file.parent.resolve().is_relative_to(inside):
            continue
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, "utf-8")


def write_fresh_files(home: Path, files: Mapping[str, str]) -> None:
    """Write files anew that belong to Clown: they follow the profile's model and endpoint.

    Args:
        home: the profile's folder; a file whose folder is a link out of it is left out.
        files: texts by path relative to the home.

    Raises:
        OSError: one cannot be written.
    """
    inside = home.resolve()
    for name, text in files.items():
        file = home / PurePosixPath(name)
        if file.parent.resolve().is_relative_to(inside):
            write_private(file, text.encode())


def put_aside(profiles_dir: Path, home: Path) -> Path | None:
    """Move a profile's folder aside; None when it is gone, or lies elsewhere and is not ours to move.

    Raises:
        OSError: it cannot be moved.
    """
    if home.parent != profiles_dir or not os.path.lexists(home):
        return None
    aside = home.with_name(f"{_ASIDE}{home.name}")
    remove(aside)
    return home.rename(aside)


def put_back(aside: Path) -> None:
    """Undo `put_aside`.

    Raises:
        OSError: it cannot be moved.
    """
    aside.rename(aside.with_name(aside.name.removeprefix(_ASIDE)))


def remove(folder: Path) -> None:
    """Remove a folder and all in it, links themselves and never what they lead to; what cannot go is logged."""
    try:
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.is_dir():
            _remove_tree(folder)
    except OSError as error:
        logger.warning("%s could not be removed wholly: %s", folder, error)


def settle(profiles_dir: Path, aliases: Collection[str]) -> None:
    """Finish or undo deletions that a crash cut short.

    Args:
        profiles_dir: where the folders are.
        aliases: the profiles that exist.

    Raises:
        OSError: a folder cannot be put back.
    """
    for aside in profiles_dir.glob(f"{_ASIDE}*"):
        alias = aside.name.removeprefix(_ASIDE)
        if alias in aliases and not os.path.lexists(profiles_dir / alias):
            put_back(aside)
        else:
            remove(aside)


def _remove_tree(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except PermissionError:
        # Package caches make their folders read-only; they are the owner's all the same.
        for path, _, _ in os.walk(folder):
            Path(path).chmod(0o700)
        shutil.rmtree(folder)
