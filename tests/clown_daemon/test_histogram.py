from clown_daemon.histogram import Histogram


def test_an_observation_counts_in_every_bucket_it_is_not_above() -> None:
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    buckets, total = histogram.read()
    assert buckets == ((0.1, 2), (1.0, 3), (float("inf"), 4))
    assert total == 7.65


def test_nothing_was_observed_at_first() -> None:
    assert Histogram((1.0,)).read() == (((1.0, 0), (float("inf"), 0)), 0.0)
