from clown_daemon.manifests.wires import Wire
from clown_daemon.proxies.engine.bodies import Asked
from clown_daemon.proxies.engine.instructions import Instructions, Rule, Upstream
from clown_daemon.proxies.engine.routing import routes


def upstream(name: str, model: str | None = None) -> Upstream:
    wire: Wire = "openai" if name == "other-wire" else "anthropic"
    return Upstream(provider=name, url="http://x", wire=wire, model=model)


def instructions(*rules: Rule, fallbacks: tuple[str, ...] = ()) -> Instructions:
    names = ("main", "cheap", "large", "other-wire")
    return Instructions(
        profile="work",
        agent_id="claude",
        token="t",
        upstreams={name: upstream(name, "large-model" if name == "large" else None) for name in names},
        default="main",
        rules=rules,
        fallbacks=fallbacks,
    )


def first(asked: Asked, tokens: int, *rules: Rule) -> tuple[str, str | None]:
    name, _, model = next(iter(routes(instructions(*rules), asked, tokens)))
    return name, model


def test_without_a_rule_that_fits_the_default_is_used() -> None:
    assert first(Asked(), 0) == ("main", None)
    assert first(Asked(model="opus"), 0, Rule(upstream="cheap", model="haiku*")) == ("main", None)


def test_each_condition_decides() -> None:
    assert first(Asked(thinking=True), 0, Rule(upstream="large", thinking=True)) == ("large", "large-model")
    assert first(Asked(), 60_001, Rule(upstream="large", tokens_over=60_000)) == ("large", "large-model")
    assert first(Asked(), 60_000, Rule(upstream="large", tokens_over=60_000)) == ("main", None)
    assert first(Asked(tools=3), 0, Rule(upstream="cheap", tools_at_least=3)) == ("cheap", None)
    assert first(Asked(model="claude-haiku-4-5"), 0, Rule(upstream="cheap", model="claude-haiku-*")) == ("cheap", None)
    assert first(Asked(), 0, Rule(upstream="cheap", set_model="glm")) == ("cheap", "glm")


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = Rule(upstream="cheap", thinking=False, tools_at_least=1)
    assert first(Asked(tools=1), 0, rule) == ("cheap", None)
    assert first(Asked(tools=1, thinking=True), 0, rule) == ("main", None)


def test_the_highest_priority_decides_and_of_equal_ones_the_first() -> None:
    low, high = Rule(upstream="cheap"), Rule(upstream="large", priority=1)
    assert first(Asked(), 0, low, high)[0] == "large"
    assert first(Asked(), 0, low, Rule(upstream="large"))[0] == "cheap"


def test_fallbacks_follow_once_each_and_only_of_the_same_wire_format() -> None:
    found = [route.name for route in routes(instructions(fallbacks=("main", "other-wire", "large")), Asked(), 0)]
    assert found == ["main", "large"]
