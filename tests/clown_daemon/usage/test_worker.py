import io
import subprocess
import sys
from pathlib import Path

from clown_daemon.usage.frames import HEAD, Job, Setup, decode_answer, framed, read_frame
from clown_daemon.usage.price_files import shipped_table
from clown_daemon.usage.reader import Answer, Task
from clown_daemon.usage.worker import work
from clown_daemon.usage.workers import PROGRAM
from tests.support.reading import log_file
from tests.support.transcripts import line


def answers(said: bytes) -> list[Answer]:
    stream = io.BytesIO(said)
    found = []
    while (frame := read_frame(stream.read)) is not None:
        found.append(decode_answer(frame))
    return found


def asked(*jobs: Job) -> bytes:
    return framed(Setup((shipped_table(),))) + b"".join(map(framed, jobs))


def test_it_says_that_it_is_ready_and_does_job_after_job(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(line(name, name))
    jobs = [Job((Task(log_file(tmp_path / name), None, None),)) for name in "ab"]
    records = io.BytesIO()
    work(io.BytesIO(asked(*jobs)), records)
    ready, first, second = answers(records.getvalue())
    assert ready == ((), (), 0)
    for answer, name in ((first, "a"), (second, "b")):
        [part] = answer.parts
        [entry] = part.entries
        assert (answer.finished, part.path, entry.response.response_id) == (1, str(tmp_path / name), name)
        assert entry.costs is not None
        assert entry.costs.total_pico > 0


def test_without_a_word_it_ends() -> None:
    records = io.BytesIO()
    work(io.BytesIO(), records)
    work(io.BytesIO(asked()[:9]), records)
    assert records.getvalue() == b""


def test_a_head_says_how_many_logs_are_finished() -> None:
    frame = framed(Answer((), (), 3), 3)
    assert HEAD.unpack(frame[: HEAD.size]) == (len(frame) - HEAD.size, 3)


def test_the_program_ends_with_its_input() -> None:
    done = subprocess.run(PROGRAM, input=asked(), capture_output=True, timeout=60, check=True)
    assert len(answers(done.stdout)) == 1
    assert done.stderr == b""


def test_the_program_ends_quietly_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    log = tmp_path / "a"
    log.write_bytes(b"".join(line(str(number), str(number)) for number in range(2000)))
    job = Job((Task(log_file(log), None, None),))
    with subprocess.Popen(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(asked(job))
        process.stdin.flush()
        process.stdout.read(1)
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


def test_it_needs_neither_the_daemon_nor_a_server() -> None:
    program = "import sys, clown_daemon.usage.worker; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"aiohttp", "asyncio", "watchfiles", "clown_daemon.daemon", "clown_daemon.store.database"} & set(loaded)
