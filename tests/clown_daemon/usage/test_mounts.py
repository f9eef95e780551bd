import pytest

from clown_daemon.usage import mounts
from clown_daemon.usage.mounts import read_mountinfo, silent

MOUNTINFO = """\
22 1 0:21 / / rw,relatime - ext4 /dev/sda1 rw
23 22 0:22 / /proc rw - proc proc rw
30 22 0:50 / /home rw,relatime shared:1 - nfs4 server:/home rw
31 30 0:51 / /home/dev/local rw - ext4 /dev/sdb1 rw
32 22 0:52 / /mnt/my\\040disk rw - cifs //server/share rw
33 22 0:53 / /mnt/remote rw master:3 propagate_from:2 - fuse.sshfs dev@host: rw
34 22 0:54 / /mnt/usb rw - fuseblk /dev/sdc1 rw
35 22 0:55 / /mnt/c rw - 9p C: rw
36 22 0:56 / /over rw - nfs server:/over rw
37 22 0:57 / /over rw - tmpfs tmpfs rw
torn line
"""


@pytest.mark.parametrize(
    ("path", "is_silent"),
    [
        ("/root/.claude/projects", False),
        ("/home/dev/.claude/projects", True),
        ("/home/dev/local/.codex", False),
        ("/homework", False),
        ("/mnt/my disk/logs", True),
        ("/mnt/remote", True),
        ("/mnt/usb/logs", False),
        ("/mnt/c/Users", True),
        ("/over/logs", False),
    ],
)
def test_what_other_machines_change_is_not_told(path: str, is_silent: bool) -> None:
    assert silent([path], MOUNTINFO) == (frozenset([path]) if is_silent else frozenset())


def test_where_the_system_does_not_tell_every_folder_is_a_local_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "MOUNTINFO", mounts.MOUNTINFO / "nothing")
    assert silent(["/home"], read_mountinfo()) == frozenset()
