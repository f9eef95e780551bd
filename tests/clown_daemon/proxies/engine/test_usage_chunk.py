import pytest

from clown_daemon.proxies.engine.usage_chunk import UsageChunkRemover

WORDS = b'data: {"id":"c","choices":[{"delta":{"content":"\\"usage\\""}}],"usage":null}\n\n'
USAGE = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":1}}\n\n'
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_chunk_that_nobody_asked_for_is_gone_and_the_rest_is_the_same(end: bytes, size: int) -> None:
    stream = (WORDS + WORDS + USAGE + DONE).replace(b"\n", end)
    remover = UsageChunkRemover()
    passed = b"".join(remover.feed(stream[at : at + size]) for at in range(0, len(stream), size)) + remover.finish()
    assert passed == (WORDS + WORDS + DONE).replace(b"\n", end)


def test_a_stream_that_breaks_off_passes_what_there_is() -> None:
    remover = UsageChunkRemover()
    assert remover.feed(WORDS + b'data: {"cho') == WORDS
    assert remover.finish() == b'data: {"cho'
