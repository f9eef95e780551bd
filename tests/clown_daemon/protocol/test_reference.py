from pathlib import Path

import pytest

from clown_daemon.protocol.reference import main, read_examples, replace_generated, write_reference

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"
REGENERATE = "run: python -m clown_daemon.protocol.reference docs/protocol.md tests/golden"


def test_the_page_is_what_the_catalogue_and_the_goldens_say() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text("utf-8")
    assert replace_generated(page, write_reference(read_examples(GOLDEN))) == page, REGENERATE


def test_the_script_rewrites_the_generated_part_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    begin, *_, end = write_reference(read_examples(GOLDEN)).splitlines()
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n", "utf-8")
    assert main([str(page), str(GOLDEN)]) == 0
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "### ProfileCreated" in text
    assert "old\n" not in text


def test_a_page_without_the_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no generated part"):
        replace_generated("nothing", "x")
