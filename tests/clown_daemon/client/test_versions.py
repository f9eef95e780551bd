"""Which daemon may be replaced."""

import pytest

from clown_daemon.client.versions import is_older, is_other


@pytest.mark.parametrize(
    ("daemon", "own", "older"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "0.10.0", True),
        ("0.10.0", "0.9.0", False),
        ("1.0", "1.0.1", True),
        ("1.0.1", "1.0", False),
        ("1.0.0rc1", "1.0.0", True),
        ("strange", "0.1.0", True),
    ],
)
def test_only_an_older_daemon_may_be_replaced(daemon: str, own: str, older: bool) -> None:
    assert is_older(daemon, own) is older
    assert is_other(daemon, own) is (daemon != own)
