import os
from importlib import resources
from pathlib import Path

import pytest

from clown_daemon.manifests.catalogue import load_catalogue
from clown_daemon.paths import Paths
from clown_daemon.usage.price_files import PriceFiles, load_prices, shipped_table
from clown_daemon.usage.prices.tables import decode_table, encode_table
from clown_daemon.usage.pricing import ANYBODY, ModelPrices, Price, Source, Table

OWN = """
[models."My-Model"]
input = 3
output = 15.5

[models."claude-sonnet-4-5"]
input = 1
output = 2
"""


@pytest.fixture
def files(tmp_path: Path) -> PriceFiles:
    found = PriceFiles.of(Paths.from_environment({"CLOWN_HOME": str(tmp_path)}))
    found.refreshed.parent.mkdir(parents=True)
    return found


def table(name: str, usd: int, *, day: str = "9999-12-31", seller: str = "openai") -> Table:
    price = Price(bands=((0, usd * 10**6, usd * 10**6),))
    return Table(
        date=day, sources=(Source(name, "1"),), models={seller: (ModelPrices(("gpt-5.5",), {"standard": (price,)}),)}
    )


def labels(files: PriceFiles, model: str, *registry: Table) -> list[str]:
    prices, problems = load_prices(files, registry)
    assert problems == ()
    return [match.label.split()[0] for match in prices.find(model)]


def test_without_files_the_shipped_table_serves(files: PriceFiles) -> None:
    assert labels(files, "claude-opus-5") == ["genai-prices"]


def test_every_model_that_a_bundled_provider_offers_has_a_price(files: PriceFiles) -> None:
    prices, _ = load_prices(files)
    catalogue = load_catalogue(Paths.from_environment({"CLOWN_HOME": str(files.user.parent)}))
    offered = [(model, provider.id) for provider in catalogue.providers.values() for model in provider.models]
    assert len(offered) > 20
    assert [one for one in offered if not prices.find(*one)] == []


def test_the_users_prices_win_whatever_date_the_model_carries(files: PriceFiles) -> None:
    files.user.write_text(OWN, encoding="utf-8")
    assert labels(files, "claude-sonnet-4-5-20250929") == ["user", "genai-prices"]
    assert labels(files, "us.anthropic.claude-sonnet-4-5-20250929-v1:0") == ["user", "genai-prices"]
    assert labels(files, "my-model") == ["user"]
    assert labels(files, "claude-opus-5") == ["genai-prices"]


def test_the_users_own_goes_before_a_registry_that_before_a_refreshed_table_and_that_before_the_shipped(
    files: PriceFiles,
) -> None:
    files.user.write_text('[models."gpt-5.5"]\ninput = 1\noutput = 1\n', encoding="utf-8")
    files.refreshed.write_bytes(encode_table(table("refreshed", 2)))
    assert labels(files, "gpt-5.5", table("registry", 3)) == ["user", "registry", "refreshed", "genai-prices"]


def test_a_refreshed_table_that_is_older_than_the_release_is_out(files: PriceFiles) -> None:
    shipped = shipped_table().date
    files.refreshed.write_bytes(encode_table(table("refreshed", 2, day=shipped)))
    assert labels(files, "gpt-5.5") == ["refreshed", "genai-prices"]
    files.refreshed.write_bytes(encode_table(table("refreshed", 2, day="2026-01-01")))
    assert labels(files, "gpt-5.5") == ["genai-prices"]


def test_a_mistake_in_the_users_file_is_one_sentence_and_the_others_serve(files: PriceFiles) -> None:
    files.user.write_text("[models.x]\ninput = 1", encoding="utf-8")
    prices, problems = load_prices(files)
    assert problems == (f"your prices in {files.user} are not used: models.x lacks output",)
    assert prices.find("claude-opus-5") != ()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is no price table: Input data was truncated"),
        (b"[]", "it is no price table: Expected `object`, got `array`"),
        (encode_table(table("x", 1))[:-20], "it is no price table: Input data was truncated"),
        (encode_table(table("x", 1)).replace(b"1000000", b"-1"), "it is no price table: Expected `int` >= 0 - at"),
        (encode_table(table("x", 1)).replace(b"1000000", b"1e400"), "it is no price table: Number out of range"),
        (encode_table(table("x", 1, day="2026-02-30")), "'2026-02-30' is no day"),
    ],
)
def test_a_broken_refreshed_table_is_one_sentence_and_the_shipped_one_serves(
    content: bytes, reason: str, files: PriceFiles
) -> None:
    files.refreshed.write_bytes(content)
    prices, [problem] = load_prices(files)
    assert problem.startswith(f"the refreshed prices in {files.refreshed} are not used: {reason}")
    assert prices.find("claude-opus-5") != ()


def test_files_that_cannot_be_read_are_problems_and_no_end(files: PriceFiles) -> None:
    files.user.mkdir()
    files.refreshed.mkdir()
    prices, problems = load_prices(files)
    assert problems == (
        f"your prices in {files.user} are not used: Is a directory",
        f"the refreshed prices in {files.refreshed} are not used: Is a directory",
    )
    assert prices.find("claude-opus-5") != ()


def test_text_that_is_no_utf_8_is_said(files: PriceFiles) -> None:
    files.user.write_bytes(b"\xff")
    _, [problem] = load_prices(files)
    assert "'utf-8' codec can't decode byte 0xff" in problem


def test_a_change_of_either_file_is_seen_without_reading_it(files: PriceFiles) -> None:
    seen = [files.fingerprint()]
    files.user.write_text(OWN, encoding="utf-8")
    seen.append(files.fingerprint())
    # Of the same size, within the same tick of the clock, but another file in its place.
    fresh = files.user.with_name("fresh")
    fresh.write_text(OWN, encoding="utf-8")
    before = files.user.stat()
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.replace(files.user)
    seen.append(files.fingerprint())
    files.refreshed.write_bytes(b"x")
    seen.append(files.fingerprint())
    files.user.unlink()
    seen.append(files.fingerprint())
    assert len(set(seen)) == len(seen)
    assert files.fingerprint() == files.fingerprint()


def test_the_shipped_table_is_sound_and_written_as_it_is_read() -> None:
    content = resources.files("clown_daemon.usage.prices").joinpath("table.json").read_bytes()
    assert encode_table(decode_table(content)) == content
    assert ANYBODY not in shipped_table().models
