"""The bounded buffer of numbered lines."""

from hypothesis import given
from hypothesis import strategies as st

from clown_daemon.processes.output import OutputBuffer, Stream


def texts(buffer: OutputBuffer, after: int = 0) -> list[str]:
    return [line.text for line in buffer.page(after).lines]


def test_lines_are_numbered_across_both_streams() -> None:
    buffer = OutputBuffer()
    buffer.feed("stdout", b"one\n")
    buffer.feed("stderr", b"two\r\n")
    assert [(line.number, line.stream, line.text) for line in buffer.page().lines] == [
        (1, "stdout", "one"),
        (2, "stderr", "two"),
    ]


def test_half_a_line_counts_once_when_the_rest_has_come() -> None:
    buffer = OutputBuffer()
    buffer.feed("stdout", b"ha")
    assert texts(buffer) == []
    buffer.feed("stdout", b"lf\n")
    assert texts(buffer) == ["half"]


def test_the_last_line_needs_no_end() -> None:
    buffer = OutputBuffer()
    buffer.feed("stdout", b"one\nlast")
    buffer.finish()
    buffer.finish()
    assert texts(buffer) == ["one", "last"]


def test_undecodable_bytes_are_replaced() -> None:
    buffer = OutputBuffer()
    buffer.feed("stdout", b"a\xffb\n")
    assert texts(buffer) == ["a\ufffdb"]


def test_a_character_may_be_cut_between_two_reads() -> None:
    buffer = OutputBuffer()
    for byte in "é\n".encode():
        buffer.feed("stdout", bytes([byte]))
    assert texts(buffer) == ["é"]


def test_a_long_line_is_cut() -> None:
    buffer = OutputBuffer(max_line_bytes=4)
    for _ in range(3):
        buffer.feed("stdout", b"abc")
    buffer.feed("stdout", b"\nnext\n")
    assert texts(buffer) == ["abca", "next"]


def test_old_lines_fall_out_and_are_counted() -> None:
    buffer = OutputBuffer(max_lines=2)
    buffer.feed("stdout", b"1\n2\n3\n4\n5\n")
    page = buffer.page(after=1)
    assert ([line.number for line in page.lines], page.dropped, page.next) == ([4, 5], 2, 5)


def test_pages_follow_one_another() -> None:
    buffer = OutputBuffer()
    buffer.feed("stdout", b"1\n2\n3\n")
    first = buffer.page(0, limit=2)
    assert [line.text for line in first.lines] == ["1", "2"]
    second = buffer.page(first.next, limit=2)
    assert ([line.text for line in second.lines], second.next) == (["3"], 3)


def test_a_number_of_the_future_counts_as_the_end() -> None:
    buffer = OutputBuffer()
    buffer.feed("stdout", b"1\n")
    assert (buffer.page(99).lines, buffer.page(99).next, buffer.page(99).dropped) == ((), 1, 0)


def test_a_key_that_is_printed_is_blanked() -> None:
    buffer = OutputBuffer(secrets=("sk-test-0123456789",))
    buffer.feed("stdout", b"key is sk-test-")
    buffer.feed("stdout", b"0123456789!\n")
    assert texts(buffer) == ["key is [secret]!"]


def test_a_text_too_short_for_a_key_is_not_blanked() -> None:
    buffer = OutputBuffer(secrets=("a",))
    buffer.feed("stdout", b"banana\n")
    assert texts(buffer) == ["banana"]


chunks = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(max_size=12)))


@given(chunks, st.integers(1, 6), st.integers(1, 20), st.integers(1, 8))
def test_bounds_hold_and_nothing_is_lost_uncounted(
    fed: list[tuple[Stream, bytes]], max_lines: int, max_bytes: int, max_line_bytes: int
) -> None:
    buffer = OutputBuffer(max_lines=max_lines, max_bytes=max_bytes, max_line_bytes=max_line_bytes)
    for stream, data in fed:
        buffer.feed(stream, data)
    buffer.finish()
    page = buffer.page()
    assert len(page.lines) <= max_lines
    assert page.dropped + len(page.lines) == buffer.count == page.next
    assert [line.number for line in page.lines] == list(range(page.dropped + 1, buffer.count + 1))


@given(chunks)
def test_how_the_bytes_are_cut_does_not_matter(fed: list[tuple[Stream, bytes]]) -> None:
    whole, bytewise = OutputBuffer(max_lines=5), OutputBuffer(max_lines=5)
    for stream in ("stdout", "stderr"):
        data = b"".join(part for name, part in fed if name == stream)
        whole.feed(stream, data)
        for byte in data:
            bytewise.feed(stream, bytes([byte]))
    for buffer in (whole, bytewise):
        buffer.finish()
    # Lines of two streams may come in another order, but there are as many, and as many are kept.
    assert whole.count == bytewise.count
    assert len(whole.page().lines) == len(bytewise.page().lines)
