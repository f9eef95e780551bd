"""`clown-daemon token show | path | rotate`: the access token of this user's daemon."""

import argparse
import asyncio
import os

from clown_daemon.cli.command import EXIT_ERROR, EXIT_OK, Commands, add_command, add_json_flag, tell
from clown_daemon.errors import ClownError
from clown_daemon.paths import Paths

DESCRIPTION = """\
The access token lets a program in where its user alone does not: other users of this machine, and everybody where
auth = token (docs/security.md). Programs of yours find it by themselves.
"""


def add_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    token = add_command(
        commands,
        "token",
        None,
        summary="show the access token, tell its file, or replace it",
        description=DESCRIPTION,
        epilog="exit codes:\n  0 done    1 there is none, or it cannot be read or written",
    )
    parts = token.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = add_command(
        parts,
        "show",
        _show,
        summary="print the token: a secret",
        description="Print the token. It is a secret: whoever has it may use the daemon.",
        epilog="examples:\n"
        '  curl -H "Authorization: Bearer $(clown-daemon token show)" http://127.0.0.1:8765/api/profiles\n\n'
        "exit codes:\n  0 done    1 there is none yet, or it cannot be read",
    )
    path = add_command(
        parts,
        "path",
        _path,
        summary="print the name of its file",
        description="Print the name of the token's file, which only you can read.",
        epilog="exit codes:\n  0 done",
    )
    rotate = add_command(
        parts,
        "rotate",
        _rotate,
        summary="replace it; the old one is refused at once",
        description="Replace the token. A running daemon takes the new one at once, without a restart: the old one is\n"
        "refused, and streams that were opened with it end with close code 4001. Yours reconnect by themselves.",
        epilog="exit codes:\n  0 done    1 it cannot be written, or the daemon did not take it",
    )
    for parser in (show, path, rotate):
        add_json_flag(parser)


def _show(options: argparse.Namespace) -> int:
    from clown_daemon.access_token import read_token  # noqa: PLC0415  # help starts without it

    file = Paths.from_environment(os.environ).token_file
    if not file.exists():
        raise ClownError("there is no token yet", hint="the daemon makes it: clown-daemon start")
    token = read_token(file)
    tell({"token": token}, token, as_json=options.json)
    return EXIT_OK


def _path(options: argparse.Namespace) -> int:
    file = str(Paths.from_environment(os.environ).token_file)
    tell({"path": file}, file, as_json=options.json)
    return EXIT_OK


def _rotate(options: argparse.Namespace) -> int:
    from clown_daemon.access_token import replace_token  # noqa: PLC0415  # help starts without it
    from clown_daemon.client.discovery import find_daemon  # noqa: PLC0415
    from clown_daemon.instance import AlreadyRunningError, InstanceLock  # noqa: PLC0415

    paths = Paths.from_environment(os.environ)
    replace_token(paths.token_file)
    # Looking for the daemon presents the new token to it, and that makes it known there.
    told = asyncio.run(find_daemon(paths)) is not None
    if not told:
        try:
            InstanceLock(paths.lock_file).release()
        except AlreadyRunningError:
            tell(
                {"rotated": True, "daemon_told": False},
                "the token was replaced, but the daemon that runs did not answer; it takes it within 2 s of being able",
                as_json=options.json,
            )
            return EXIT_ERROR
    sentence = "the token was replaced; the daemon refuses the old one" if told else "the token was replaced"
    tell({"rotated": True, "daemon_told": told}, sentence, as_json=options.json)
    return EXIT_OK
