from pathlib import Path

import pytest

from clown_daemon.config import Config, load_config
from clown_daemon.errors import ConfigError


def test_a_missing_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.toml", {}, {}) == Config()


def test_flags_beat_variables_and_these_the_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('port = 1\nidle_timeout_secs = 5\nlog_level = "debug"\n')
    config = load_config(file, {"CLOWN_PORT": "2", "CLOWN_IDLE_TIMEOUT_SECS": "7"}, {"port": 3, "log_level": None})
    assert (config.port, config.idle_timeout_secs, config.log_level) == (3, 7, "debug")


def test_the_ports_of_proxies_are_a_range(tmp_path: Path) -> None:
    assert Config().proxy_port_range == (8080, 8180)
    config = load_config(tmp_path / "config.toml", {"CLOWN_PROXY_PORTS": "9000 - 9000"}, {})
    assert config.proxy_port_range == (9000, 9000)


def test_an_empty_variable_is_not_given(tmp_path: Path) -> None:
    assert load_config(tmp_path / "config.toml", {"CLOWN_PORT": ""}, {}).port == Config().port


def test_origins_come_as_a_comma_list_from_the_environment(tmp_path: Path) -> None:
    environ = {"CLOWN_ALLOWED_ORIGINS": "http://127.0.0.1:3000,http://localhost:3000"}
    config = load_config(tmp_path / "config.toml", environ, {})
    assert config.allowed_origins == ("http://127.0.0.1:3000", "http://localhost:3000")


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("prot = 1", "unknown key prot", "did you mean port?"),
        ("port = [", "is not valid TOML", "mend the line"),
        ('auth = "none"', "does not fit", "docs/configuration.md"),
        ("port = 70000", "70000 is no port", "0 takes any free one"),
        ("retention_events = 0", "retention_events 0 cannot be used", "more than 0"),
        ("retention_days = inf", "retention_days inf cannot be used", "more than 0"),
        ("retention_bytes = -5", "retention_bytes -5 cannot be used", "more than 0"),
        ("port = -1", "-1 is no port", "0 takes any free one"),
        ('proxy_ports = "8080"', "'8080' is no range of ports", "such as 8080-8180"),
        ('proxy_ports = "8180-8080"', "is no range of ports", "such as 8080-8180"),
        ('proxy_ports = "1-70000"', "is no range of ports", "such as 8080-8180"),
    ],
)
def test_a_bad_file_is_told_with_its_cure(tmp_path: Path, text: str, sentence: str, hint: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=sentence) as raised:
        load_config(file, {}, {})
    assert hint in (raised.value.hint or "")


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    for name in Config.__struct_fields__:
        assert f"| `{name}` | `CLOWN_{name.upper()}` |" in page
