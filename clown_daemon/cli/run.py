"""`clown run`: the agent of a profile in this terminal, in the books from its begin to its end."""

import argparse
import contextlib
import os
from pathlib import Path

from clown_daemon.cli.command import Commands, add_command

DESCRIPTION = """\
Start the agent of a profile in this terminal.

The agent gets the profile's home, key, provider and model, whatever your own settings say. If the profile has a proxy,
that is started first, and the agent talks to it. Everything after -- goes to the agent as it is. The dashboard shows
the run; several runs of one profile may go on at once.
"""

EPILOG = """\
examples:
  clown run work
  clown run work -- --continue
  clown run work --dir ~/src/project -- -p "what does this do?"
  git diff | clown run work -- -p "review this"

Keys and signals go to the agent: Ctrl-C and Ctrl-Z do what they do without Clown. The run goes on when the daemon
stops.

exit codes:
  the agent's own; an agent that a signal ended ends this command by the same signal
  2 wrong use    125 the agent was not started: the daemon refused, or the program cannot be run
"""

EXIT_NOT_STARTED = 125
"""As `env`, `timeout` and `docker run` say it: what failed is the command itself, not the program it runs."""


def add_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Declare `run`."""
    parser = add_command(
        commands,
        "run",
        run,
        summary="start the agent of a profile in this terminal",
        description=DESCRIPTION,
        epilog=EPILOG,
    )
    parser.usage = "clown run ALIAS [--dir DIR] [-- ARGS ...]"
    parser.set_defaults(takes_agent_args=True, exit_error=EXIT_NOT_STARTED)
    parser.add_argument("alias", metavar="ALIAS", help="the profile")
    parser.add_argument("--dir", metavar="DIR", default=".", help="where the agent starts; here unless given")


def run(options: argparse.Namespace) -> int:
    """Run the agent to its end and end as it did."""
    # Loaded here, so that help starts without it, and before the terminal is opened: caller and waiter share it then.
    from clown_daemon.cli.launching import ask, read_secret, whole_environment  # noqa: PLC0415
    from clown_daemon.cli.telling import Teller  # noqa: PLC0415
    from clown_daemon.errors import ClownError  # noqa: PLC0415
    from clown_daemon.processes.child import SpawnError  # noqa: PLC0415
    from clown_daemon.processes.terminal import Terminal, end_like  # noqa: PLC0415
    from clown_daemon.processes.waiter import Order  # noqa: PLC0415
    from clown_daemon.protocol.requests import PrepareRun, RunEnded  # noqa: PLC0415
    from clown_daemon.protocol.resources import MAX_TEXT_LENGTH  # noqa: PLC0415

    working_dir = str(Path(options.dir).expanduser().absolute())
    request = PrepareRun(alias=options.alias, args=tuple(options.agent_args), working_dir=working_dir)
    with Terminal(Teller(options.alias, os.environ)) as terminal:
        prepared = ask(lambda api: api.prepare_run(request))
        environ = whole_environment(prepared, read_secret(prepared), os.environ)
        order = Order(prepared.run_id, prepared.argv, environ, Path(prepared.working_dir))
        try:
            exit_code = terminal.run(order)
        except SpawnError as error:
            sentence = str(error)[:MAX_TEXT_LENGTH]
            with contextlib.suppress(ClownError):  # it gives the run up by itself, only later
                ask(lambda api: api.run_ended(prepared.run_id, RunEnded(error=sentence)))
            raise
    return end_like(exit_code)
