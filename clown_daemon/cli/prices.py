"""`clown-daemon prices show | check | refresh`: what models cost, whether the user's prices are read, newer prices."""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from clown_daemon.cli.command import EXIT_ERROR, EXIT_OK, Commands, add_command, add_json_flag, tell
from clown_daemon.errors import ClownError
from clown_daemon.paths import Paths

if TYPE_CHECKING:
    from clown_daemon.usage.prices.tables import Changes
    from clown_daemon.usage.pricing import Match, Table
    from clown_daemon.usage.quote import Line

DESCRIPTION = """\
What the models cost that your agents use, in US dollars.

Prices come from, and the first that knows one is right:
  1. prices.toml in the configuration folder: your own (docs/usage.md)
  2. the table that `clown-daemon prices refresh` wrote, unless a release brought a newer one
  3. the table that is shipped with this release
"""

SHOW_DESCRIPTION = """\
Show what a model costs on a day: the rates of each service tier, where they come from, and by which name the model
was found. Agents write models in many ways. A name is looked up as it is written, then without its window ([1m]),
without the path of a router, without :thinking or :beta, a release (-v1:0) and a date, at last without a cloud's
prefix; never by its beginning. What is not found costs an unknown amount, not nothing.
"""

SHOW_EPILOG = """\
examples:
  clown-daemon prices show claude-sonnet-4-5-20250929
  clown-daemon prices show claude-opus-4-6 --at 2026-03-01        before its long context became cheaper
  clown-daemon prices show google/gemini-2.5-pro --provider openrouter
  clown-daemon prices show gpt-5.5 --json

exit codes:
  0 shown    1 no price is known    2 wrong use
"""

CHECK_EPILOG = """\
examples:
  clown-daemon prices check                 the files that the daemon reads
  clown-daemon prices check ./prices.toml   a file before you put it there

exit codes:
  0 everything is read    1 something is not, and why    2 wrong use
"""

REFRESH_DESCRIPTION = """\
Fetch the published prices of the project genai-prices, check all of them, and put them where the daemon finds them.
This is the only command of Clown that fetches prices, and it does so only when you run it. Nothing of yours is sent.

Prices that are no exact number of picodollars, and models that are not billed by their tokens, are left out and
counted. What was priced before keeps its cost; what had no price gets one.
"""

REFRESH_EPILOG = """\
examples:
  clown-daemon prices refresh                    fetch, check, write, say what changed
  clown-daemon prices refresh --dry-run          write nothing
  clown-daemon prices refresh --from data.json   from a file, as published in prices/new_data of genai-prices

exit codes:
  0 done    1 it cannot be fetched or used, and nothing changed    2 wrong use
"""

MOST_LISTED = 20
HEADINGS = ("tier", "over", "UTC", "input", "output", "cache read", "write 5 min", "write 1 h", "since")


def add_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    prices = add_command(
        commands,
        "prices",
        None,
        summary="show what a model costs, check your prices, fetch newer ones",
        description=DESCRIPTION,
        epilog="exit codes:\n  see clown-daemon prices COMMAND --help",
    )
    parts = prices.add_subparsers(title="commands", metavar="COMMAND", required=True)
    show = add_command(
        parts,
        "show",
        _show,
        summary="show what a model costs, and where that comes from",
        description=SHOW_DESCRIPTION,
        epilog=SHOW_EPILOG,
    )
    show.add_argument("model", metavar="MODEL", help="its name, as an agent writes it")
    show.add_argument("--at", type=_day, metavar="DAY", default=None, help="on this UTC day, YYYY-MM-DD; else today")
    show.add_argument("--provider", metavar="P", default=None, help="bought from: anthropic, openrouter, bedrock, ...")
    check = add_command(
        parts,
        "check",
        _check,
        summary="say whether your prices and the fetched ones are read",
        description="Read the files that prices come from, and say what is in them or why they are not used.",
        epilog=CHECK_EPILOG,
    )
    check.add_argument(
        "file", metavar="FILE", nargs="?", type=Path, default=None, help="a prices.toml to check instead"
    )
    refresh = add_command(
        parts,
        "refresh",
        _refresh,
        summary="fetch newer prices",
        description=REFRESH_DESCRIPTION,
        epilog=REFRESH_EPILOG,
    )
    refresh.add_argument(
        "--from", dest="source", metavar="FILE|URL", default=None, help="where to read; else published"
    )
    refresh.add_argument("--dry-run", action="store_true", default=False, help="write nothing")
    for parser in (show, check, refresh):
        add_json_flag(parser)


def _day(written: str) -> str:
    try:
        return date.fromisoformat(written).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{written!r} is no day such as 2026-01-31") from None


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


def _show(options: argparse.Namespace) -> int:
    from clown_daemon.usage.price_files import PriceFiles, load_prices  # noqa: PLC0415  # help starts without it
    from clown_daemon.usage.quote import quote  # noqa: PLC0415

    paths = Paths.from_environment(os.environ)
    day = options.at or _today()
    prices, problems = load_prices(PriceFiles.of(paths))
    _warn(problems)
    found = prices.find(options.model, options.provider)
    lines = quote(prices, options.model, options.provider, day)
    if not found or not lines:
        what = f"{options.model!r}" + (f" from {options.provider}" if options.provider else "")
        when = f" on {day}" if found else ""
        raise ClownError(
            f"no price is known for {what}{when}: what it costs is unknown, not nothing",
            hint=f"if you know it, write it into {paths.prices_file} (docs/usage.md)",
        )
    tell(_as_json(options.model, day, found[0], lines), _as_text(day, found[0], lines), as_json=options.json)
    return EXIT_OK


def _as_json(model: str, day: str, match: "Match", lines: "Sequence[Line]") -> dict[str, object]:
    from clown_daemon.usage.quote import clock  # noqa: PLC0415  # help starts without it

    return {
        "model": model,
        "at": day,
        "found_as": match.name,
        "left_out_of_the_name": list(match.dropped),
        "provider": match.seller or None,
        "prices": [
            {
                "tier": line.tier,
                "above_input_tokens": line.above,
                "hours_utc": clock(line.hours) if line.hours else None,
                "usd_per_million": {name: pico / 10**6 for name, pico in line.rates._asdict().items()},
                "usd_per_1000_web_searches": None if line.web_search is None else line.web_search / 10**9,
                "since": line.since,
                "price_table": line.price_table,
            }
            for line in lines
        ],
    }


def _as_text(day: str, match: "Match", lines: "Sequence[Line]") -> str:
    from clown_daemon.usage.quote import clock, usd_per_million, usd_per_thousand  # noqa: PLC0415

    without = f", without its {' and '.join(match.dropped)}" if match.dropped else ", as written"
    searches = sorted({usd_per_thousand(line.web_search) for line in lines if line.web_search is not None})
    rows = [HEADINGS] + [
        (
            line.tier,
            f"{line.above:,}" if line.above else "-",
            clock(line.hours) if line.hours else "-",
            *map(usd_per_million, line.rates),
            line.since or "-",
        )
        for line in lines
    ]
    return "\n".join(
        [
            f"model     {match.model.id}"
            + (f", sold by {match.seller}" if match.seller else ", wherever it is bought"),
            f"found as  {match.name}{without}",
            f"from      {', '.join(dict.fromkeys(line.price_table for line in lines))}",
            f"on        {day}, US dollars per million tokens",
            "",
            *_aligned(rows),
            "",
            f"1,000 web searches: {' or '.join(searches) or 'unknown'}",
        ]
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay rows out in columns; what holds nothing in any row is left out."""
    columns = [column for column in zip(*rows, strict=True) if set(column[1:]) != {"-"}]
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in zip(*columns, strict=True)
    ]


def _check(options: argparse.Namespace) -> int:
    from clown_daemon.usage.price_files import PriceFiles, newer_table, own_table, shipped_table  # noqa: PLC0415

    files = PriceFiles.of(Paths.from_environment(os.environ))
    own_file = options.file or files.user
    if options.file is not None and not own_file.exists():
        raise ClownError(f"there is no file {own_file}")
    shipped = shipped_table()
    sources = " and ".join(f"{one.name} {one.version}" for one in shipped.sources)
    problems: list[str] = []
    own = own_table(own_file, problems)
    newer = newer_table(files.refreshed, shipped, problems)
    said = [
        f"your own  {_counted(own)} in {own_file}" if own else f"your own  none ({own_file})",
        f"fetched   {_counted(newer)}, {newer.date}" if newer else "fetched   none, or older than the shipped ones",
        f"shipped   {_counted(shipped)}, {shipped.date}, {sources}",
    ]
    tell({"ok": not problems, "problems": problems}, "\n".join(said), as_json=options.json)
    if not options.json:
        _warn(problems)
    return EXIT_ERROR if problems else EXIT_OK


def _counted(table: "Table") -> str:
    number = sum(len(models) for models in table.models.values())
    return f"{number:,} model" + ("" if number == 1 else "s")


def _warn(problems: Sequence[str]) -> None:
    for sentence in problems:
        print(f"clown-daemon: {sentence}", file=sys.stderr)


def _refresh(options: argparse.Namespace) -> int:
    from clown_daemon.usage.price_files import PriceFiles, newer_table, shipped_table  # noqa: PLC0415
    from clown_daemon.usage.price_refresh import PUBLISHED_AT, read_published, refreshed_table  # noqa: PLC0415
    from clown_daemon.usage.prices.tables import changes  # noqa: PLC0415

    file = PriceFiles.of(Paths.from_environment(os.environ)).refreshed
    shipped = shipped_table()
    table, left_out = refreshed_table(read_published(options.source or PUBLISHED_AT), _today())
    # What is wrong with the table that makes room is of no interest any more.
    before = newer_table(file, shipped, [])
    changed = changes((shipped,) if before is None else (before, shipped), table)
    if not options.dry_run:
        _write(file, table)
    answer: dict[str, object] = {"written": not options.dry_run, "file": str(file), "left_out": len(left_out)}
    tell({**answer, **changed._asdict()}, _told(file, table, changed, len(left_out), options), as_json=options.json)
    return EXIT_OK


def _write(file: Path, table: "Table") -> None:
    from clown_daemon.profiles.private_file import write_private  # noqa: PLC0415  # help starts without it
    from clown_daemon.usage.prices.tables import encode_table  # noqa: PLC0415

    try:
        write_private(file, encode_table(table))
    except OSError as error:
        raise ClownError(f"{file} cannot be written: {error.strerror}", hint="the prices stay as they are") from error


def _told(file: Path, table: "Table", changed: "Changes", left_out: int, options: argparse.Namespace) -> str:
    lines = [f"{_counted(table)} {'found' if options.dry_run else f'written to {file}'}; {left_out} left out"]
    for word, names in changed._asdict().items():
        more = [f"  and {len(names) - MOST_LISTED:,} others"] if len(names) > MOST_LISTED else []
        lines += [f"{word}: {len(names):,}", *(f"  {name}" for name in names[:MOST_LISTED]), *more]
    return "\n".join(lines)
