"""`clown-daemon prices`: what a model costs, whether the user's prices are read, and newer ones from a file."""

import json
from pathlib import Path

import pytest

from clown_daemon.cli.daemon import main
from clown_daemon.usage.price_files import PriceFiles, load_prices
from tests.support.published_prices import PUBLISHED, published
from tests.support.real_daemon import clean_environment


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PriceFiles:
    for name, value in clean_environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "clown"
    home.mkdir()
    return PriceFiles(home / "prices.toml", home / "state" / "prices" / "table.json")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "data.json"
    file.write_bytes(PUBLISHED)
    return file


def test_show_tells_the_rates_where_they_come_from_and_how_the_name_was_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["prices", "show", "claude-opus-4-6-20260205[1m]", "--at", "2026-03-01"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    model, found, source, on, _, headings, low, high, _, searches = told.out.splitlines()
    assert model == "model     claude-opus-4-6, sold by anthropic"
    assert found == "found as  claude-opus-4-6, without its window and date"
    assert source.startswith("from      genai-prices 0.2.3 (2026-")
    assert on == "on        2026-03-01, US dollars per million tokens"
    assert " ".join(headings.split()) == "tier over input output cache read write 5 min write 1 h"
    assert low.split() == ["standard", "-", "5", "25", "0.5", "6.25", "10"]
    assert high.split() == ["standard", "200,000", "10", "37.5", "1", "12.5", "20"]
    assert searches == "1,000 web searches: 10"


def test_show_answers_programs_too(files: PriceFiles, capsys: pytest.CaptureFixture[str]) -> None:
    files.user.write_text("[models.m]\ninput = 3\noutput = 15.5\n", encoding="utf-8")
    assert main(["prices", "show", "gateway/m", "--at", "2026-03-01", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "model": "gateway/m",
        "at": "2026-03-01",
        "found_as": "m",
        "left_out_of_the_name": ["router's path"],
        "provider": None,
        "prices": [
            {
                "tier": "standard",
                "above_input_tokens": 0,
                "hours_utc": None,
                "usd_per_million": {
                    "input": 3.0,
                    "output": 15.5,
                    "cache_read": 3.0,
                    "cache_write_5m": 3.0,
                    "cache_write_1h": 3.0,
                },
                "usd_per_1000_web_searches": None,
                "since": None,
                "price_table": "user prices.toml",
            }
        ],
    }


def test_show_takes_today_where_no_day_is_named_and_the_seller_that_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "show", "deepseek-v4-flash", "--provider", "deepseek"]) == 0
    assert "01:00-04:00" in capsys.readouterr().out
    assert main(["prices", "show", "us.anthropic.claude-opus-5", "--provider", "aws"]) == 0
    assert "sold by bedrock" in capsys.readouterr().out


def test_an_unknown_price_is_said_and_is_exit_1(files: PriceFiles, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "show", "my-model", "--provider", "corp"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "clown-daemon: no price is known for 'my-model' from corp: what it costs is unknown, not nothing\n"
        f"hint: if you know it, write it into {files.user} (docs/usage.md)\n"
    )
    files.user.write_text("[models.my-model]\nfrom = 2026-03-13\ninput = 3\noutput = 15\n", encoding="utf-8")
    assert main(["prices", "show", "my-model", "--at", "2026-03-12"]) == 1
    assert "no price is known for 'my-model' on 2026-03-12" in capsys.readouterr().err


def test_show_says_when_the_users_prices_are_not_read(files: PriceFiles, capsys: pytest.CaptureFixture[str]) -> None:
    files.user.write_text("models = 3", encoding="utf-8")
    sentence = f"clown-daemon: your prices in {files.user} are not used: models is not a table\n"
    assert main(["prices", "show", "claude-opus-5"]) == 0
    assert capsys.readouterr().err == sentence
    assert main(["prices", "show", "my-model"]) == 1
    assert capsys.readouterr().err.startswith(f"{sentence}clown-daemon: no price is known for 'my-model'")


def test_check_says_what_is_read_and_what_is_not(
    files: PriceFiles, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prices", "check"]) == 0
    own, fetched, shipped = capsys.readouterr().out.splitlines()
    assert own == f"your own  none ({files.user})"
    assert fetched == "fetched   none, or older than the shipped ones"
    assert shipped.startswith("shipped   1,")
    assert main(["prices", "refresh", "--from", str(data)]) == 0
    files.user.write_text("[models.m]\ninput = 3\noutput = 15.5\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["prices", "check"]) == 0
    own, fetched, _ = capsys.readouterr().out.splitlines()
    assert own == f"your own  1 model in {files.user}"
    assert fetched.startswith("fetched   4 models, 20")
    other = tmp_path / "other.toml"
    other.write_text("[models.m]\ninput = 3\n", encoding="utf-8")
    assert main(["prices", "check", str(other), "--json"]) == 1
    sentence = f"your prices in {other} are not used: models.m lacks output"
    assert json.loads(capsys.readouterr().out) == {"ok": False, "problems": [sentence]}
    assert main(["prices", "check", str(other)]) == 1
    assert capsys.readouterr().err == f"clown-daemon: {sentence}\n"
    assert main(["prices", "check", str(tmp_path / "nothing.toml")]) == 1
    assert "there is no file" in capsys.readouterr().err


def test_refresh_writes_a_table_that_serves_and_says_what_changed(
    files: PriceFiles, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prices", "refresh", "--from", str(data)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:6] == [
        f"4 models written to {files.refreshed}; 1 left out",
        "added: 4",
        *("  anthropic claude-x", "  google gemini-x", "  openai gpt-x", "  openrouter anthropic/claude-x"),
    ]
    assert told[6].startswith("removed: 1,")
    assert told[-2].startswith("  and 1,")
    assert told[-2].endswith(" others")
    assert told[-1] == "repriced: 0"
    assert files.refreshed.stat().st_mode & 0o777 == 0o600
    prices, problems = load_prices(files)
    assert problems == ()
    assert [match.label.split()[1] for match in prices.find("gpt-x")] == ["refreshed"]
    data.write_bytes(published(gpt_usd=4))
    assert main(["prices", "refresh", "--from", str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "written": True,
        "file": str(files.refreshed),
        "left_out": 1,
        "added": [],
        "removed": [],
        "repriced": ["openai gpt-x"],
    }


def test_a_dry_run_writes_nothing(files: PriceFiles, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "refresh", "--from", str(data), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("4 models found; 1 left out\n")
    assert not files.refreshed.exists()


def test_data_that_cannot_be_used_leaves_the_prices_as_they_are(
    files: PriceFiles, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prices", "refresh", "--from", str(data)]) == 0
    before = files.refreshed.read_bytes()
    capsys.readouterr()
    data.write_bytes(PUBLISHED[:-1])
    assert main(["prices", "refresh", "--from", str(data)]) == 1
    assert capsys.readouterr().err == (
        "clown-daemon: the data cannot be used: this is no data of genai-prices: Input data was truncated\n"
        "hint: the prices stay as they are\n"
    )
    assert files.refreshed.read_bytes() == before


def test_a_place_that_cannot_be_written_is_said(
    files: PriceFiles, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files.refreshed.parent.parent.write_text("a file where the folder should be", encoding="utf-8")
    assert main(["prices", "refresh", "--from", str(data)]) == 1
    assert f"{files.refreshed} cannot be written: Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "check", "refresh"])
def test_every_command_has_help_with_examples_and_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["prices", command, "--help"])
    text = capsys.readouterr().out
    assert text.startswith(f"usage: clown-daemon prices {command}")
    assert "examples:" in text
    assert "exit codes:" in text


@pytest.mark.parametrize("day", ["2026-02-30", "today", "20260101T"])
def test_a_day_that_is_none_is_wrong_use(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["prices", "show", "m", "--at", day])
    assert caught.value.code == 2
    assert f"'{day}' is no day such as 2026-01-31" in capsys.readouterr().err
