"""`clown`: the command line of everyday use. Each command is a module of its own that declares itself here."""

import argparse
import shlex
import sys
from collections.abc import Sequence

from clown_daemon import __version__
from clown_daemon.cli import env, run
from clown_daemon.cli.command import EXIT_ERROR, EXIT_INTERRUPTED, EXIT_USAGE, complain
from clown_daemon.errors import ClownError, ConfigError
from clown_daemon.pipes import until_nobody_reads

DESCRIPTION = """\
Run your AI coding agents under profiles of their own: each with its home, its key, its provider and its model, metered
and shown in the dashboard (clown-tui).
"""

EPILOG = """\
examples:
  clown run work                    start the agent of the profile work in this terminal
  clown run work -- -p "say hi"     the same with arguments of the agent's own
  eval "$(clown env work)"          make this shell the profile's, and start the agent by hand
  clown COMMAND --help              everything about one command

The daemon is started when none runs. CLOWN_HOME chooses another one, with profiles of its own.

exit codes:
  0 done    1 failed    2 wrong use    130 interrupted; clown run ends as the agent does
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and answer its exit code; 0 also where nobody reads on what it prints."""
    return until_nobody_reads(lambda: _run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    own, agent_args = _split(arguments)
    parser = _parser()
    options, unknown = parser.parse_known_args(own)
    if unknown or (agent_args and not options.takes_agent_args):
        _refuse(parser, options, own, unknown or ["--", *agent_args])
    options.agent_args = agent_args
    try:
        return int(options.run(options))
    except ClownError as error:
        complain(error, program="clown")
        return EXIT_USAGE if isinstance(error, ConfigError) else options.exit_error
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split at the first `--`: argparse has taken a later one for its own, differently in each version of Python."""
    words = list(arguments)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _refuse(parser: argparse.ArgumentParser, options: argparse.Namespace, own: list[str], unknown: list[str]) -> None:
    sentence = f"unrecognized arguments: {shlex.join(unknown)}"
    if options.takes_agent_args:
        known = [word for word in own if word not in unknown]
        sentence += f"\nhint: what is for the agent goes after --: clown {shlex.join([*known, '--', *unknown])}"
    parser.error(sentence)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clown",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(takes_agent_args=False, exit_error=EXIT_ERROR)
    parser.add_argument("--version", action="version", version=f"clown {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run.add_commands(commands)
    env.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
