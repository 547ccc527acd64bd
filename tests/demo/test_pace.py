"""When devices speak: evenly spread, and a second run goes on where the first one was."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.demo.pace import EPOCH, MAX_LATE, plan_pace, put_off, share_of, wait_before_repeat

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)
S = timedelta(seconds=1)


def test_devices_speak_one_after_the_other() -> None:
    pace = plan_pace(devices=4, rate_per_second=2, now=T0, first_counter=7)
    dues = [pace.due(index, counter) - T0 for counter in (7, 8) for index in range(4)]
    assert dues == [n * S / 2 for n in range(8)]
    assert [pace.next_counter(index, T0) for index in range(4)] == [7, 7, 7, 7]


@given(
    devices=st.integers(1, 500),
    rate=st.floats(0.001, 5000),
    index=st.integers(0, 499),
    start_s=st.floats(0, 1e8),
    run_s=st.floats(0, 1e6),
)
def test_a_second_run_at_the_same_rate_uses_higher_counters(
    devices: int, rate: float, index: int, start_s: float, run_s: float
) -> None:
    index %= devices
    start = EPOCH + timedelta(seconds=start_s)
    first = plan_pace(devices, rate, start, None)
    used = first.next_counter(index, start + timedelta(seconds=run_s))
    ended = first.due(index, used) + timedelta.resolution

    second = plan_pace(devices, rate, ended, None)

    assert second.next_counter(index, ended) > used >= first.next_counter(index, start)
    assert second.due(index, second.next_counter(index, ended)) - ended <= second.interval


def test_a_clock_before_the_epoch_begins_at_0() -> None:
    early = datetime(1970, 1, 1, tzinfo=UTC)
    pace = plan_pace(devices=3, rate_per_second=1, now=early, first_counter=None)
    assert pace.next_counter(2, early) == 0


def test_a_rate_too_high_to_pace_still_has_an_interval() -> None:
    assert plan_pace(1, 1e12, T0, None).interval == timedelta.resolution


@pytest.mark.parametrize(
    ("late", "expected"),
    [(-S, 0 * S), (MAX_LATE, 0 * S), (MAX_LATE + S, S), (MAX_LATE + 3600 * S, 3600 * S)],
)
def test_a_device_that_is_too_late_puts_off_its_timetable(late: timedelta, expected: timedelta) -> None:
    assert put_off(timedelta(), due=T0, now=T0 + late) == expected


def test_a_timetable_is_never_brought_forward() -> None:
    assert put_off(5 * S, due=T0, now=T0) == 5 * S


def test_the_shares_of_all_devices_are_the_count() -> None:
    shares = [share_of(index, 7, 24) for index in range(7)]
    assert shares == [4, 4, 4, 3, 3, 3, 3]
    assert share_of(0, 7, None) is None


@pytest.mark.parametrize(
    ("failures", "chance", "expected"),
    [(1, 0, 0.1), (1, 1, 0.2), (2, 1, 0.4), (4, 0, 0.8), (6, 1, 5), (100_000, 1, 5), (100_000, 0, 2.5)],
)
def test_the_wait_doubles_up_to_its_limit(failures: int, chance: float, expected: float) -> None:
    assert wait_before_repeat(failures, 0.2 * S, 5 * S, chance) == expected * S
