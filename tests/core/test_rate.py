"""How fast a connection may send: its configured rate, and the ramp after an outage (specification, section 4)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.rate import CATCH_UP, FIRST_STEP, Pace, climb, make_pace, ramped

S = timedelta(seconds=1)
MS = timedelta(milliseconds=1)
T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)

# As far as a configuration allows: 0.01 to 10 000 a second.
RATES = st.sampled_from([0.01, 0.5, 1, 3, 7, 10, 99.9, 1_000, 10_000]) | st.floats(0.01, 10_000)
# A loop comes by when it can, and is asked for anything from nothing to more than it may send.
VISITS = st.lists(
    st.tuples(st.sampled_from([0, 1, 99, 333, 1_000, 10_000, 100_000, 5_000_000]), st.integers(0, 2_000)),
    min_size=1,
    max_size=40,
)


def drive(pace: Pace, visits: list[tuple[int, int]]) -> list[tuple[datetime, int]]:
    """Return when how many were sent; a visit is a pause in microseconds and how many wait."""
    now, sends = T0, []
    for pause_us, waiting in visits:
        now += timedelta(microseconds=pause_us)
        sent = min(waiting, pace.allowed(now))
        pace = pace.after(sent, now)
        sends.append((now, sent))
    return sends


def most_within(sends: list[tuple[datetime, int]], duration: timedelta) -> int:
    """Return the most that were sent within any such time."""
    return max(sum(sent for at, sent in sends if begin <= at < begin + duration) for begin, _ in sends)


def most_allowed(rate: float, duration: timedelta) -> float:
    """Return the rate over a time, the time a late loop may make up for, and the message that begins it.

    An interval is kept to the microsecond: half of one is what the rate may differ by.
    """
    interval = 1 / rate - 0.5e-6
    return (duration + CATCH_UP).total_seconds() / interval + 1


@given(RATES, VISITS, st.sampled_from([1 * MS, 100 * MS, 1 * S, 60 * S, 3_600 * S]))
@examples(400)
def test_over_any_time_never_more_than_the_rate_and_what_a_late_loop_may_make_up_for(
    rate: float, visits: list[tuple[int, int]], duration: timedelta
) -> None:
    sends = drive(make_pace(rate), visits)

    assert most_within(sends, duration) <= most_allowed(rate, duration)


@pytest.mark.parametrize(
    ("rate", "most"),
    [
        (1, 2),  # 1 a second, and the one that begins it
        (10, 11),
        (100, 110),
        (1_000, 1_100),
    ],
)
def test_a_second_after_a_long_silence_is_the_fastest_there_is(rate: float, most: int) -> None:
    impatient = [(1_000, 10_000)] * 1_100
    sends = drive(make_pace(rate), [(0, 1), (3_600_000_000, 10_000), *impatient])

    assert most - 1 <= most_within(sends, 1 * S) <= most + 1


@pytest.mark.parametrize("rate", [0.5, 1, 3, 10, 100, 1_000])
def test_a_queue_that_never_empties_is_sent_at_the_rate(rate: float) -> None:
    sends = drive(make_pace(rate), [(1_000, 10_000)] * 20_000)

    assert sum(sent for _, sent in sends) == pytest.approx(20 * rate, rel=0.01, abs=1)


@pytest.mark.parametrize("late", [0 * MS, 20 * MS, 99 * MS])
def test_a_loop_that_is_late_makes_up_for_it(late: timedelta) -> None:
    pace = make_pace(100).after(1, T0)

    assert pace.next_at == T0 + 10 * MS
    assert pace.allowed(T0 + 10 * MS + late) == 1 + late // (10 * MS)


def test_nobody_makes_up_for_more_than_a_tenth_of_a_second() -> None:
    pace = make_pace(100).after(1, T0)

    assert pace.allowed(T0 + 3_600 * S) == 11
    after = pace.after(11, T0 + 3_600 * S)
    assert after.allowed(T0 + 3_600 * S) == 0
    assert after.allowed(T0 + 3_600 * S + 10 * MS) == 1


def test_the_first_second_is_not_faster_than_the_rate() -> None:
    assert make_pace(1_000).allowed(T0) == 1


@given(RATES, st.integers(1, 500))
@examples(100)
def test_what_is_not_allowed_now_is_allowed_when_the_pace_says(rate: float, sent: int) -> None:
    after = make_pace(rate).after(sent, T0)

    assert after.next_at is not None
    assert after.allowed(after.next_at - timedelta.resolution) == 0
    assert after.allowed(after.next_at) == 1


@given(RATES)
@examples(50)
def test_nothing_sent_leaves_the_pace_as_it_is(rate: float) -> None:
    pace = make_pace(rate)

    assert pace.after(0, T0) == pace


def test_without_a_rate_nothing_is_held_up() -> None:
    pace = make_pace(None)

    assert pace.after(5_000, T0) == pace
    assert pace.allowed(T0) >= 1_000_000
    assert pace.next_at is None


@pytest.mark.parametrize(
    ("ramp", "max_in_flight", "expected"),
    [
        (None, 16, 16),  # no outage, or long ago
        (2, 16, 2),
        (15, 16, 15),
        (16, 16, 16),
        (2, 1, 1),  # never above maxInFlight
        (2, 0, 0),  # nor above what the state allows
        (9, 1, 1),  # on trial again, in the middle of a ramp
    ],
)
def test_how_many_may_be_in_flight_while_it_ramps_up(
    ramp: int | None, max_in_flight: int, expected: int
) -> None:
    assert ramped(ramp, max_in_flight) == expected


@pytest.mark.parametrize(
    ("max_in_flight", "expected"),
    [(1, [None]), (2, [None]), (3, [3, None]), (6, [3, 4, 5, 6, None])],
)
def test_each_complete_response_lets_one_more_go(max_in_flight: int, expected: list[int | None]) -> None:
    ramp: int | None = FIRST_STEP
    steps = []
    while ramp is not None:
        ramp = climb(ramp, max_in_flight)
        steps.append(ramp)

    assert steps == expected


def test_a_connection_that_has_ramped_up_stays_there() -> None:
    assert climb(None, 16) is None
    assert climb(99, 16) is None  # the top was lowered meanwhile


@given(st.integers(1, 256))
@examples(50)
def test_the_ramp_ends_at_the_top_and_never_falls(max_in_flight: int) -> None:
    ramp: int | None = FIRST_STEP
    widths = [ramped(ramp, max_in_flight)]
    while (ramp := climb(ramp, max_in_flight)) is not None:
        widths.append(ramped(ramp, max_in_flight))
    widths.append(ramped(ramp, max_in_flight))

    assert widths == sorted(widths)
    assert widths[0] == min(FIRST_STEP, max_in_flight)
    assert widths[-1] == max_in_flight
