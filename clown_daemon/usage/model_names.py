"""Whose price a written model name asks for: the one name of each seller, and the forms a name is looked up by.

Pure. A name is looked up as it is written, then without what says nothing about the price, step by step; never by the
beginning of a name and never by likeness. `:free` and the other variants that cost something else than the model
without them stay, so they have a price of their own or none.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

SELLERS: dict[str, tuple[str, ...]] = {
    "anthropic": (),
    "openai": ("openai-codex", "codex"),
    "google": ("gemini", "google-ai-studio", "google-gla"),
    "xai": ("x-ai", "grok"),
    "deepseek": ("deepseek-ai",),
    "mistral": ("mistralai", "codestral"),
    "moonshot": ("moonshotai", "moonshotai-cn", "kimi"),
    "zai": ("z-ai", "z.ai", "zai-org", "zai-coding-plan"),
    "minimax": ("minimaxi", "minimaxai", "minimax-cn"),
    "qwen": ("alibaba", "alibaba-cn", "dashscope", "qwen-code"),
    "cohere": ("cohere-chat",),
    "meta": ("meta-llama", "llama"),
    "cursor": (),
    "zhipuai": ("bigmodel", "zhipu", "zhipuai-coding-plan"),
    "openrouter": (),
    "bedrock": ("amazon-bedrock", "aws", "aws-bedrock", "bedrock-converse", "amazon"),
    "vertex": ("vertex-ai", "google-vertex", "google-vertex-ai", "google-vertex-anthropic"),
    "azure": ("azure-openai", "azure-ai", "azure-cognitive-services"),
    "github-copilot": ("copilot",),
    "groq": (),
    "cerebras": (),
    "together": ("together-ai", "togetherai"),
    "fireworks": ("fireworks-ai",),
    "deepinfra": (),
    "opencode-go": (),
    "vercel": ("vercel-ai-gateway",),
    "ollama": ("ollama-chat",),
    "lmstudio": ("lm-studio",),
    "llama.cpp": ("llamacpp", "llama-cpp", "llama-swap"),
    "vllm": ("hosted-vllm",),
}
"""One name for each seller, and the other names that agents, routers and price tables have for it."""

MAKERS = (
    *("anthropic", "openai", "google", "xai", "deepseek", "mistral", "moonshot", "zai", "minimax", "qwen", "cohere"),
    *("meta", "cursor"),
)
"""Who sells models of their own, in order of precedence: where nobody is said to sell a model, it is its maker."""

CLOSED = frozenset({"xai", "deepseek", "mistral", "moonshot", "zai", "zhipuai", "minimax", "qwen", "cohere", "cursor"})
CLOSED |= {"ollama", "lmstudio", "llama.cpp", "vllm"}
"""Who is never charged for at somebody else's prices: the first answer foreign names with models of their own, and the
last run models here."""

WIRES = frozenset({"anthropic", "openai", "google"})
"""Whom logs name for their format alone, whoever answers in it: what a model's name says of its seller counts more."""

_BY_NAME = {name: seller for seller, others in SELLERS.items() for name in (seller, *others)}

_WINDOW = re.compile(r"\[[^\]]*\]$")
_SAME_PRICE = re.compile(r":(?:thinking|beta)$")
_RELEASE = re.compile(r"-v\d+(?::\d+)?$")
_DATE = re.compile(r"(?:[-@]\d{8}|-\d{4}-\d{2}-\d{2}|@default|-latest)$")
_CLOUD = re.compile(
    r"^(?:[a-z]{2,6}(?:-gov)?\.)?"
    r"(?:ai21|amazon|anthropic|cohere|deepseek|google|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen|xai|zai)\."
)

CLOUD = "cloud's prefix"
ROUTER = "router's path"


class Form(NamedTuple):
    """One form of a written name."""

    name: str
    dropped: tuple[str, ...]
    """What the written name has and this form has not, in words."""

    def suits(self, of: str) -> bool:
        """Whether a seller's list is looked at for this form.

        What a cloud writes before a name says what it costs there (`us.` more than `global.`), so without that the name
        is one in a maker's list, or in a list for everybody (`""`).
        """
        return CLOUD not in self.dropped or of == "" or of in MAKERS


def seller(written: str | None) -> str | None:
    """Answer the one name of whom a model is bought from; None where nobody is named.

    `self` is nobody: the agent's own login says nothing of the seller. A name that is not known here stays as it is.
    """
    if not written or written == "self":
        return None
    name = written.lower().replace("_", "-")
    return _BY_NAME.get(name, name)


def named_seller(model: str) -> str | None:
    """Answer the seller that a model's name itself names: a router's path, or the way Amazon Bedrock writes names."""
    first, slash, rest = model.strip().lower().partition("/")
    if slash:
        return _BY_NAME.get(first.replace("_", "-")) or named_seller(rest)
    return "bedrock" if _CLOUD.match(first) else None


def sellers(model: str, provider: str | None) -> Iterator[tuple[str, ...]]:
    """Answer whose prices may be a model's, in order; those of one tuple are alike, and the first that has one counts.

    Args:
        model: its name as it is written.
        provider: whom it is said to be bought from, by any of its names; None where that is not known.
    """
    said, named = seller(provider), named_seller(model)
    for one in (named, said) if said in WIRES else (said, named):
        if one is not None:
            yield (one,)
        if one in CLOSED:
            return
    yield MAKERS


def forms(model: str) -> Iterator[Form]:
    """Answer the names to look a model up by, most exact first, each once.

    As written; without its window (`[1m]`); then, with the path of a router (`openrouter/anthropic/`) growing shorter:
    without `:thinking` or `:beta`, without a release (`-v1:0`), without a date (`-20250929`, `@20250929`,
    `-2025-08-07`, `-latest`, `@default`); at last the same without a cloud's prefix (`us.anthropic.`).
    """
    seen: set[str] = set()
    for form in _all_forms(model.strip().lower()):
        if form.name and form.name not in seen:
            seen.add(form.name)
            yield form


def _all_forms(written: str) -> Iterator[Form]:
    form = Form(written, ())
    yield form
    form = _without(form, _WINDOW, "window")
    yield from _shorter(form)
    while "/" in form.name:
        dropped = form.dropped if ROUTER in form.dropped else (*form.dropped, ROUTER)
        form = Form(form.name.partition("/")[2], dropped)
        yield from _shorter(form)
    yield from _shorter(_without(form, _CLOUD, CLOUD))


def _shorter(form: Form) -> Iterator[Form]:
    yield form
    for pattern, word in ((_SAME_PRICE, "variant"), (_RELEASE, "release"), (_DATE, "date")):
        form = _without(form, pattern, word)
        yield form


def _without(form: Form, pattern: re.Pattern[str], word: str) -> Form:
    name = pattern.sub("", form.name)
    return form if name == form.name else Form(name, (*form.dropped, word))
