"""Real programs that answer, hang, shout and fall silent: nothing of them is left."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest

from clown_daemon.agents.ask import LIMIT_BYTES, ask
from tests.support.agents import write_program
from tests.support.waiting import until

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nowhere"}
SHORT = 0.3


def processes_with(marker: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if marker in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


async def test_what_a_program_prints_and_how_it_ends_is_kept(tmp_path: Path) -> None:
    program = write_program(tmp_path / "p", "echo out", "echo err >&2", "exit 3")
    answer = await ask([str(program)], environ=ENVIRON, timeout_seconds=5)
    assert (answer.exit_code, answer.stdout, answer.stderr) == (3, "out\n", "err\n")


async def test_a_program_gets_its_arguments_without_a_shell(tmp_path: Path) -> None:
    program = write_program(tmp_path / "p", 'printf "%s|" "$@"')
    answer = await ask([str(program), "$HOME; ls", "*"], environ=ENVIRON, timeout_seconds=5)
    assert answer.stdout == "$HOME; ls|*|"


async def test_a_program_has_no_input_its_own_session_and_a_neutral_folder(tmp_path: Path) -> None:
    lines = (
        "import os, sys",
        "print(repr(sys.stdin.read()), os.getsid(0) == os.getpid(), os.getcwd(), os.environ['HOME'])",
    )
    program = write_program(tmp_path / "p", *lines, interpreter=sys.executable)
    answer = await ask([str(program)], environ=ENVIRON, timeout_seconds=5)
    assert answer.stdout.split() == ["''", "True", "/", "/nowhere"]


async def test_a_hanging_program_is_killed_with_everything_it_started(tmp_path: Path) -> None:
    sleeper = write_program(tmp_path / "sleeper", "exec 3<>$0.fifo; read x <&3", interpreter="/bin/sh")
    os.mkfifo(f"{sleeper}.fifo")
    program = write_program(tmp_path / "p", "echo 1.2.3", "trap '' TERM HUP INT", f"{sleeper} &", f"{sleeper}")
    answer = await ask([str(program)], environ=ENVIRON, timeout_seconds=SHORT)
    assert answer.exit_code is None
    await until(lambda: not processes_with(str(tmp_path)))


async def test_a_child_that_keeps_the_pipe_open_does_not_delay_the_answer(tmp_path: Path) -> None:
    sleeper = write_program(tmp_path / "sleeper", "exec 3<>$0.fifo; read x <&3")
    os.mkfifo(f"{sleeper}.fifo")
    program = write_program(tmp_path / "p", "echo 1.2.3", f"{sleeper} &")
    async with asyncio.timeout(5):
        answer = await ask([str(program)], environ=ENVIRON, timeout_seconds=60)
    assert (answer.exit_code, answer.stdout) == (0, "1.2.3\n")
    await until(lambda: not processes_with(str(tmp_path)))


async def test_output_is_bounded(tmp_path: Path) -> None:
    program = write_program(tmp_path / "p", "echo 1.2.3", "while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done")
    answer = await ask([str(program)], environ=ENVIRON, timeout_seconds=5)
    assert answer.stdout.startswith("1.2.3\ny")
    assert len(answer.stdout) == LIMIT_BYTES


async def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    program = write_program(tmp_path / "p", r"printf '\377\376 1.2.3'")
    answer = await ask([str(program)], environ=ENVIRON, timeout_seconds=5)
    assert answer.stdout == "\ufffd\ufffd 1.2.3"


async def test_a_program_that_a_signal_ends_says_which(tmp_path: Path) -> None:
    program = write_program(tmp_path / "p", "kill -9 $$")
    assert (await ask([str(program)], environ=ENVIRON, timeout_seconds=5)).exit_code == -9


@pytest.mark.parametrize("content", ["echo no interpreter\n", "#!/not/there\n"])
async def test_a_file_that_cannot_be_started_says_why(tmp_path: Path, content: str) -> None:
    program = tmp_path / "p"
    program.write_text(content)
    program.chmod(0o755)
    answer = await ask([str(program)], environ=ENVIRON, timeout_seconds=5)
    assert answer.exit_code is None
    assert answer.error in {"exec format error", "no such file or directory"}


async def test_a_cancelled_question_leaves_no_program(tmp_path: Path) -> None:
    started = tmp_path / "started"
    sleeper = write_program(tmp_path / "sleeper", f"touch {started}", "exec 3<>$0.fifo; read x <&3")
    os.mkfifo(f"{sleeper}.fifo")
    async with asyncio.TaskGroup() as group:
        task = group.create_task(ask([str(sleeper)], environ=ENVIRON, timeout_seconds=60))
        await until(started.exists)
        task.cancel()
    assert processes_with(str(tmp_path)) == []
