"""Settings: flags beat variables, variables beat the file; nothing unknown is swallowed."""

from pathlib import Path

import pytest

from clown_daemon.errors import ConfigError
from clown_daemon.paths import Paths
from clown_tui.settings import config_lines, daemon_url, is_local, load_settings, read_token


def test_flags_beat_variables_beat_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tui.toml"
    file.write_text('port = 1000\ntimes = "utc"\nascii = true\n[keys]\nquit = "Q"\nhelp = ["h", "?"]\n')
    environ = {"CLOWN_PORT": "2000", "CLOWN_EVENTS": "Usage*, @errors", "CLOWN_TIMES": ""}
    found = load_settings(file, environ, {"port": 3000, "url": None})
    assert found.settings.port == 3000
    assert found.settings.events == ("Usage*", "@errors")
    assert found.settings.times == "utc"
    assert found.settings.ascii
    assert found.settings.keys == {"quit": ("Q",), "help": ("h", "?")}
    assert found.origins["port"] == "--port"
    assert found.origins["events"] == "CLOWN_EVENTS"
    assert found.origins["times"] == str(file)
    assert found.origins["url"] == "default"


def test_a_port_on_the_command_line_beats_an_address_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "tui.toml"
    file.write_text('url = "http://10.0.0.1:9"\n')
    assert load_settings(file, {}, {"port": 3000}).settings.url == ""
    assert load_settings(file, {}, {}).settings.url == "http://10.0.0.1:9"


def test_no_color_is_obeyed(tmp_path: Path) -> None:
    found = load_settings(tmp_path / "none.toml", {"NO_COLOR": "1"}, {})
    assert found.settings.color == "never"
    assert found.origins["color"] == "NO_COLOR"


@pytest.mark.parametrize(
    ("text", "part", "hint"),
    [
        ("prot = 1", "unknown key prot", "did you mean port?"),
        ("port = ", "not valid TOML", "mend"),
        ('port = "much"', "does not fit", "print-config"),
        ("port = 70000", "is no port", "0 to 65535"),
        ('url = "localhost:1"', "no address", "http://"),
        ('times = "mars"', "does not fit", "print-config"),
    ],
)
def test_a_bad_file_is_refused_in_one_sentence(tmp_path: Path, text: str, part: str, hint: str) -> None:
    file = tmp_path / "tui.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=part) as caught:
        load_settings(file, {}, {})
    assert hint in str(caught.value.hint)


def test_a_folder_instead_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path, {}, {})


def test_the_daemon_is_where_it_says_or_where_one_would_be(tmp_path: Path) -> None:
    paths = Paths.from_environment({"CLOWN_HOME": str(tmp_path)})
    nowhere = tmp_path / "none.toml"
    plain = load_settings(nowhere, {}, {}).settings
    any_port = load_settings(nowhere, {"CLOWN_PORT": "0"}, {}).settings
    assert daemon_url(plain, paths) == "http://127.0.0.1:8765"
    assert daemon_url(any_port, paths) == "http://127.0.0.1:0"
    paths.daemon_file.parent.mkdir(parents=True)
    paths.daemon_file.write_text('{"pid": 1, "port": 4321, "version": "0.1.0"}')
    assert daemon_url(plain, paths) == "http://127.0.0.1:4321"
    assert daemon_url(any_port, paths) == "http://127.0.0.1:4321"
    assert daemon_url(load_settings(nowhere, {}, {"url": "http://h:1/"}).settings, paths) == "http://h:1"


def test_the_token_never_goes_to_another_machine(tmp_path: Path) -> None:
    paths = Paths.from_environment({"CLOWN_HOME": str(tmp_path)})
    paths.token_file.parent.mkdir(parents=True)
    paths.token_file.write_text("secret\n")
    assert read_token("http://127.0.0.1:1", paths) == "secret"
    assert read_token("http://10.0.0.1:1", paths) is None
    assert is_local("http://localhost:1")
    assert not is_local("http://127.0.0.1.example:1")


def test_the_settings_print_as_toml_with_their_origins(tmp_path: Path) -> None:
    lines = config_lines(load_settings(tmp_path / "none.toml", {"CLOWN_ASCII": "true"}, {}))
    assert any(line.startswith("ascii ") and line.endswith("# CLOWN_ASCII") for line in lines)
    assert "# port is not set" in lines
