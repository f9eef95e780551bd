"""Keys that a log and a proxy make alike for the same response, from the ids that its provider gave it. Pure.

Agents write different ids down: Claude Code the message's and the request's, Codex and Qwen Code the response's. Where
an agent writes none that a proxy sees too, its own key stands alone, and `is_shared` says so.
"""

from collections.abc import Callable

SHORTEST_UNIQUE_ID = 24
"""Ids that vendors make are longer and random. Local servers count, or draw one of a thousand numbers."""

_APIS = frozenset({"openai", "google"})
"""Whose response ids are keys by themselves."""


def response_key(api: str, response_id: str | None, otherwise: Callable[[], str]) -> str:
    """Answer the key of a response that an API gave an id.

    Args:
        api: whose protocol it speaks: `openai`, `google`, ...
        response_id: as the API gave it; one that is too short to be unique is not trusted alone.
        otherwise: answers what tells this response from all others, and is the same in every copy of it.
    """
    if response_id and len(response_id) >= SHORTEST_UNIQUE_ID:
        return f"{api}|{response_id}"
    return f"{api}|{response_id or ''}|{otherwise()}"


def message_key(message_id: str, request_id: str | None, counts: str) -> str:
    """Answer the key of a message of Anthropic's API.

    Args:
        message_id: some relays give every response the same.
        request_id: the answer's header `request-id`; None where a relay leaves it out.
        counts: see `input_counts`; tell responses apart where there is no request id.
    """
    return f"anthropic|{message_id}|{request_id}" if request_id else f"anthropic|{message_id}|{counts}"


def input_counts(fresh: int, written: int, read: int) -> str:
    """The three input counts of a message, which all lines of one streamed response share."""
    return f"{fresh}|{written}|{read}"


def is_shared(key: str) -> bool:
    """Whether a proxy that saw the response made this very key, too."""
    api, *ids = key.split("|")
    return len(ids) == 2 if api == "anthropic" else api in _APIS and len(ids) == 1
