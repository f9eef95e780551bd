"""A systemctl that writes down what it is asked and remembers what is enabled and active, as files in a folder."""

from pathlib import Path

_SCRIPT = """\
#!/bin/sh
cd "{folder}" || exit 1
echo "$*" >>calls
[ -e gone ] && {{ echo "Failed to connect to bus: No medium found" >&2; exit 1; }}
[ "$1" = --user ] || {{ echo "it is the user's own systemd that is meant" >&2; exit 1; }}
shift
case "$*" in
    "enable --now clown-daemon.socket")
        [ -e stubborn ] && {{ echo "Job failed." >&2; exit 1; }}
        touch enabled active ;;
    "disable --now clown-daemon.socket clown-daemon.service") rm -f enabled active ;;
    "stop clown-daemon.socket clown-daemon.service") rm -f active ;;
    "is-enabled clown-daemon.socket") [ -e enabled ] && echo enabled || {{ echo disabled; exit 1; }} ;;
    "is-active clown-daemon.socket") [ -e active ] && echo active || {{ echo inactive; exit 3; }} ;;
    "daemon-reload" | "show --property=Version") ;;
    *) echo "unknown command: $*" >&2; exit 1 ;;
esac
"""


class FakeSystemctl:
    """Put on PATH as `bin/systemctl` below a folder."""

    def __init__(self, root: Path) -> None:
        self._folder = root / "systemctl"
        self._folder.mkdir()
        program = root / "bin" / "systemctl"
        program.parent.mkdir(exist_ok=True)
        program.write_text(_SCRIPT.format(folder=self._folder))
        program.chmod(0o755)

    def calls(self) -> list[str]:
        """What it was told to change, without `--user`, since the last time this was asked."""
        file = self._folder / "calls"
        calls = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        asked = ("--user is-", "--user show")
        return [call.removeprefix("--user ") for call in calls if not call.startswith(asked)]

    def be_gone(self) -> None:
        """Behave as where no systemd manages the session."""
        (self._folder / "gone").touch()

    def be_stubborn(self) -> None:
        """Fail to start the socket."""
        (self._folder / "stubborn").touch()
