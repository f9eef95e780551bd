"""`clown-daemon service install | uninstall | status`: the daemon as a service of the user."""

import argparse
import asyncio
import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from clown_daemon.cli.command import EXIT_ERROR, EXIT_NOT_RUNNING, EXIT_OK, Commands, add_command, add_json_flag, tell
from clown_daemon.errors import ClownError
from clown_daemon.paths import Paths

if TYPE_CHECKING:
    from clown_daemon.service.files import ServiceFiles
    from clown_daemon.service.manager import Manager
    from clown_daemon.service.plan import Plan

DESCRIPTION = """\
Make the daemon a service of your user: systemd user units on Linux, a launchd agent on macOS.

With systemd the port always listens: whoever connects starts the daemon, nobody is refused while it starts again, and
an idle one still ends by itself. See docs/service.md.
"""

INSTALL_EPILOG = """\
what it does:
  Writes the files for the port, CLOWN_HOME, PATH and CLOWN_* settings as they are in this shell now; keys and other
  variables are not taken along. Then it has the service manager load and start them. Where none manages this session,
  it says what to run later. A daemon that runs already is stopped when it is idle.

examples:
  clown-daemon service install             write, load, start
  clown-daemon service install --print     show the files, write nothing
  clown-daemon service install --no-start  write the files alone

exit codes:
  0 installed    1 a file of somebody else, a busy daemon, or the service manager refused    2 wrong configuration
"""

UNINSTALL_EPILOG = """\
exit codes:
  0 it is gone, or was never there    1 a file of somebody else, or the service manager refused
"""

STATUS_EPILOG = """\
exit codes:
  0 installed    1 installed in part, or a file of somebody else is in its place    3 not installed
"""


def add_commands(commands: "Commands[argparse.ArgumentParser]") -> None:
    """Declare the commands."""
    service = add_command(
        commands,
        "service",
        None,
        summary="make it a service of your user (systemd, launchd)",
        description=DESCRIPTION,
        epilog="exit codes:\n  see clown-daemon service COMMAND --help",
    )
    inner = service.add_subparsers(title="commands", metavar="COMMAND", required=True)
    install = add_command(
        inner,
        "install",
        _install,
        summary="write the files, load and start them",
        description="Make the daemon a service of your user, or bring the service up to date.",
        epilog=INSTALL_EPILOG,
    )
    install.add_argument("--print", action="store_true", default=False, help="show the files, write nothing")
    install.add_argument("--no-start", action="store_true", default=False, help="write the files, start nothing")
    install.add_argument("--stop-running", action="store_true", default=False, help="stop a busy daemon too")
    _add_force_flag(install, "replace files that were not written by this command")
    uninstall = add_command(
        inner,
        "uninstall",
        _uninstall,
        summary="stop the service and remove its files",
        description="Stop the service and the daemon that it runs, disable it, and remove its files, no others.",
        epilog=UNINSTALL_EPILOG,
    )
    _add_force_flag(uninstall, "remove files that were not written by this command")
    status = add_command(
        inner,
        "status",
        _status,
        summary="say whether it is installed, enabled and active",
        description="Say whether the service is installed, enabled, active, and as install would write it now.",
        epilog=STATUS_EPILOG,
    )
    for parser in (install, uninstall, status):
        add_json_flag(parser)


def _add_force_flag(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--force", action="store_true", default=False, help=what)


def _service() -> "tuple[Manager, ServiceFiles, Plan]":
    """The manager, the files as they would be written now, and what they are made from."""
    from clown_daemon.config import NAMES, load_config  # noqa: PLC0415  # help starts without it
    from clown_daemon.service.files import ServiceFiles  # noqa: PLC0415
    from clown_daemon.service.manager import manager_of  # noqa: PLC0415
    from clown_daemon.service.plan import make_plan  # noqa: PLC0415

    paths = Paths.from_environment(os.environ)
    config = load_config(paths.config_file, os.environ, {})
    plan = make_plan(
        python=sys.executable,
        environ=os.environ,
        paths=paths,
        settings=NAMES,
        port=config.port,
        stop_grace_seconds=config.stop_grace_secs,
    )
    manager = manager_of(sys.platform, os.environ, Path.home())
    return manager, ServiceFiles(manager.folder(), manager.texts(plan)), plan


def _install(options: argparse.Namespace) -> int:
    from clown_daemon.service.files import FileState  # noqa: PLC0415  # help starts without it
    from clown_daemon.service.plan import check_program  # noqa: PLC0415

    manager, files, plan = _service()
    if options.print:
        print("\n".join(f"# {file}\n{text}" for file, text in files.texts.items()), end="")
        return EXIT_OK
    if not options.force:
        files.check_ours()
    check_program(plan)
    absence = manager.absence()
    start = absence is None and not options.no_start
    unchanged = set(files.states().values()) == {FileState.SAME}
    if start and not (unchanged and manager.standing().active == "active"):
        _make_room(
            manager, plan.port, loaded=FileState.MISSING not in files.states().values(), force=options.stop_running
        )
    files.write()
    if start:
        manager.start()
    notes = [f"wrote {file}" for file in files.texts]
    if start:
        notes.append(f"{manager.name} starts the daemon for who connects to http://127.0.0.1:{plan.port}")
    else:
        why = "nothing was started" if absence is None else f"{manager.name} cannot be asked here ({absence})"
        notes += [f"{why}; to start it, run:", *(f"  {command}" for command in manager.later())]
    if os.environ.get("CLOWN_PORT"):
        notes.append(f"CLOWN_PORT is set in this shell alone; port = {plan.port} in config.toml tells every program")
    answer = {"installed": True, "manager": manager.name, "started": start, "files": [*map(str, files.texts)]}
    tell(answer, "\n".join(notes), as_json=options.json)
    return EXIT_OK


def _make_room(manager: "Manager", port: int, *, loaded: bool, force: bool) -> None:
    """End what holds the state folder and the port.

    Raises:
        ClownError: a daemon is busy, or the port belongs to another program.
    """
    from clown_daemon.processes.listeners import port_owner  # noqa: PLC0415  # help starts without it

    asyncio.run(_end_running(Paths.from_environment(os.environ), force=force))
    if loaded:
        manager.stop()
    owner = port_owner(port)
    if owner is not None:
        raise ClownError(f"port {port} is in use by {owner}", hint="stop it, or set another port in config.toml")


async def _end_running(paths: Paths, *, force: bool) -> None:
    from clown_daemon.client.discovery import find_daemon  # noqa: PLC0415  # help starts without it
    from clown_daemon.client.ending import end_daemon, until_gone  # noqa: PLC0415
    from clown_daemon.client.errors import RefusedError  # noqa: PLC0415
    from clown_daemon.protocol.requests import ShutDown  # noqa: PLC0415

    found = await find_daemon(paths)
    if found is None:
        await until_gone(paths)
        return
    try:
        await end_daemon(found, paths, ShutDown(if_idle=not force))
    except RefusedError as error:
        raise ClownError(
            f"a daemon runs (pid {found.pid}) and stays: {error}", hint="--stop-running ends it; its runs end too"
        ) from error


def _uninstall(options: argparse.Namespace) -> int:
    from clown_daemon.service.files import FileState, ServiceFiles  # noqa: PLC0415  # help starts without it
    from clown_daemon.service.manager import manager_of  # noqa: PLC0415

    # What is in the files counts for nothing here, so a configuration that is wrong is in nobody's way.
    manager = manager_of(sys.platform, os.environ, Path.home())
    files = ServiceFiles(manager.folder(), dict.fromkeys(manager.file_names, ""))
    if set(files.states().values()) == {FileState.MISSING}:
        tell({"installed": False, "removed": []}, "the service is not installed", as_json=options.json)
        return EXIT_OK
    if not options.force:
        files.check_ours()
    absence = manager.absence()
    if absence is None:
        manager.disable()
    removed = files.remove()
    if absence is None:
        manager.forget()
    notes = [f"removed {file}" for file in removed]
    if absence is not None:
        notes.append(f"{manager.name} cannot be asked here ({absence}); a daemon that runs was left alone")
    tell({"installed": False, "removed": [*map(str, removed)]}, "\n".join(notes), as_json=options.json)
    return EXIT_OK


def _status(options: argparse.Namespace) -> int:
    from clown_daemon.service.files import FileState  # noqa: PLC0415  # help starts without it

    manager, files, _ = _service()
    states = files.states()
    found = set(states.values())
    installed = found <= {FileState.SAME, FileState.DIFFERS}
    absence = manager.absence()
    standing = None if absence is not None else manager.standing()
    answer: dict[str, object] = {
        "installed": installed,
        "manager": manager.name,
        "enabled": standing.enabled if standing else None,
        "active": standing.active if standing else None,
        "files": {str(file): state for file, state in states.items()},
    }
    lines = [f"service  {'installed' if installed else 'not installed'} ({manager.name})"]
    if standing:
        lines += [f"enabled  {standing.enabled or 'unknown'}", f"active   {standing.active or 'unknown'}"]
    else:
        lines.append(f"active   unknown: {manager.name} cannot be asked here ({absence})")
    for file, state in states.items():
        lines += [f"file     {file}: {state}", *(_difference(file, files.texts[file]) if state == "differs" else ())]
    tell(answer, "\n".join(lines), as_json=options.json)
    if installed:
        return EXIT_OK
    return EXIT_NOT_RUNNING if found == {FileState.MISSING} else EXIT_ERROR


def _difference(file: Path, text: str) -> list[str]:
    """The lines that are there (-) and that install would write now (+)."""
    there = file.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = difflib.unified_diff(there, text.splitlines(), n=0, lineterm="")
    return [f"  {line}" for line in lines if not line.startswith(("---", "+++", "@@"))]
