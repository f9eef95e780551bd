"""Real children: exits, signals, groups, floods, and programs that do not start."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from clown_daemon.processes import groups
from clown_daemon.processes.child import Command, SpawnError
from clown_daemon.processes.supervisor import Supervised, Supervisor
from tests.support.waiting import PATIENCE_SECONDS, until


@pytest.fixture
async def supervisor() -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(stop_grace_seconds=0.3, drain_seconds=0.3)
    yield supervisor
    await supervisor.close()


def shell(script: str, folder: Path, *, secrets: tuple[str, ...] = ()) -> Command:
    return Command(
        argv=("/bin/sh", "-c", script), environ={"PATH": os.environ["PATH"]}, working_dir=folder, secrets=secrets
    )


def lines_of(process: Supervised) -> list[str]:
    assert process.output is not None
    return [line.text for line in process.output.page().lines]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", -9), ("kill -TERM $$", -15)])
async def test_the_exit_code_is_the_status_or_minus_the_signal(
    supervisor: Supervisor, tmp_path: Path, script: str, code: int
) -> None:
    process = await supervisor.spawn(shell(script, tmp_path), name="child")
    assert await process.wait() == code


async def test_both_streams_are_captured_to_the_end(supervisor: Supervisor, tmp_path: Path) -> None:
    process = await supervisor.spawn(shell("echo out; echo err >&2; printf last", tmp_path), name="child")
    await process.wait()
    assert sorted(lines_of(process)) == ["err", "last", "out"]


async def test_a_child_leads_its_own_session_and_reads_nothing(supervisor: Supervisor, tmp_path: Path) -> None:
    process = await supervisor.spawn(shell("cat; exec sleep 60", tmp_path), name="child")
    assert os.getsid(process.pid) == os.getpgid(process.pid) == process.pid
    assert process.process_start is not None
    await supervisor.stop(process)


async def test_a_stop_ends_on_term(supervisor: Supervisor, tmp_path: Path) -> None:
    process = await supervisor.spawn(shell("exec sleep 60", tmp_path), name="child")
    assert await supervisor.stop(process) == -signal.SIGTERM
    assert not psutil.pid_exists(process.pid)


async def test_a_child_that_ignores_term_is_killed(supervisor: Supervisor, tmp_path: Path) -> None:
    process = await supervisor.spawn(
        shell("trap '' TERM; echo ready; while :; do sleep 1; done", tmp_path), name="child"
    )
    await until(lambda: lines_of(process) == ["ready"])
    assert await supervisor.stop(process) == -signal.SIGKILL
    assert not groups.group_is_alive(process.pid)


async def test_a_stop_takes_the_grandchildren_along(supervisor: Supervisor, tmp_path: Path) -> None:
    script = "(trap '' TERM; while :; do sleep 1; done) & echo $!; wait"
    process = await supervisor.spawn(shell(script, tmp_path), name="child")
    await until(lambda: bool(lines_of(process)))
    grandchild = int(lines_of(process)[0])
    await supervisor.stop(process)
    assert not groups.group_is_alive(process.pid)
    assert not psutil.pid_exists(grandchild) or psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE


async def test_a_grandchild_that_holds_the_pipes_does_not_delay_the_exit(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    script = "(trap '' TERM; while :; do sleep 1; done) & echo done; exit 3"
    process = await supervisor.spawn(shell(script, tmp_path), name="child")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await process.wait() == 3
        assert lines_of(process) == ["done"]
        await process.gone.wait()
    assert not groups.group_is_alive(process.pid)


async def test_ten_megabytes_are_bounded(supervisor: Supervisor, tmp_path: Path) -> None:
    script = "import sys\nfor n in range(160000): sys.stdout.write(f'{n:063}\\n')"
    command = Command(argv=(sys.executable, "-c", script), environ={}, working_dir=tmp_path)
    process = await supervisor.spawn(command, name="child")
    async with asyncio.timeout(60):
        assert await process.wait() == 0
    assert process.output is not None
    page = process.output.page()
    assert page.next == 160_000
    assert page.lines[-1].text == f"{159_999:063}"
    assert len(page.lines) == 10_000


async def test_a_key_in_the_environment_never_shows(supervisor: Supervisor, tmp_path: Path) -> None:
    key = "sk-test-0123456789"
    command = Command(argv=("/bin/sh", "-c", "echo $KEY"), environ={"KEY": key}, working_dir=tmp_path, secrets=(key,))
    process = await supervisor.spawn(command, name="child")
    await process.wait()
    assert lines_of(process) == ["[secret]"]
    assert key not in repr(command)


async def test_a_missing_program_is_told(supervisor: Supervisor, tmp_path: Path) -> None:
    command = Command(argv=(str(tmp_path / "nothing"),), environ={}, working_dir=tmp_path)
    with pytest.raises(SpawnError, match="is not there") as caught:
        await supervisor.spawn(command, name="child")
    assert caught.value.missing


async def test_a_missing_folder_is_not_taken_for_a_missing_program(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(SpawnError, match=r"nowhere: No such file") as caught:
        await supervisor.spawn(shell("exit 0", tmp_path / "nowhere"), name="child")
    assert not caught.value.missing


async def test_a_file_that_is_no_program_is_told(supervisor: Supervisor, tmp_path: Path) -> None:
    file = tmp_path / "program"
    file.write_bytes(b"\x00\x01")
    file.chmod(0o700)
    with pytest.raises(SpawnError, match="Exec format error"):
        await supervisor.spawn(Command(argv=(str(file),), environ={}, working_dir=tmp_path), name="child")


async def test_closing_ends_all_at_once(tmp_path: Path) -> None:
    supervisor = Supervisor(stop_grace_seconds=1.0)
    script = "trap '' TERM; echo ready; while :; do sleep 1; done"
    processes = [await supervisor.spawn(shell(script, tmp_path), name=f"child {n}") for n in range(5)]
    await until(lambda: all(lines_of(process) for process in processes))
    async with asyncio.timeout(5):
        await supervisor.close()
    assert [process.exit_code for process in processes] == [-signal.SIGKILL] * 5
    with pytest.raises(SpawnError, match="stops"):
        await supervisor.spawn(shell("exit 0", tmp_path), name="late")


async def test_no_descriptor_and_no_zombie_is_left(supervisor: Supervisor, tmp_path: Path) -> None:
    me = psutil.Process()
    await (await supervisor.spawn(shell("exit 0", tmp_path), name="first")).gone.wait()
    before = me.num_fds()
    for n in range(10):
        process = await supervisor.spawn(shell("echo hello; sleep 0 & exit 0", tmp_path), name=f"child {n}")
        await process.gone.wait()
    await until(lambda: me.num_fds() <= before)
    assert not [child for child in me.children() if child.status() == psutil.STATUS_ZOMBIE]


async def test_a_process_of_an_earlier_daemon_is_adopted_until_its_end(supervisor: Supervisor, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:  # noqa: ASYNC220  # another's child
        start = groups.start_time(stranger.pid)
        assert start is not None
        process = await supervisor.adopt(stranger.pid, start, name="stranger")
        assert process is not None
        assert not process.exited.is_set()
        stranger.kill()
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await process.wait() is None
            await process.gone.wait()


async def test_an_adopted_process_can_be_stopped(supervisor: Supervisor, tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:  # noqa: ASYNC220  # another's child
        start = groups.start_time(stranger.pid)
        assert start is not None
        process = await supervisor.adopt(stranger.pid, start, name="stranger")
        assert process is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await supervisor.stop(process) is None


async def test_another_process_under_the_same_pid_is_not_adopted(supervisor: Supervisor) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:  # noqa: ASYNC220  # another's child
        start = groups.start_time(stranger.pid)
        assert start is not None
        assert await supervisor.adopt(stranger.pid, start - 1000, name="stranger") is None
        stranger.kill()
