from clown_daemon.protocol.resources import Cost, Tokens
from clown_daemon.store.usage_sums import NOTHING, Sums, add_up, negative

SUMS = Sums(3, 1, 10, 20, 30, 40, 50, 5, 2, 10**12, 2 * 10**12, 3 * 10**12, 4 * 10**12, 11 * 10**12)


def test_on_the_wire_both_cache_writes_are_one() -> None:
    assert SUMS.tokens == Tokens(
        input_tokens=10, output_tokens=20, cache_creation_input_tokens=70, cache_read_input_tokens=50
    )
    assert SUMS.total_tokens == SUMS.tokens.total == 150


def test_costs_are_dollars_and_the_total_is_more_than_the_classes() -> None:
    assert SUMS.cost == Cost(
        input_cost=1.0, output_cost=2.0, cache_creation_cost=3.0, cache_read_cost=4.0, total_cost=11.0
    )


def test_what_has_no_price_costs_null_and_nothing_costs_nothing() -> None:
    assert SUMS._replace(unpriced_responses=3).cost.total_cost is None
    assert NOTHING.cost.total_cost == 0.0


def test_sums_add_up_exactly_beyond_what_a_float_can_hold() -> None:
    large = SUMS._replace(total_pico=2**53 + 1)
    assert add_up([large, large]).total_pico == 2**54 + 2
    assert add_up([]) == NOTHING
    assert add_up([SUMS, negative(SUMS)]) == NOTHING
