from collections.abc import Callable
from pathlib import Path

import pytest

from clown_daemon.protocol.endpoints import ENDPOINTS
from clown_daemon.protocol.reference import (
    main,
    replace_generated,
    write_http_reference,
    write_stream_reference,
)

DOCS = Path(__file__).parents[3] / "docs"
PAGES: list[tuple[str, Callable[[], str]]] = [
    ("protocol.md", write_stream_reference),
    ("http-api.md", write_http_reference),
]


@pytest.mark.parametrize(("name", "write"), PAGES)
def test_a_page_is_what_the_types_say(name: str, write: Callable[[], str]) -> None:
    page = (DOCS / name).read_text("utf-8")
    assert replace_generated(page, write()) == page, f"docs/{name} is not what the code says; run: make docs"


def test_the_script_rewrites_the_generated_parts_alone(tmp_path: Path) -> None:
    files = []
    for name, write in PAGES:
        begin, *_, end = write().splitlines()
        files.append(tmp_path / name)
        files[-1].write_text(f"before\n{begin}\nold\n{end}\nafter\n", "utf-8")
    assert main([str(file) for file in files]) == 0
    for file, mark in zip(files, ("### ProfileCreated", "### POST /api/profiles"), strict=True):
        text = file.read_text("utf-8")
        assert text.startswith("before\n")
        assert text.endswith("\nafter\n")
        assert mark in text
        assert "old\n" not in text


def test_a_page_without_the_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="no generated part"):
        replace_generated("nothing", "x")


def test_every_endpoint_has_a_curl_example_that_a_shell_can_run() -> None:
    page = write_http_reference()
    for endpoint in ENDPOINTS:
        _, _, section = page.partition(f"\n### {endpoint.method} {endpoint.path}\n")
        command = section.partition("```sh\n")[2].partition("\n```")[0]
        assert command.startswith("curl ")
        assert "{alias}" not in command
        assert command.count("'") % 2 == 0
