"""`clown run` and `clown env` as a person uses them: real terminals, a real daemon, an agent that is a script."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from tests.support.real_daemon import RealDaemon
from tests.support.secret_search import leaks
from tests.support.shells import CTRL_C, PROMPT, Shell, bash
from tests.support.waiting import until

pytestmark = [pytest.mark.skipif(bash() is None, reason="needs bash"), pytest.mark.asyncio(loop_scope="module")]

CLOWN = (sys.executable, "-m", "clown_daemon.cli.clown")
KEY = "sk-ant-api03-AbCdEfGhIjKlMnOpQrStUvWx"
MANIFEST = """\
id = "scripted"
name = "Scripted"
binary = "scripted"
wire = ["anthropic"]

[profile]
unset = ["SCRIPTED_TOKEN"]

[profile.env]
SCRIPTED_HOME = "{profile_home}"
SCRIPTED_KEY = "{api_key}"
SCRIPTED_URL = "{base_url}"

[[profile.files]]
path = "settings.json"
text = "{}"

[launch]
args = ["--quiet"]
"""


class Bench:
    """A daemon, an agent, and a shell's environment in which `$CLOWN` is the command."""

    def __init__(self, folder: Path) -> None:
        self.daemon = RealDaemon(folder, CLOWN_PORT="0", CLOWN_IDLE_TIMEOUT_SECS="0")
        self.environ = {**self.daemon.environ, "CLOWN": " ".join(CLOWN), "SCRIPTED_TOKEN": "competes"}
        self.environ["HTTPS_PROXY"] = "http://127.0.0.1:9"
        self.environ["no_proxy"] = "corp.example"
        self._since = 0
        self._agent = self.daemon.add_agent("scripted", "")
        (folder / "clown" / "agents.d" / "scripted.toml").write_text(MANIFEST)

    def agent(self, text: str) -> None:
        """Make the agent a script."""
        self._agent.write_text(f'#!{bash()}\n[ "$1" = --version ] && {{ echo 1.2.3; exit; }}\n{text}\n')

    async def open(self) -> None:
        self.agent("exit 0")
        await self.daemon.start()
        profile = {"alias": "work", "agent_id": "scripted", "provider_id": "anthropic", "api_key": KEY}
        await self.daemon.ask("POST", "/api/profiles", profile)

    async def begin_test(self) -> None:
        """Forget what other tests did."""
        (self.daemon.root / "over").unlink(missing_ok=True)
        self.agent("exit 0")
        self._since = (await self.daemon.ask("GET", "/api/snapshot"))["seq"]

    def run(self, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run the command without a terminal."""
        command = [*CLOWN, *arguments]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False, **options)

    async def events(self) -> list[dict[str, Any]]:
        """What was published of the runs of this test, oldest first."""
        path = f"/api/events?types=ProfileStarted,ProfileStopped&limit=1000&since={self._since}"
        page = await self.daemon.ask("GET", path)
        return [{"type": event["type"], **event["data"]} for event in page["events"]]

    async def started(self) -> int:
        """Wait until a run has begun; answer its pid."""
        await until(self._has_more("ProfileStarted"))
        return int((await self.events())[-1]["pid"])

    async def stopped(self) -> dict[str, Any]:
        """Wait until the run has ended; answer what was published of it."""
        await until(self._has_more("ProfileStopped"))
        return (await self.events())[-1]

    def _has_more(self, type_: str) -> Callable[[], Any]:
        async def look() -> bool:
            return [event["type"] for event in (await self.events())[-1:]] == [type_]

        return look


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("run"))
    await bench.open()
    yield bench
    await bench.daemon.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def bench(shared: Bench) -> Bench:
    await shared.begin_test()
    return shared


async def in_thread(work: Callable[[], object]) -> None:
    await asyncio.to_thread(work)


def caller_of(program: int) -> int:
    return psutil.Process(program).parents()[1].pid


# -- what the agent gets


async def test_the_agent_gets_what_its_profile_says_and_nothing_that_competes(bench: Bench) -> None:
    bench.agent('printf "%s|" "$@"; echo; pwd; env; cat "$SCRIPTED_HOME/settings.json"; exit 3')
    ran = await asyncio.to_thread(bench.run, "run", "work", "--dir", str(bench.daemon.root), "--", "-p", "say hi", "--")
    words, folder, *lines, settings = ran.stdout.splitlines()
    home = str(bench.daemon.root / "clown" / "data" / "profiles" / "work")
    assert (ran.returncode, words, folder, ran.stderr) == (3, "--quiet|-p|say hi|--|", str(bench.daemon.root), "")
    assert {
        f"SCRIPTED_KEY={KEY}",
        f"SCRIPTED_HOME={home}",
        "SCRIPTED_URL=https://api.anthropic.com",
        "HTTPS_PROXY=http://127.0.0.1:9",
        "NO_PROXY=corp.example,127.0.0.1,localhost,::1",
        "no_proxy=corp.example,127.0.0.1,localhost,::1",
    } <= set(lines)
    assert not [line for line in lines if line.startswith("SCRIPTED_TOKEN")]
    assert settings == "{}"
    assert (await bench.stopped())["exit_code"] == 3


async def test_it_starts_where_the_user_is_and_reads_what_is_piped(bench: Bench, tmp_path: Path) -> None:
    bench.agent('echo "$(pwd) $(cat)"')
    ran = await asyncio.to_thread(bench.run, "run", "work", cwd=tmp_path, input="words")
    assert ran.stdout == f"{tmp_path} words\n"


async def test_a_daemon_is_started_when_none_runs(bench: Bench) -> None:
    await bench.daemon.stop()
    bench.agent("exit 4")
    assert (await asyncio.to_thread(bench.run, "run", "work")).returncode == 4
    command = [sys.executable, "-m", "clown_daemon", "stop", "--json"]
    stopped = await asyncio.to_thread(subprocess.run, command, env=bench.environ, capture_output=True, check=True)
    assert b"true" in stopped.stdout
    await bench.daemon.start()
    assert (await bench.stopped())["exit_code"] == 4


async def test_the_key_is_nowhere_but_in_the_agents_environment(bench: Bench) -> None:
    """Not in a command line, nor in the environment of what stands between user and agent."""
    bench.agent("exec sleep 60")
    caller = await asyncio.create_subprocess_exec(*CLOWN, "run", "work", env=bench.environ)
    agent = psutil.Process(await bench.started())
    between = [agent, *agent.parents()[:2]]
    assert KEY not in " ".join(word for process in between for word in process.cmdline())
    assert [KEY in "".join(process.environ().values()) for process in between] == [True, False, False]
    agent.kill()
    await caller.wait()


# -- how it ends


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 255", 255), ("kill -TERM $$", -15), ("kill -KILL $$", -9), ("kill -SEGV $$", -11)],
)
async def test_the_end_is_told_as_it_was(bench: Bench, script: str, code: int) -> None:
    bench.agent(f"ulimit -c 0; {script}")
    assert (await asyncio.to_thread(bench.run, "run", "work")).returncode == code
    assert [event["type"] for event in await bench.events()] == ["ProfileStarted", "ProfileStopped"]
    assert (await bench.stopped())["exit_code"] == code


async def test_a_key_of_the_user_ends_it_and_is_told(bench: Bench) -> None:
    bench.agent("echo begun; exec sleep 60")

    def use() -> None:
        with Shell(bench.environ) as shell:
            shell.enter("$CLOWN run work")
            shell.see("begun")
            shell.press(CTRL_C)
            shell.see(PROMPT)
            assert shell.code() == 128 + signal.SIGINT

    await in_thread(use)
    assert (await bench.stopped())["exit_code"] == -signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
async def test_the_end_of_the_command_is_the_agents_and_its_code_is_told(bench: Bench, number: signal.Signals) -> None:
    bench.agent('trap "exit 21" TERM HUP; while :; do sleep 0.05; done')
    caller = await asyncio.create_subprocess_exec(*CLOWN, "run", "work", env=bench.environ)
    await bench.started()
    caller.send_signal(number)
    assert await caller.wait() == (-signal.SIGKILL if number is signal.SIGKILL else 21)
    assert (await bench.stopped())["exit_code"] == 21


async def test_a_terminal_that_is_closed_ends_it_and_the_code_is_told(bench: Bench) -> None:
    bench.agent('trap "exit 22" HUP; echo begun; while :; do sleep 0.05; done')

    def use() -> None:
        with Shell(bench.environ) as shell:
            shell.enter("$CLOWN run work")
            shell.see("begun")

    await in_thread(use)
    assert (await bench.stopped())["exit_code"] == 22


async def test_an_agent_that_is_killed_from_outside_is_told(bench: Bench) -> None:
    bench.agent("exec sleep 60")
    caller = await asyncio.create_subprocess_exec(*CLOWN, "run", "work", env=bench.environ)
    os.kill(await bench.started(), signal.SIGKILL)
    assert await caller.wait() == -signal.SIGKILL
    assert (await bench.stopped())["exit_code"] == -signal.SIGKILL


async def test_it_can_be_stopped_from_the_dashboard(bench: Bench) -> None:
    bench.agent("exec sleep 60")
    caller = await asyncio.create_subprocess_exec(*CLOWN, "run", "work", env=bench.environ)
    await bench.started()
    assert (await bench.daemon.ask("POST", "/api/profiles/work/stop"))["exit_code"] == -signal.SIGTERM
    assert await caller.wait() == -signal.SIGTERM


async def test_an_agent_that_cannot_be_started_is_told(bench: Bench) -> None:
    (bench.daemon.root / "bin" / "scripted").write_bytes(b"\0")
    ran = await asyncio.to_thread(bench.run, "run", "work")
    assert ran.returncode == 125
    assert "could not be started: Exec format error" in ran.stderr
    stopped = await bench.stopped()
    assert (stopped["exit_code"], "Exec format error" in stopped["error"]) == (None, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("wrok",), "clown: there is no profile 'wrok'\nhint: did you mean 'work'?\n"),
        (("work", "--dir", "/no/such"), "clown: working_dir: /no/such is no folder\n"),
    ],
)
async def test_what_cannot_be_is_one_sentence_and_no_run(
    bench: Bench, arguments: tuple[str, ...], sentence: str
) -> None:
    ran = await asyncio.to_thread(bench.run, "run", *arguments)
    assert ran.returncode == 125
    assert ran.stderr.startswith(sentence)
    assert await bench.events() == []


async def test_several_runs_of_one_profile_are_told_apart(bench: Bench) -> None:
    bench.agent('exit "$2"')
    codes = [30, 31, 32]
    ran = await asyncio.gather(*(asyncio.to_thread(bench.run, "run", "work", "--", str(code)) for code in codes))
    assert [each.returncode for each in ran] == codes
    stopped = [event for event in await bench.events() if event["type"] == "ProfileStopped"]
    assert sorted(event["exit_code"] for event in stopped) == codes
    assert len({event["run_id"] for event in stopped}) == 3


# -- the daemon meanwhile


async def test_a_daemon_that_is_killed_and_started_meanwhile_is_told(bench: Bench) -> None:
    bench.agent("until [ -e over ]; do sleep 0.05; done; exit 40")
    caller = await asyncio.create_subprocess_exec(*CLOWN, "run", "work", env=bench.environ, cwd=bench.daemon.root)
    await bench.started()
    await bench.daemon.kill()
    await bench.daemon.start()
    (bench.daemon.root / "over").touch()
    assert await caller.wait() == 40
    assert (await bench.stopped())["exit_code"] == 40


async def test_a_daemon_that_is_away_at_the_end_learns_it_when_it_is_back(bench: Bench) -> None:
    bench.agent("until [ -e over ]; do sleep 0.05; done; exit 41")
    caller = await asyncio.create_subprocess_exec(
        *CLOWN, "run", "work", env=bench.environ, cwd=bench.daemon.root, stderr=asyncio.subprocess.PIPE
    )
    await bench.started()
    await bench.daemon.stop()
    (bench.daemon.root / "over").touch()
    _, said = await caller.communicate()
    assert said == b"clown: no daemon could be told that work has ended; the next one will know\n"
    assert caller.returncode == 41
    await bench.daemon.start()
    assert (await bench.stopped())["exit_code"] == 41


# -- clown env


async def test_env_makes_a_shell_the_profiles(bench: Bench) -> None:
    bench.agent('printf "%s|" "$@"; echo "$SCRIPTED_KEY $SCRIPTED_TOKEN"')
    script = 'eval "$($CLOWN env work)" && scripted -p hi'
    command = [bash() or "bash", "-c", script]
    ran = await asyncio.to_thread(
        subprocess.run, command, env=bench.environ, capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"--quiet|-p|hi|{KEY} \n"
    assert await bench.events() == []


async def test_env_shows_no_secret_on_a_terminal(bench: Bench) -> None:
    def use() -> str:
        with Shell(bench.environ) as shell:
            shell.enter("$CLOWN env work")
            return shell.see(PROMPT)

    shown = await asyncio.to_thread(use)
    assert leaks(KEY, [("terminal", shown.encode())]) == []
    assert "export SCRIPTED_KEY='⟨clown:secret⟩'" in shown
    assert 'hint: eval "$(clown env work)" puts it where it belongs' in shown


async def test_env_tells_programs_too(bench: Bench) -> None:
    told = json.loads((await asyncio.to_thread(bench.run, "env", "work", "--shell", "json")).stdout)
    assert told["env"]["SCRIPTED_KEY"] == KEY
    assert told["unset"] == ["SCRIPTED_TOKEN"]
    assert told["argv"] == [str(bench.daemon.root / "bin" / "scripted"), "--quiet"]
    refused = await asyncio.to_thread(bench.run, "env", "wrok")
    assert (refused.returncode, refused.stdout) == (1, "")
