"""Which folders lie on file systems that do not tell what other machines change in them; those are looked at instead.

Only Linux says so, in `/proc/self/mountinfo`; elsewhere every folder is taken for a local one.
"""

from collections.abc import Iterable
from pathlib import Path

MOUNTINFO = Path("/proc/self/mountinfo")
NETWORKS = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "drvfs", "afs", "ceph", "glusterfs", "lustre", "beegfs")
HOSTS = ("virtiofs", "vboxsf", "prl_fs")
"""Types of file systems that a virtual machine shares with its host."""
FUSE = "fuse"
"""`fuse.sshfs` and so on: programs that serve files seldom tell what changes in them. `fuseblk` is a local disk."""


def silent(paths: Iterable[str], mountinfo: str) -> frozenset[str]:
    """Answer those paths that lie on a file system without notifications.

    Args:
        paths: real paths.
        mountinfo: the mounts of this process, as the kernel writes them.
    """
    types = dict(_mounts(mountinfo))
    return frozenset(path for path in paths if _is_silent(_type_of(path, types)))


def read_mountinfo() -> str:
    """Read the mounts of this process; empty where the system does not tell."""
    try:
        return MOUNTINFO.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


def _mounts(mountinfo: str) -> Iterable[tuple[str, str]]:
    """Answer the place and the type of each mount; later ones cover earlier ones."""
    for line in mountinfo.splitlines():
        before, found, after = line.partition(" - ")
        fields = before.split(" ")
        if found and len(fields) > 4:
            yield _unescaped(fields[4]), after.split(" ", 1)[0]


def _unescaped(path: str) -> str:
    for code, letter in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, letter)
    return path


def _type_of(path: str, types: dict[str, str]) -> str:
    place = path
    while place not in types and place not in {"", "/"}:
        place = place.rpartition("/")[0] or "/"
    return types.get(place, "")


def _is_silent(kind: str) -> bool:
    return kind in (*NETWORKS, *HOSTS, FUSE) or kind.startswith(f"{FUSE}.")
