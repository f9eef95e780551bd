"""What looks like a key is not repeated: neither to whoever put it into the wrong field, nor in the log. Pure.

The daemon knows the keys it keeps, and never tells them. This is for those it does not know: a key that was pasted into
a name, an address or a query, and would come back in an error that somebody then shows around.
"""

import re

BLANK = "[secret]"

_LETTER = r"(?:[A-Za-z0-9_-]|%[0-9A-Fa-f]{2})"
_PREFIXED = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?:sk|pk|rk|gsk|csk|xai|hf|ghp|gho|ghs|glpat|pplx|nvapi|github_pat)(?:[-_]|%2[dD]|%5[fF])"
    rf"|AIza|AKIA){_LETTER}{{16,}}"
)
"""As the makers of models and their neighbours begin their keys."""
_LONG = re.compile(rf"{_LETTER}{{32,}}")
_HEXADECIMAL = re.compile(r"[0-9a-f]{32,}")
_SURE_LENGTH = 40


def hide_secrets(text: str) -> str:
    """Answer the text with `[secret]` for every word that looks like a key."""
    return _LONG.sub(_blank, _PREFIXED.sub(BLANK, text))


def looks_like_key(text: str) -> bool:
    """Whether a part of the text looks like a key."""
    return hide_secrets(text) != text


def _blank(found: re.Match[str]) -> str:
    """Random letters are of every kind; the words of people, long as they may be, are not."""
    word = found[0]
    digits = any(map(str.isdigit, word))
    cases = any(map(str.isupper, word)) and any(map(str.islower, word))
    random = (cases and (digits or len(word) >= _SURE_LENGTH)) or (digits and _HEXADECIMAL.fullmatch(word))
    return BLANK if random else word
