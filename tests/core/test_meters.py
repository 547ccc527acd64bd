"""The meters: how many series there are is bounded, and a histogram adds up."""

from hypothesis import given
from hypothesis import strategies as st

from longwire.core.delivery import Outcome
from longwire.core.meters import OTHER, Histogram, Meters


@given(st.lists(st.tuples(st.integers(1, 50), st.sampled_from(Outcome)), max_size=200))
def test_connections_beyond_the_bound_share_a_label_and_no_count_is_lost(
    ended: list[tuple[int, Outcome]],
) -> None:
    meters = Meters(max_labelled=10)
    for connection_id, outcome in ended:
        meters.count_outcomes(connection_id, {outcome: 1})

    labels = {label for label, _ in meters.outcomes}
    assert len(labels - {OTHER}) <= 10
    assert sum(meters.outcomes.values()) == len(ended)
    for connection_id in {each for each, _ in ended}:
        if meters.label(connection_id) != OTHER:
            counted = sum(n for (label, _), n in meters.outcomes.items() if label == str(connection_id))
            assert counted == sum(each == connection_id for each, _ in ended)


@given(st.lists(st.floats(0, 100), max_size=50))
def test_a_bucket_holds_what_is_at_or_below_its_bound(values: list[float]) -> None:
    histogram = Histogram((0.5, 1, 10))
    for value in values:
        histogram.observe(value)

    expected = [("0.5", 0.5), ("1.0", 1), ("10.0", 10), ("+Inf", float("inf"))]
    assert histogram.buckets() == [(text, sum(each <= bound for each in values)) for text, bound in expected]
