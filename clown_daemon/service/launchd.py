"""The launchd agent of macOS: the daemon is started at login, and again when it fails.

launchd passes sockets through a call of its own, not by LISTEN_FDS, so there is no socket: a daemon that ended because
nobody needed it is started again by whoever needs it, as without a service.
"""

import plistlib
from pathlib import Path

from clown_daemon.service.plan import MARKER, Plan

LABEL = "clown-daemon"
FILE = f"{LABEL}.plist"


def agent_folder(home: Path) -> Path:
    """Where the user's agents are."""
    return home / "Library" / "LaunchAgents"


def agents(plan: Plan) -> dict[str, str]:
    """The text of the property list, by the name of its file."""
    agent = {
        "Label": LABEL,
        "ProgramArguments": [plan.python, "-m", "clown_daemon"],
        # There is no socket that has the port, so it stands here, as it was when this was written.
        "EnvironmentVariables": {**plan.environ, "CLOWN_PORT": str(plan.port)},
        "WorkingDirectory": "/",
        "RunAtLoad": True,
        # An idle daemon ends with 0 and stays away; what fails comes back.
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 10,
        "ExitTimeOut": plan.stop_seconds,
        # "Background" would slow the agents down, which are children of the daemon.
        "ProcessType": "Interactive",
    }
    text = plistlib.dumps(agent).decode()
    return {FILE: text.replace("<plist ", f"<!-- {MARKER}; the next install replaces it. -->\n<plist ", 1)}
