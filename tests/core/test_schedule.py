"""When a connection tries again: the fast phase, the four strategies over their whole life, and the jitter."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.schedule import Strategy, due_at, next_offset

S = timedelta(seconds=1)
M = timedelta(minutes=1)
H = timedelta(hours=1)
D = timedelta(days=1)
NEVER = 0 * S
T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)

STRATEGIES = st.sampled_from(Strategy)
BLAME_PERIODS = st.integers(0, 120).map(lambda seconds: seconds * S)
AFTERS = st.timedeltas(0 * S, 3650 * D) | st.integers(0, 60).map(lambda minutes: minutes * M)
JITTERS = st.floats(-1, 1)


def life(strategy: Strategy, blame_period: timedelta, until: timedelta) -> list[timedelta]:
    """Return every planned try up to `until`, when each of them fails at once."""
    return list(itertools.takewhile(lambda offset: offset <= until, tries(strategy, blame_period)))


def tries(strategy: Strategy, blame_period: timedelta) -> Iterator[timedelta]:
    after: timedelta | None = 0 * S
    while after is not None and (after := next_offset(strategy, blame_period, after)) is not None:
        yield after


def every(step: timedelta, after: timedelta, until: timedelta) -> list[timedelta]:
    return [after + n * step for n in range(1, (until - after) // step + 1)]


def seconds(*numbers: int) -> list[timedelta]:
    return [number * S for number in numbers]


FAST = seconds(1, 3, 7, 15, 30)
NORMAL = [*every(5 * M, NEVER, H), *every(H, H, 25 * H), *every(D, 25 * H, 60 * D)]
CALM = [*every(10 * M, NEVER, 12 * H), *every(H, 12 * H, 36 * H)]
AGGRESSIVE = [*every(3 * M, NEVER, 3 * H), *every(30 * M, 3 * H, 171 * H), *every(H, 171 * H, 60 * D)]
EXPONENTIAL = [*seconds(1, 3, 7, 15, 31, 63, 127, 255, 511), *every(5 * M, 511 * S, 60 * D)]


@pytest.mark.parametrize("blame_period_s", [0, 5, 30])
@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        pytest.param(Strategy.NORMAL, NORMAL, id="every 5 min for 1 h, every hour for 1 day, daily for ever"),
        pytest.param(Strategy.CALM, CALM, id="every 10 min for 12 h, every hour for 1 day, then none"),
        pytest.param(
            Strategy.AGGRESSIVE,
            AGGRESSIVE,
            id="every 3 min for 3 h, every 30 min for 1 week, hourly for ever",
        ),
    ],
)
def test_after_the_fast_phase_every_try_of_two_months_is_where_the_strategy_puts_it(
    strategy: Strategy, expected: list[timedelta], blame_period_s: int
) -> None:
    fast = [offset for offset in FAST if offset <= blame_period_s * S]

    assert life(strategy, blame_period_s * S, 60 * D) == fast + expected


@pytest.mark.parametrize("blame_period_s", [0, 5, 30])
def test_exponential_is_1_s_doubling_to_5_min_for_ever(blame_period_s: int) -> None:
    """It begins fast by itself, whatever the blame period."""
    assert life(Strategy.EXPONENTIAL, blame_period_s * S, 60 * D) == EXPONENTIAL


def test_the_waits_of_exponential_double_until_they_are_5_min() -> None:
    planned = [0 * S, *life(Strategy.EXPONENTIAL, 0 * S, D)]
    waits = [(later - sooner) // S for sooner, later in itertools.pairwise(planned)]

    assert waits[:10] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(waits[10:]) == {300}


def test_the_fast_phase_tries_1_3_7_15_and_30_s_after_the_closing() -> None:
    for strategy in (Strategy.NORMAL, Strategy.CALM, Strategy.AGGRESSIVE):
        assert life(strategy, 30 * S, 1 * M) == seconds(1, 3, 7, 15, 30)


def test_a_blame_period_of_0_switches_the_fast_phase_off() -> None:
    for strategy in (Strategy.NORMAL, Strategy.CALM, Strategy.AGGRESSIVE):
        assert life(strategy, 0 * S, 2 * M) == []


def test_the_stages_have_as_many_tries_as_the_specification_says() -> None:
    assert len(NORMAL) == 12 + 24 + 58
    assert len(CALM) == 72 + 24
    assert len(AGGRESSIVE) == 60 + 336 + 1269


@pytest.mark.parametrize(
    ("blame_period_s", "fast"),
    [
        (0, []),
        (1, seconds(1)),
        (2, seconds(1)),
        (5, seconds(1, 3)),
        (7, seconds(1, 3, 7)),
        (29, seconds(1, 3, 7, 15)),
        (30, FAST),
        (86400, FAST),  # it has five tries, however long the period
    ],
)
@pytest.mark.parametrize(
    ("strategy", "then"), [(Strategy.NORMAL, 5 * M), (Strategy.CALM, 10 * M), (Strategy.AGGRESSIVE, 3 * M)]
)
def test_the_fast_phase_reaches_as_far_as_the_blame_period(
    strategy: Strategy, then: timedelta, blame_period_s: int, fast: list[timedelta]
) -> None:
    assert life(strategy, blame_period_s * S, 10 * M)[: len(fast) + 1] == [*fast, then]


@pytest.mark.parametrize(
    ("strategy", "after", "expected"),
    [
        (Strategy.NORMAL, 0.4 * S, 1 * S),
        (Strategy.NORMAL, 1 * S, 3 * S),
        (Strategy.NORMAL, 4 * S, 7 * S),  # a try that took long swallows those it overtook
        (Strategy.NORMAL, 31 * S, 5 * M),
        (Strategy.NORMAL, 5 * M - 1 * S, 5 * M),
        (Strategy.NORMAL, H - 1 * S, H),
        (Strategy.NORMAL, H, 2 * H),  # the first stage ends exactly here
        (Strategy.NORMAL, 25 * H, 49 * H),
        (Strategy.NORMAL, 3650 * D, 3650 * D + H),
        (Strategy.CALM, 12 * H - 1 * S, 12 * H),
        (Strategy.CALM, 12 * H, 13 * H),
        (Strategy.CALM, 36 * H - 1 * S, 36 * H),
        (Strategy.CALM, 36 * H, None),  # given up
        (Strategy.CALM, 3650 * D, None),
        (Strategy.AGGRESSIVE, 3 * H, 3 * H + 30 * M),
        (Strategy.AGGRESSIVE, 7 * D + 3 * H, 7 * D + 4 * H),
        (Strategy.EXPONENTIAL, 100 * S, 127 * S),
        (Strategy.EXPONENTIAL, 511 * S, 811 * S),
    ],
)
def test_the_next_try_after_a_moment(
    strategy: Strategy, after: timedelta, expected: timedelta | None
) -> None:
    assert next_offset(strategy, 30 * S, after) == expected


@given(STRATEGIES, BLAME_PERIODS, AFTERS)
@examples(200)
def test_the_next_try_is_strictly_later_than_the_moment_it_is_asked_for(
    strategy: Strategy, blame_period: timedelta, after: timedelta
) -> None:
    offset = next_offset(strategy, blame_period, after)

    assert (offset is None) == (strategy is Strategy.CALM and after >= 36 * H)
    assert offset is None or offset > after


@given(STRATEGIES, BLAME_PERIODS, AFTERS, st.floats(0, 1))
@examples(100)
def test_asking_again_before_the_try_gives_the_same_one(
    strategy: Strategy, blame_period: timedelta, after: timedelta, fraction: float
) -> None:
    offset = next_offset(strategy, blame_period, after)

    if offset is not None:
        meanwhile = after + fraction * (offset - timedelta.resolution - after)
        assert next_offset(strategy, blame_period, meanwhile) == offset


@pytest.mark.parametrize(
    ("offset", "widest"),
    [
        (1 * S, 0.1 * S),
        (30 * S, 3 * S),
        (5 * M, 30 * S),
        (10 * M, 60 * S),  # ten per cent are a minute here; later a minute is the limit
        (H, 60 * S),
        (30 * D, 60 * S),
    ],
)
def test_jitter_moves_a_try_by_ten_per_cent_but_at_most_a_minute(
    offset: timedelta, widest: timedelta
) -> None:
    assert due_at(T0, offset, -1) == T0 + offset - widest
    assert due_at(T0, offset, 0) == T0 + offset
    assert due_at(T0, offset, 1) == T0 + offset + widest


@given(st.timedeltas(0 * S, 3650 * D), JITTERS)
@examples(100)
def test_no_jitter_moves_a_try_further_or_before_the_closing(offset: timedelta, jitter: float) -> None:
    moved = due_at(T0, offset, jitter) - (T0 + offset)

    assert abs(moved) <= min(offset / 10, 60 * S)
    assert due_at(T0, offset, jitter) >= T0


@pytest.mark.parametrize("strategy", list(Strategy))
@pytest.mark.parametrize("blame_period_s", [0, 5, 30])
def test_whatever_the_jitter_each_try_is_due_later_than_the_one_before(
    strategy: Strategy, blame_period_s: int
) -> None:
    planned = life(strategy, blame_period_s * S, 60 * D)

    for sooner, later in itertools.pairwise(planned):
        assert due_at(T0, sooner, 1) < due_at(T0, later, -1)
