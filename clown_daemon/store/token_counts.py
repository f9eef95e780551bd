"""What a token count may be, whoever tells it: a log or an answer that passes a proxy. Pure."""

LARGEST_COUNT = 2**24
"""No response has more tokens; a larger number is damage, and would spoil every total for ever."""


def count(value: int | None) -> int:
    """Answer a token count; one that is not told is 0.

    Raises:
        ValueError: it is no token count.
    """
    if value is None:
        return 0
    if not 0 <= value <= LARGEST_COUNT:
        raise ValueError(f"{value} is no token count")
    return value
