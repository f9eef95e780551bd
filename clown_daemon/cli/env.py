"""`clown env`: what a shell needs to start a profile's agent by hand."""

import argparse
import os
import sys

from clown_daemon.cli.command import EXIT_OK, Commands, add_command

DESCRIPTION = """\
Print what makes a shell the profile's: the variables to set and to unset, and a function of the agent's name that adds
the arguments which the profile needs. If the profile has a proxy, that is started first, and the agent talks to it. An
agent that is started so is no run in the dashboard; what it uses is counted.

The secret is printed only where standard output is not a terminal. With a proxy it is the proxy's token, which is worth
nothing on another machine; without one it is the profile's key.
"""

EPILOG = """\
examples:
  eval "$(clown env work)"              sh, bash, zsh
  clown env work --shell fish | source  fish
  clown env work --shell json           {"env": {...}, "unset": [...], "argv": [...]}

exit codes:
  0 done    1 the daemon refused, or cannot be started    2 wrong use
"""


def add_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Declare `env`."""
    parser = add_command(
        commands,
        "env",
        run,
        summary="print the environment of a profile's agent for a shell",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.add_argument("alias", metavar="ALIAS", help="the profile")
    parser.add_argument("--shell", choices=["sh", "fish", "json"], default="sh", help="for whom; sh unless given")


def run(options: argparse.Namespace) -> int:
    """Print it."""
    from clown_daemon.cli.launching import ask, read_secret, variables  # noqa: PLC0415  # help starts without it
    from clown_daemon.cli.shells import WRITERS  # noqa: PLC0415

    launch = ask(lambda api: api.prepare_launch(options.alias))
    hidden = launch.secret is not None and sys.stdout.isatty()
    env = variables(launch, None if hidden else read_secret(launch), os.environ)
    unset = tuple(name for name in launch.unset if name not in env)
    sys.stdout.write(WRITERS[options.shell](env, unset, launch.argv))
    if hidden:
        print("clown: the secret is not shown on a terminal", file=sys.stderr)
        print(f'hint: eval "$(clown env {options.alias})" puts it where it belongs', file=sys.stderr)
    return EXIT_OK
