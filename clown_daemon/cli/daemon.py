"""`clown-daemon`: the command line's root. Each group of commands is a module of its own that declares itself here."""

import argparse
from collections.abc import Sequence

from clown_daemon import __version__
from clown_daemon.cli import foreground, lifecycle, prices, service, token
from clown_daemon.cli.command import (
    EXIT_ERROR,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    add_daemon_flags,
    add_json_flag,
    complain,
)
from clown_daemon.errors import ClownError, ConfigError
from clown_daemon.pipes import until_nobody_reads

DESCRIPTION = """\
The Clown daemon owns your agent profiles, detects and runs agents, reads what they cost from their own logs, and
publishes every change as an event on ws://127.0.0.1:PORT/ws, with an HTTP API on the same port.

Without a command it runs in the foreground until Ctrl-C.
"""

EPILOG = """\
examples:
  clown-daemon                      run in the foreground, log on standard error
  clown-daemon --port 0             the same on any free port
  clown-daemon start                run in the background
  clown-daemon status --json        {"running": true, "url": ..., "pid": ..., "version": ..., "state_dir": ...}
  clown-daemon COMMAND --help       everything about one command

files:
  CLOWN_HOME moves every file of Clown below one folder; without it the operating system's own places are used.
  config.toml holds the settings (docs/configuration.md); flags beat CLOWN_* variables, these beat the file.

exit codes:
  0 done    1 failed    2 wrong use or configuration    3 not running (status)    130 interrupted
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and answer its exit code; 0 also where nobody reads on what it prints."""
    return until_nobody_reads(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ClownError as error:
        complain(error)
        return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_ERROR
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clown-daemon",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=foreground.run_in_foreground)
    add_daemon_flags(parser)
    add_json_flag(parser)
    parser.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--version", action="version", version=f"clown-daemon {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    lifecycle.add_commands(commands)
    prices.add_commands(commands)
    token.add_commands(commands)
    service.add_commands(commands)
    return parser
