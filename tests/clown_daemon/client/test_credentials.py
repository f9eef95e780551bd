from clown_daemon.client.credentials import Credentials, bearer


class Source:
    def __init__(self, *tokens: str | None) -> None:
        self.tokens = list(tokens)
        self.reads = 0

    def __call__(self) -> str | None:
        self.reads += 1
        return self.tokens[min(self.reads, len(self.tokens)) - 1]


async def test_a_token_that_was_given_is_never_another_one() -> None:
    credentials = Credentials("fixed")
    assert await credentials.current() == "fixed"
    assert not await credentials.changed()
    assert await Credentials(None).current() is None


async def test_a_source_is_read_when_it_is_needed_and_again_when_it_may_have_changed() -> None:
    source = Source(None, "first", "first", "second")
    credentials = Credentials(source)
    assert source.reads == 0
    assert [await credentials.current() for _ in range(3)] == [None, None, None]
    assert source.reads == 1
    assert [await credentials.changed() for _ in range(3)] == [True, False, True]
    assert await credentials.current() == "second"


def test_no_token_is_no_header() -> None:
    assert bearer(None) == {}
    assert bearer("t") == {"Authorization": "Bearer t"}
