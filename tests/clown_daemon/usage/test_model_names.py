import pytest

from clown_daemon.usage.model_names import CLOSED, MAKERS, SELLERS, WIRES, forms, named_seller, seller, sellers


def test_names_are_tried_from_the_most_exact_on_and_each_once() -> None:
    assert [form.name for form in forms("openrouter/anthropic/claude-x-20260101[1m]")] == [
        "openrouter/anthropic/claude-x-20260101[1m]",
        "openrouter/anthropic/claude-x-20260101",
        "openrouter/anthropic/claude-x",
        "anthropic/claude-x-20260101",
        "anthropic/claude-x",
        "claude-x-20260101",
        "claude-x",
    ]


@pytest.mark.parametrize(
    ("written", "shortest", "dropped"),
    [
        ("Claude-X", "claude-x", ()),
        ("claude-x[1m]", "claude-x", ("window",)),
        ("claude-x:thinking", "claude-x", ("variant",)),
        ("claude-x-2025-08-07", "claude-x", ("date",)),
        ("claude-x-latest", "claude-x", ("date",)),
        ("claude-x@default", "claude-x", ("date",)),
        ("a/b/claude-x", "claude-x", ("router's path",)),
        ("us-gov.anthropic.claude-x-20250929-v1:0", "claude-x", ("cloud's prefix", "release", "date")),
        ("claude-x:free", "claude-x:free", ()),
        ("claude-x-preview", "claude-x-preview", ()),
        ("qwen3:8b", "qwen3:8b", ()),
        ("claude-x-99999", "claude-x-99999", ()),
    ],
)
def test_only_what_says_nothing_about_the_price_is_left_out(
    written: str, shortest: str, dropped: tuple[str, ...]
) -> None:
    *_, last = forms(written)
    assert last == (shortest, dropped)


def test_a_name_of_nothing_has_no_forms() -> None:
    assert list(forms(" ")) == []


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("anthropic", "anthropic"),
        ("x-ai", "xai"),
        ("vertex_ai", "vertex"),
        ("Amazon-Bedrock", "bedrock"),
        ("my-gateway", "my-gateway"),
        ("self", None),
        ("", None),
        (None, None),
    ],
)
def test_each_seller_has_one_name(written: str | None, name: str | None) -> None:
    assert seller(written) == name


def test_no_name_is_two_sellers() -> None:
    names = [name for one, others in SELLERS.items() for name in (one, *others)]
    assert len(names) == len(set(names))
    assert {*MAKERS, *CLOSED, *WIRES} <= set(SELLERS)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("openrouter/anthropic/claude-x", "openrouter"),
        ("z-ai/glm-4.6", "zai"),
        ("my-gateway/openrouter/x", "openrouter"),
        ("us.anthropic.claude-x-v1:0", "bedrock"),
        ("deepseek.r1-v1:0", "bedrock"),
        ("my-gateway/x", None),
        ("gpt-4.1", None),
        ("gemini-2.5-pro", None),
    ],
)
def test_a_name_may_say_itself_where_it_is_bought(model: str, named: str | None) -> None:
    assert named_seller(model) == named


def test_what_a_name_says_of_its_seller_counts_more_than_a_format_and_less_than_a_seller() -> None:
    assert list(sellers("openrouter/m", "anthropic")) == [("openrouter",), ("anthropic",), MAKERS]
    assert list(sellers("openrouter/m", "groq")) == [("groq",), ("openrouter",), MAKERS]
    assert list(sellers("m", None)) == [MAKERS]


def test_who_never_sells_anybody_elses_models_is_asked_alone() -> None:
    assert list(sellers("claude-x", "zai")) == [("zai",)]
    assert list(sellers("deepseek/deepseek-r1", "openrouter")) == [("openrouter",), ("deepseek",)]


def test_a_form_without_a_clouds_prefix_is_looked_up_at_makers_alone() -> None:
    *_, last = forms("us.anthropic.claude-x")
    assert [last.suits(one) for one in ("anthropic", "", "bedrock")] == [True, True, False]
    assert forms("claude-x").__next__().suits("bedrock")
