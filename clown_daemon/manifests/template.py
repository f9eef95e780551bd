"""Templates of manifests: `{name}` is replaced, `{name:json}` becomes a quoted JSON string; every other brace stays.

One rule makes conditions needless: a text that uses a variable without a value is no text at all (None), and its entry
is left out whole.
"""

import json
import re
from collections.abc import Mapping

from clown_daemon.manifests.agent import Args

VARIABLES = ("profile_home", "api_key", "x_api_key", "bearer_token", "base_url", "model", "foreign_model", "alias")
"""`api_key` is the key; `x_api_key` and `bearer_token` are the same, but only one of them has a value: the one that
the provider's Anthropic-style endpoint takes. `foreign_model` is the model where the provider is not the maker of the
wire format itself, and has no value where it is."""

SECRETS = frozenset({"api_key", "x_api_key", "bearer_token"})
"""May stand in `env` alone: a command line is readable by every user of the machine."""

_FIELD = re.compile(r"\{(?P<name>[a-z_]+)(?P<json>:json)?\}")


def variables_in(text: str) -> tuple[str, ...]:
    """The names a template uses, known or not, in the order they stand."""
    return tuple(match["name"] for match in _FIELD.finditer(text))


def render(text: str, values: Mapping[str, str | None]) -> str | None:
    """Fill in a template.

    Args:
        text: the template.
        values: by variable name; a missing one counts as None.

    Returns:
        The text, or None when one of its variables has no value.
    """
    if any(values.get(name) is None for name in variables_in(text)):
        return None
    return _FIELD.sub(lambda match: _filled(match, values), text)


def render_env(env: Mapping[str, str], values: Mapping[str, str | None]) -> dict[str, str]:
    """Fill in variables of an environment; those that use a variable without a value are left out."""
    rendered = {name: render(text, values) for name, text in env.items()}
    return {name: text for name, text in rendered.items() if text is not None}


def render_args(args: Args, values: Mapping[str, str | None]) -> tuple[str, ...]:
    """Fill in words of a command line; a group is left out whole when one of its words would be."""
    words: list[str] = []
    for entry in args:
        group = (entry,) if isinstance(entry, str) else entry
        rendered = [text for word in group if (text := render(word, values)) is not None]
        if len(rendered) == len(group):
            words.extend(rendered)
    return tuple(words)


def _filled(match: re.Match[str], values: Mapping[str, str | None]) -> str:
    value = values[match["name"]]
    assert value is not None  # checked by the caller
    return json.dumps(value, ensure_ascii=False) if match["json"] else value
