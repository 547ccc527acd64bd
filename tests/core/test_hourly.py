"""Uplinks of the last hours: against a plain list of all of them."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.hourly import HOURS, add_counts, sum_of_day

BATCHES = st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=4).map(sorted), max_size=6)


@given(BATCHES, st.integers(0, 40))
@examples(300)
def test_the_counts_are_those_of_the_hours_up_to_the_last_uplink(batches: list[list[int]], now: int) -> None:
    """Also when the clock was put back: what then lies in the future is forgotten."""
    counts: tuple[int, ...] = ()
    newest, known = 0, Counter[int]()
    for batch in batches:
        counts, newest_before = add_counts(counts, newest, Counter(batch), batch[-1]), newest
        newest = batch[-1]
        known.update(batch)
        known = Counter({hour: known[hour] for hour in known if newest - HOURS < hour <= newest})
        assert newest_before >= 0

    assert {newest - age: count for age, count in enumerate(counts) if count} == dict(known)
    assert len(counts) <= HOURS
    assert sum_of_day(counts, newest, now) == sum(known[hour] for hour in known if now - HOURS < hour <= now)
