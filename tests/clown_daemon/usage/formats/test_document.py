import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.store.ledger import Response
from clown_daemon.usage.formats import document
from clown_daemon.usage.formats.document import DocumentParser


class Notes(msgspec.Struct, frozen=True):
    names: tuple[str, ...]


class NotesParser(DocumentParser):
    def _read_document(self, document: bytes) -> list[Response]:
        return [
            Response("notes", "noter", name, "nobody", "model", "session", None, 0, 1, 1, 0, 0, 0)
            for name in msgspec.json.decode(document, type=Notes).names
        ]


def notes(*names: str) -> bytes:
    return json.dumps({"names": names, "unknown": [{}]}).encode()


def read(parser: DocumentParser, *pieces: bytes) -> list[str]:
    for piece in pieces:
        assert parser.feed(piece) == []
    return [response.key for response in parser.unfinished()]


def test_a_document_is_told_when_it_is_whole_and_stays_pending() -> None:
    parser = NotesParser()
    whole = notes("one", "two")
    assert read(parser, whole[:9], whole[9:]) == ["one", "two"]
    assert parser.pending_bytes == len(whole)
    assert parser.state() == b""


def test_a_document_may_be_told_twice() -> None:
    parser = NotesParser()
    assert read(parser, notes("one")) == read(parser) == ["one"]
    assert parser.lines_broken == 0


@pytest.mark.parametrize("end", range(1, len(notes("one"))))
def test_half_a_document_is_broken_until_its_rest_comes(end: int) -> None:
    parser = NotesParser()
    assert read(parser, notes("one")[:end]) == []
    assert parser.lines_broken == 1
    assert read(parser, notes("one")[end:]) == ["one"]
    assert parser.lines_broken == 0


@pytest.mark.parametrize("nothing", [b"", b"\0" * 512, b"\r\n"])
def test_an_empty_document_is_not_broken(nothing: bytes) -> None:
    parser = NotesParser()
    assert read(parser, nothing) == []
    assert parser.lines_broken == 0


def test_nuls_and_bytes_that_are_no_text_drop_nothing() -> None:
    parser = NotesParser()
    assert read(parser, b"\0\0" + notes("odd").replace(b"odd", b"o\xffd") + b"\n\0") == ["o�d"]
    assert parser.lines_broken == 0


def test_a_document_nested_too_deeply_is_broken() -> None:
    parser = NotesParser()
    assert read(parser, b'{"x":' + b"[" * 100_000) == []
    assert parser.lines_broken == 1


def test_a_document_that_is_too_large_is_left_out_and_leaves_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "LARGEST_DOCUMENT_BYTES", 40)
    parser = NotesParser()
    assert read(parser, notes("one"), notes("two")) == []
    assert (parser.lines_broken, parser.pending_bytes) == (1, 0)
    later = NotesParser(parser.state())
    assert read(later, notes("one")) == []
    assert (later.lines_broken, later.pending_bytes) == (1, 0)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_no_bytes_whatsoever_raise(pieces: list[bytes]) -> None:
    read(NotesParser(), *pieces)
