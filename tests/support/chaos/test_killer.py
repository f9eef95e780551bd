import signal
from pathlib import Path

from tests.support.chaos.history import History, Signalled
from tests.support.chaos.killer import Killer, Strike, steady_port, strikes_of
from tests.support.real_daemon import RealDaemon


def test_a_seed_gives_the_same_strikes() -> None:
    strikes = strikes_of(3, 50, within_seconds=10)
    assert strikes == strikes_of(3, 50, within_seconds=10)
    assert strikes != strikes_of(4, 50, within_seconds=10)
    assert {strike.signal for strike in strikes} == {signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP}


def test_a_strike_prints_as_it_is() -> None:
    assert str(Strike(0.25, signal.SIGKILL, 0.1)) == "after 0.250 s: SIGKILL for 0.100 s"


async def test_the_daemon_runs_again_where_it_was(tmp_path: Path) -> None:
    daemon = RealDaemon(tmp_path)
    daemon.port = port = steady_port()
    await daemon.start()
    history = History()
    killer = Killer(daemon, [Strike(0, number, 0) for number in (signal.SIGSTOP, signal.SIGKILL)], history)
    first = daemon.pid
    await killer.run()
    assert (await daemon.call("GET", "/api/health")).status_code == 200
    assert (daemon.port, killer.kills) == (port, 1)
    assert daemon.pid != first
    assert [entry.name for entry in history.of(Signalled)] == ["SIGSTOP", "SIGKILL", "started"]
    await daemon.stop()
