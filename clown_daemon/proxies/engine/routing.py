"""Which upstream a request goes to, and which comes next when that one fails. Pure."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

from clown_daemon.proxies.engine.bodies import Asked
from clown_daemon.proxies.engine.instructions import Instructions, Rule, Upstream

FALL_BACK_AT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Answers that say "not here, not now"; every other one is the provider's word, and the agent's to hear."""


class Route(NamedTuple):
    """One place to send a request to."""

    name: str
    upstream: Upstream
    model: str | None
    """To be asked for instead of the agent's; None leaves it."""


def routes(instructions: Instructions, asked: Asked, prompt_tokens: int) -> Iterator[Route]:
    """Answer where a request may go, the best first; never empty.

    Args:
        instructions: rules and upstreams.
        asked: what the body says.
        prompt_tokens: how large the prompt is, as well as it is known.
    """
    rule = _first_that_fits(instructions.rules, asked, prompt_tokens)
    first = instructions.default if rule is None else rule.upstream
    upstream = instructions.upstreams[first]
    yield Route(first, upstream, (rule.set_model if rule else None) or upstream.model)
    for name in instructions.fallbacks:
        if name != first and instructions.upstreams[name].wire == upstream.wire:
            yield Route(name, instructions.upstreams[name], instructions.upstreams[name].model)


def _first_that_fits(rules: tuple[Rule, ...], asked: Asked, prompt_tokens: int) -> Rule | None:
    # `sorted` keeps the order of equal priorities.
    by_priority = sorted(rules, key=lambda rule: -rule.priority)
    return next((rule for rule in by_priority if _fits(rule, asked, prompt_tokens)), None)


def _fits(rule: Rule, asked: Asked, prompt_tokens: int) -> bool:
    return (
        (rule.thinking is None or rule.thinking == asked.thinking)
        and (rule.tokens_over is None or prompt_tokens > rule.tokens_over)
        and (rule.tools_at_least is None or asked.tools >= rule.tools_at_least)
        and (rule.model is None or (asked.model is not None and fnmatchcase(asked.model, rule.model)))
    )
