"""So many a minute: a burst, then one for each share of a minute, whatever the clock does."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from longwire.core.allowance import Allowance

T0 = datetime(2026, 3, 14, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def used(allowance: Allowance, moments: list[datetime]) -> list[bool]:
    """Return which of these requests are allowed."""
    until, allowed = None, []
    for now in moments:
        allowed.append(allowance.wait(until, now) <= timedelta())
        if allowed[-1]:
            until = allowance.after_one(until, now)
    return allowed


def test_a_burst_then_one_for_each_share() -> None:
    assert used(Allowance(6), [T0] * 8) == [True] * 6 + [False] * 2
    later = [T0 + 10 * SECOND] * 2
    assert used(Allowance(6), [T0] * 7 + later) == [True] * 6 + [False, True, False]


def test_how_long_to_wait_is_said() -> None:
    allowance, until = Allowance(6), None
    for _ in range(6):
        until = allowance.after_one(until, T0)
    assert allowance.wait(until, T0) == 10 * SECOND
    assert allowance.wait(until, T0 + 4 * SECOND) == 6 * SECOND


def test_zero_is_no_limit() -> None:
    assert all(used(Allowance(0), [T0] * 1000))


def test_a_clock_set_back_keeps_nobody_out_for_longer_than_a_minute() -> None:
    allowance, until = Allowance(6), None
    for _ in range(6):
        until = allowance.after_one(until, T0)
    past = T0 - timedelta(days=1)
    assert allowance.wait(until, past) <= 60 * SECOND


@given(st.integers(1, 50), st.lists(st.integers(0, 5000), max_size=200))
def test_in_no_minute_more_than_twice_the_number(per_minute: int, gaps_ms: list[int]) -> None:
    moments, now = [], T0
    for gap in gaps_ms:
        now += timedelta(milliseconds=gap)
        moments.append(now)
    allowed = [
        at for at, is_allowed in zip(moments, used(Allowance(per_minute), moments), strict=True) if is_allowed
    ]
    for begin in allowed:
        within = [at for at in allowed if begin <= at < begin + 60 * SECOND]
        assert len(within) <= 2 * per_minute
