"""A program that owns the user's terminal, started from a real shell in a real terminal."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.support.shells import CTRL_C, CTRL_Z, PROMPT, Shell, bash
from tests.support.terminals import Terminal

pytestmark = pytest.mark.skipif(bash() is None, reason="needs bash")

PATIENCE_SECONDS = 30.0
DRIVER = (sys.executable, "-m", "tests.support.in_terminal")


class Bench:
    """A shell's environment in which `$RUN PROGRAM` runs a program as `clown run` does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.environ = {
            "PATH": f"{folder}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "RUN": " ".join((*DRIVER, str(self.log))),
            **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE")},
        }

    def program(self, text: str) -> str:
        """Make `agent` a shell script."""
        file = self.folder / "agent"
        file.write_text(f"#!{bash()}\n{text}\n", "utf-8")
        file.chmod(0o700)
        return "agent"

    def told(self, what: str) -> tuple[int, ...]:
        """Wait for what the watcher is told of the last program: its pid, and its exit code if it has ended."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
            if lines and lines[-1].startswith(what):
                return tuple(map(int, lines[-1].split()[2:]))
            time.sleep(0.01)
        raise AssertionError(f"{what} was not told")

    def run(self, *argv: str, **options: object) -> "subprocess.CompletedProcess[str]":
        """Run a program without a terminal."""
        command = [*DRIVER, str(self.log), *argv]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]  # as given


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def shell(bench: Bench) -> Iterator[Shell]:
    with Shell(bench.environ) as shell:
        yield shell


def caller_of(program: int) -> int:
    """The process that the user called: the parent of the program's parent."""
    return psutil.Process(program).parents()[1].pid


@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_exit_code_is_the_programs(bench: Bench, shell: Shell, code: int) -> None:
    bench.program(f"exit {code}")
    shell.enter("$RUN agent")
    shell.see(PROMPT)
    assert shell.code() == code
    assert bench.told("ended")[1] == code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGINT, signal.SIGABRT])
def test_a_program_that_a_signal_ended_ends_its_caller_by_the_same(bench: Bench, number: signal.Signals) -> None:
    bench.program(f"ulimit -c 0; kill -{number} $$")
    assert bench.run("agent").returncode == -number
    assert bench.told("ended")[1] == -number
    assert not [file for file in bench.folder.iterdir() if "core" in file.name]


def test_keys_reach_the_program_once_and_it_alone(bench: Bench, shell: Shell) -> None:
    bench.program('trap "echo interrupted" INT; echo begun; until read -r line; do :; done; echo "got $line"; exit 4')
    shell.enter("$RUN agent")
    shell.see("begun")
    shell.press(CTRL_C)
    shell.see("interrupted")
    shell.press("words\n")
    assert "interrupted" not in shell.see("got words")
    shell.see(PROMPT)
    assert shell.code() == 4


def test_the_program_is_stopped_and_woken_like_any_job(bench: Bench, shell: Shell) -> None:
    bench.program('echo begun; read -r line; echo "got $line"; read -r line; exit 5')
    shell.enter("$RUN agent")
    shell.see("begun")
    shell.press(CTRL_Z)
    shell.see("Stopped")
    shell.see(PROMPT)
    assert psutil.Process(bench.told("began")[0]).status() == psutil.STATUS_STOPPED
    shell.enter("fg")
    shell.see("agent")
    shell.press("one\n")
    shell.see("got one")
    shell.press(CTRL_Z)
    shell.see("Stopped")
    shell.see(PROMPT)
    shell.enter("fg")
    shell.see("agent")
    shell.press("two\n")
    shell.see(PROMPT)
    assert shell.code() == 5


def test_in_the_background_it_goes_on_until_it_wants_the_terminal(bench: Bench, shell: Shell) -> None:
    bench.program('echo begun; read -r line; for each in 1 2 3; do echo "step $each"; done; read -r line; exit 6')
    shell.enter("$RUN agent")
    shell.see("begun")
    shell.press("\n")
    shell.see("step 3")
    shell.press(CTRL_Z)
    shell.see("Stopped")
    shell.see(PROMPT)
    shell.enter("bg")
    shell.see("agent")
    shell.see(PROMPT)
    # Read by the shell, since the program in the background may not.
    while "Stopped" not in jobs(shell):
        pass
    shell.enter("fg")
    shell.see("agent")
    shell.press("\n")
    shell.see(PROMPT)
    assert shell.code() == 6


def jobs(shell: Shell) -> str:
    shell.enter("jobs; echo all-jobs")
    return shell.see("all-jobs")


def test_a_window_that_changes_its_size_is_told(bench: Bench, shell: Shell) -> None:
    bench.program('trap "stty size; exit" WINCH; echo begun; while :; do sleep 0.05; done')
    shell.enter("$RUN agent")
    shell.see("begun")
    shell.resize(columns=77, lines=33)
    shell.see("33 77")
    shell.see(PROMPT)


def test_signals_to_the_caller_reach_the_program(bench: Bench, shell: Shell) -> None:
    bench.program('trap "echo asked; exit 9" TERM; echo begun; while :; do sleep 0.05; done')
    shell.enter("$RUN agent")
    shell.see("begun")
    os.kill(caller_of(bench.told("began")[0]), signal.SIGTERM)
    shell.see("asked")
    shell.see(PROMPT)
    assert shell.code() == 9


def test_a_caller_that_is_killed_hangs_up_on_the_program_and_its_code_is_known(bench: Bench, shell: Shell) -> None:
    bench.program('trap "exit 10" HUP; echo begun; while :; do sleep 0.05; done')
    shell.enter("$RUN agent")
    shell.see("begun")
    os.kill(caller_of(bench.told("began")[0]), signal.SIGKILL)
    shell.see("Killed")
    shell.see(PROMPT)
    assert bench.told("ended")[1] == 10
    assert shell.code() == 128 + signal.SIGKILL


def test_the_whole_job_may_be_killed_and_the_code_is_known(bench: Bench, shell: Shell) -> None:
    bench.program("echo begun; read -r line")
    shell.enter("$RUN agent")
    shell.see("begun")
    shell.press(CTRL_Z)
    shell.see(PROMPT)
    shell.enter("kill -9 %1")
    shell.see(PROMPT)
    assert bench.told("ended")[1] == -signal.SIGHUP


def test_a_stopped_program_that_nobody_can_wake_any_more_is_ended(bench: Bench, shell: Shell) -> None:
    bench.program('trap "" HUP; echo begun; until [ -e over ]; do sleep 0.05; done; read -r line < /dev/tty')
    shell.enter(f"cd {bench.folder}; $RUN agent")
    shell.see("begun")
    os.kill(caller_of(bench.told("began")[0]), signal.SIGKILL)
    shell.see(PROMPT)
    (bench.folder / "over").touch()
    assert bench.told("ended")[1] == -signal.SIGKILL


def test_the_end_of_the_terminal_ends_it_and_the_code_is_known(bench: Bench) -> None:
    bench.program('trap "exit 11" HUP; echo begun; while :; do sleep 0.05; done')
    with Shell(bench.environ) as shell:
        shell.enter("$RUN agent")
        shell.see("begun")
        shell.hang_up()
        assert bench.told("ended")[1] == 11


def test_where_no_shell_could_wake_it_a_stop_does_not_last(bench: Bench) -> None:
    bench.program('echo begun; read -r line; echo "got $line"; exit 12')
    with Terminal([*DRIVER, str(bench.log), "agent"], bench.environ) as terminal:
        assert terminal.read_for(PATIENCE_SECONDS, lambda output: b"begun" in output)
        os.kill(bench.told("began")[0], signal.SIGSTOP)
        terminal.press("words\n")
        assert terminal.read_for(PATIENCE_SECONDS, lambda output: b"got words" in output)
        assert terminal.process.wait(PATIENCE_SECONDS) == 12


def test_pipes_work_as_without_it(bench: Bench) -> None:
    bench.program('read -r line; echo "got $line"; echo trouble >&2; exit 13')
    ran = bench.run("agent", input="words\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (13, "got words\n", "trouble\n")


def test_in_a_pipeline_a_key_reaches_it_once(bench: Bench, shell: Shell) -> None:
    bench.program('trap "echo interrupted >> seen" INT; echo begun; until [ -e over ]; do sleep 0.05; done; exit 14')
    shell.enter(f"cd {bench.folder}; set -o pipefail; $RUN agent | (trap '' INT; cat)")
    shell.see("begun")
    shell.press(CTRL_C)
    seen = bench.folder / "seen"
    while not seen.exists():
        time.sleep(0.01)
    (bench.folder / "over").touch()
    shell.see(PROMPT)
    assert seen.read_text() == "interrupted\n"
    assert shell.code() == 14


def test_in_a_pipeline_it_gets_the_terminal_when_it_asks(bench: Bench, shell: Shell) -> None:
    bench.program('echo begun; read -r line < /dev/tty; echo "got $line"')
    shell.enter("$RUN agent | cat")
    shell.see("begun")
    shell.press("words\n")
    shell.see("got words")
    shell.see(PROMPT)


def test_what_reads_its_output_sees_the_end_with_the_programs(bench: Bench) -> None:
    """The caller is stopped, and keeps nothing open that the program had."""
    bench.program("echo words")
    reader, writer = os.pipe()
    with subprocess.Popen([*DRIVER, str(bench.log), "agent"], env=bench.environ, stdout=writer) as caller:
        os.close(writer)
        with os.fdopen(reader, "rb") as pipe:
            assert pipe.read() == b"words\n"
        assert caller.wait(PATIENCE_SECONDS) == 0


def test_ignored_signals_stay_ignored(bench: Bench) -> None:
    bench.program('echo "$(trap)"; kill -HUP $$; exit 15')
    nohup = "trap '' HUP; exec $RUN agent"
    ran = subprocess.run([bash() or "bash", "-c", nohup], env=bench.environ, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 15


def test_children_are_waited_for_also_where_their_end_is_ignored(bench: Bench) -> None:
    bench.program("exit 16")
    ignoring = (
        "import os,signal,sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", ignoring, *DRIVER, str(bench.log), "agent"]
    assert subprocess.run(command, env=bench.environ, check=False).returncode == 16


def test_open_files_of_the_users_reach_the_program(bench: Bench, shell: Shell) -> None:
    bench.program('cat "$1"')
    shell.enter("$RUN agent <(echo in a substitution)")
    shell.see("in a substitution")


def test_a_program_that_is_not_there_is_told(bench: Bench) -> None:
    ran = bench.run("no-such-program")
    assert (ran.returncode, ran.stderr) == (125, "error: no-such-program is not there, or its interpreter is not\n")


def test_a_program_that_may_not_be_run_is_told(bench: Bench) -> None:
    (bench.folder / "agent").write_text("words")
    assert "agent could not be started: Permission denied" in bench.run("agent").stderr


def test_a_waiter_that_is_killed_is_told_and_the_program_hung_up_on(bench: Bench) -> None:
    bench.program("echo begun; exec sleep 60")
    with subprocess.Popen(
        [*DRIVER, str(bench.log), "agent"], env=bench.environ, stderr=subprocess.PIPE, text=True
    ) as caller:
        (program,) = bench.told("began")
        process = psutil.Process(program)
        process.parents()[0].kill()
        _, said = caller.communicate(timeout=PATIENCE_SECONDS)
        assert said == "error: the process that looked after agent was killed; how that ends is not known\n"
        assert caller.returncode == 125
        psutil.wait_procs([process], PATIENCE_SECONDS)
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_the_environment_is_the_given_one_whatever_it_holds(bench: Bench) -> None:
    odd: Mapping[str, str] = {"ODD": "a\nb\u27e8\udcff", "EMPTY": ""}
    bench.environ |= odd
    ran = subprocess.run([*DRIVER, str(bench.log), "env", "-0"], env=bench.environ, capture_output=True, check=True)
    shown = dict(entry.partition(b"=")[::2] for entry in ran.stdout.split(b"\0") if entry)
    assert shown[b"ODD"] == os.fsencode(odd["ODD"])
    assert shown[b"EMPTY"] == b""
