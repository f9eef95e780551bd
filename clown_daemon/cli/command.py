"""What every command shares: exit codes, how it is declared, how it answers and complains."""

import argparse
import json
import sys
from collections.abc import Callable

from clown_daemon.errors import ClownError

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_NOT_RUNNING = 3
EXIT_INTERRUPTED = 130

Run = Callable[[argparse.Namespace], int]
"""Carries a parsed command out and answers its exit code; it raises `ClownError` for what went wrong."""

Commands = argparse._SubParsersAction  # noqa: SLF001  # argparse gives the type of `add_subparsers()` no public name


def add_command(
    commands: "Commands[argparse.ArgumentParser]",
    name: str,
    run: Run | None,
    *,
    summary: str,
    description: str,
    epilog: str = "",
) -> argparse.ArgumentParser:
    """Declare a command; `summary` is its line in the list of commands. `run` is None where it has commands itself."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        # A flag before the command counts too, so one that is not given here must not become its default.
        argument_default=argparse.SUPPRESS,
    )
    if run is not None:
        parser.set_defaults(run=run)
    return parser


def add_json_flag(parser: argparse.ArgumentParser) -> None:
    """Declare `--json`."""
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")


def add_daemon_flags(parser: argparse.ArgumentParser) -> None:
    """Declare the flags that go to the daemon itself; what is not given is left to its configuration."""
    parser.add_argument("--port", type=int, metavar="N", help="listen on this port of 127.0.0.1; 0 takes any free one")
    parser.add_argument(
        "--idle-timeout-secs", type=float, metavar="S", help="stop when nobody needed it for S seconds; 0 never stops"
    )
    parser.add_argument("--log-level", choices=["debug", "info", "warning", "error"], help="how much to log")


def tell(answer: dict[str, object], sentence: str, *, as_json: bool) -> None:
    """Print an answer: for programs or for people."""
    print(json.dumps(answer) if as_json else sentence)


def complain(error: ClownError, *, program: str = "clown-daemon") -> None:
    """Print what went wrong, and what to do about it, on standard error."""
    print(f"{program}: {error}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
