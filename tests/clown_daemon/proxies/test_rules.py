from pathlib import Path

import certifi
import pytest

from clown_daemon.errors import DomainError
from clown_daemon.protocol.resources import ProxySettings
from clown_daemon.proxies.rules import check_settings


def test_settings_without_a_file_and_with_certificates_can_be_used() -> None:
    check_settings(ProxySettings())
    check_settings(ProxySettings(ca_file=certifi.where()))


def test_a_file_that_holds_no_certificates_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("nothing of the kind")
    for file, sentence in (
        ("ca.pem", "is no absolute path"),
        (str(tmp_path / "missing"), "there is no file"),
        (str(other), "it holds no certificates"),
    ):
        with pytest.raises(DomainError, match=sentence):
            check_settings(ProxySettings(ca_file=file))
