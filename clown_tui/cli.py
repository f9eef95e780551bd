"""`clown-tui`: the live dashboard; and its events or one snapshot as lines, where there is no terminal.

Textual is loaded for the dashboard alone; a test in a subprocess keeps it so.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from urllib.parse import urlsplit

import msgspec

from clown_daemon import __version__
from clown_daemon.errors import ClownError, ConfigError
from clown_daemon.paths import Paths
from clown_daemon.pipes import until_nobody_reads
from clown_daemon.protocol.events import EVENT_NAMES
from clown_daemon.protocol.names import UnknownNameError, resolve_names
from clown_tui.settings import (
    Settings,
    Sources,
    config_lines,
    daemon_url,
    is_local,
    load_settings,
    read_token,
    split_names,
)

EXIT_OK = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INTERRUPTED = 130

DESCRIPTION = """\
Watch your coding agents live: profiles and what they run, cost as it grows, agents and their versions, every event.

A daemon is started when none answers. Where standard output is no terminal, events are printed as lines instead.
"""

EPILOG = f"""\
events:
  NAMES are event names, globs and groups in any case, separated by commas: ProfileStarted, 'Usage*', @errors, @cost,
  @profiles, @agents, @registry, @proxies, @daemon. On a terminal the Events pane opens narrowed to them; the other
  panes still show everything. The names:
  {", ".join(EVENT_NAMES[:5])},
  {", ".join(EVENT_NAMES[5:10])},
  {", ".join(EVENT_NAMES[10:15])},
  {", ".join(EVENT_NAMES[15:])}

examples:
  clown-tui                                  the dashboard
  clown-tui --events 'Profile*,@errors'      the dashboard, its Events pane narrowed
  clown-tui --plain                          one event a line
  clown-tui --json --events @cost            one event a line as JSON, usage alone
  clown-tui --json --count 1 --timeout 60    wait a minute for the next event
  clown-tui --once                           what there is now, as text
  clown-tui --once --json                    the same as JSON, for scripts
  clown-tui --no-start --url http://127.0.0.1:9000

settings:
  Flags beat CLOWN_* variables (CLOWN_URL, CLOWN_PORT, CLOWN_EVENTS, ...), these beat tui.toml; NO_COLOR is obeyed.
  --print-config shows every setting and where it came from. CLOWN_HOME moves every file of Clown below one folder.

exit codes:
  0  done
  1  an error; with --count, fewer events came within --timeout
  2  wrong use or configuration
  3  the daemon cannot be reached
  130  interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and answer its exit code; 0 also where nobody reads on what it prints."""
    return until_nobody_reads(lambda: _outcome(_parser().parse_args(argv)))


def _outcome(options: argparse.Namespace) -> int:
    try:
        return _run(options, os.environ)
    except ConfigError as error:
        return _complain(error, EXIT_USAGE)
    except ClownError as error:
        return _complain(error, _code_of(error))
    except TimeoutError:
        return _complain(ClownError(f"no answer within {options.timeout:g} s"), EXIT_UNREACHABLE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="clown-tui",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    where = parser.add_argument_group("the daemon")
    where.add_argument("--url", metavar="URL", help="follow the daemon at this address, http://HOST:PORT")
    where.add_argument("--port", type=int, metavar="N", help="follow this machine's daemon on this port")
    where.add_argument("--no-start", action="store_true", help="never start a daemon; wait for one, or exit with 3")
    what = parser.add_argument_group("what is shown")
    what.add_argument("--events", metavar="NAMES", help="narrow the events to these; see below")
    what.add_argument("--plain", action="store_true", help="print one event a line, also on a terminal")
    what.add_argument("--json", action="store_true", help="print one event a line as JSON; with --once the snapshot")
    what.add_argument("--once", action="store_true", help="print what there is now, and exit")
    what.add_argument("--count", type=_positive, metavar="N", help="with lines: exit after N events")
    what.add_argument("--timeout", type=_seconds, metavar="S", help="with lines or --once: exit after S seconds")
    how = parser.add_argument_group("how it is drawn")
    how.add_argument("--no-color", action="store_true", help="draw without colour")
    how.add_argument("--ascii", action="store_true", help="draw with ASCII characters alone")
    about = parser.add_argument_group("about")
    about.add_argument("--print-config", action="store_true", help="print every setting and where it came from")
    about.add_argument("--print-keys", action="store_true", help="print every action, its keys and what it does")
    about.add_argument("--version", action="version", version=f"clown-tui {__version__}")
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no count: write 1 or more")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write seconds above 0")
    return seconds


def _complain(error: ClownError, code: int) -> int:
    print(f"clown-tui: {error}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    return code


def _code_of(error: ClownError) -> int:
    """Answer the exit code of an error; whoever cannot reach or start a daemon gets the code of its own."""
    from clown_daemon.client.errors import UnreachableError  # noqa: PLC0415  # --help starts without it
    from clown_daemon.errors import StartError  # noqa: PLC0415

    return EXIT_UNREACHABLE if isinstance(error, (UnreachableError, StartError)) else EXIT_ERROR


def _run(options: argparse.Namespace, environ: Mapping[str, str]) -> int:
    paths = Paths.from_environment(environ)
    sources = load_settings(paths.dashboard_config_file, environ, _flags(options))
    names = _event_names(sources.settings)
    if options.print_config:
        return _print(config_lines(sources))
    if options.print_keys:
        return _print_keys(sources)
    settings = _located(sources.settings, paths)
    if options.once or options.plain or options.json or options.count or options.timeout or not sys.stdout.isatty():
        return _lines(options, settings, paths, environ, names)
    from clown_tui.app import run_dashboard  # noqa: PLC0415  # Textual takes a third of a second

    return run_dashboard(settings)


def _flags(options: argparse.Namespace) -> dict[str, object]:
    return {
        "url": options.url,
        "port": options.port,
        "start": False if options.no_start else None,
        "events": None if options.events is None else split_names(options.events),
        "color": "never" if options.no_color else None,
        "ascii": True if options.ascii else None,
    }


def _event_names(settings: Settings) -> frozenset[str] | None:
    """Resolve the names of events; None is all.

    Raises:
        ConfigError: a name that matches no event, with the nearest known one.
    """
    if not settings.events:
        return None
    try:
        return resolve_names(settings.events, EVENT_NAMES, any_case=True)
    except UnknownNameError as error:
        near = f"did you mean {error.nearest}?" if error.nearest else "clown-tui --help lists all names"
        raise ConfigError(str(error), hint=near) from None


def _located(settings: Settings, paths: Paths) -> Settings:
    """Forbid starting a daemon that would not be at the address."""
    return msgspec.structs.replace(settings, start=settings.start and is_local(daemon_url(settings, paths)))


def _print(lines: Sequence[str]) -> int:
    print("\n".join(lines))
    return EXIT_OK


def _print_keys(sources: Sources) -> int:
    from clown_tui.keys import rebind, shown  # noqa: PLC0415  # only here

    actions = rebind(sources.settings.keys)
    return _print([f"{action.id:<14} {' '.join(map(shown, action.keys)):<10} {action.help}" for action in actions])


def _lines(
    options: argparse.Namespace,
    settings: Settings,
    paths: Paths,
    environ: Mapping[str, str],
    names: frozenset[str] | None,
) -> int:
    from clown_daemon.client.launcher import start_daemon  # noqa: PLC0415  # --help starts without it
    from clown_daemon.clock import SystemClock  # noqa: PLC0415
    from clown_tui.plain import Watch, once, watch  # noqa: PLC0415

    clock = SystemClock()
    url = daemon_url(settings, paths)
    port = urlsplit(settings.url).port if settings.url else settings.port
    wanted = Watch(
        url=url,
        token=partial(read_token, url, paths),
        start=partial(start_daemon, environ, port) if settings.start else None,
        events=names,
        as_json=options.json,
        count=options.count,
        timeout_seconds=options.timeout,
        zone=clock.zone,
    )
    if options.once:
        return asyncio.run(once(wanted, sys.stdout, clock.now_ms))
    return asyncio.run(watch(wanted, sys.stdout, sys.stderr))
