"""The sums over a window, against a plain list of everything that was counted."""

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from longwire.core.delivery import Outcome
from longwire.core.traffic import Counts, Sums, Tally, count, levels, percentile

WINDOW = 5

counts = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)).map(
    lambda parts: Counts(sum(parts), parts[1], parts[2])
)


class SumsMachine(RuleBasedStateMachine):
    """Writes rows, moves on by any number of minutes, and subtracts the rows of the minutes left behind."""

    @initialize(begin=st.integers(0, 20))
    def begin_with_rows(self, begin: int) -> None:
        self.minute = begin
        self.written: list[tuple[int, int, Counts]] = [(1, begin, Counts(2, 0, 2))]
        self.sums = Sums(WINDOW, begin, {1: Counts(2, 0, 2)})

    @rule(connection=st.integers(1, 3), ago=st.integers(-2, 8), counts=counts)
    def write(self, connection: int, ago: int, counts: Counts) -> None:
        minute = max(0, self.minute - ago)
        self.written.append((connection, minute, counts))
        self.sums.add(connection, minute, counts)

    @rule(minutes=st.integers(0, 2 * WINDOW))
    def pass_time(self, minutes: int) -> None:
        self.minute += minutes
        leaving = self.sums.leaving(self.minute)
        if leaving:
            self.sums.leave(leaving, ((each[0], each[2]) for each in self.written if each[1] in leaving))

    @rule()
    def the_clock_goes_back(self) -> None:
        assert not self.sums.leaving(self.minute - 3)

    @invariant()
    def each_sum_is_what_the_window_holds(self) -> None:
        for connection in (1, 2, 3):
            expected = Counts()
            for each in self.written:
                if each[0] == connection and each[1] > self.minute - WINDOW:
                    expected.move(each[2], 1)
            assert self.sums.get(connection) == expected


TestSums = SumsMachine.TestCase
TestSums.settings = hypothesis_settings(deadline=None)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.DELIVERED, Counts(3, 0, 0)),
        (Outcome.LOST, Counts(3, 0, 3)),
        (Outcome.REJECTED, Counts(3, 3, 0)),
        (Outcome.EXPIRED, Counts(3, 3, 0)),
        (Outcome.FAILED, Counts(3, 3, 0)),
        (Outcome.FILTERED, Counts(0, 0, 0)),
        (Outcome.DISCARDED, Counts(0, 0, 0)),
    ],
)
def test_what_ended_is_delivered_failed_or_lost(outcome: Outcome, expected: Counts) -> None:
    tally = Tally()
    tally.add(outcome, 2)
    tally.add(outcome)
    assert count(tally.outcomes()) == expected


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ((), 50, None),
        ((7,), 50, 7),
        ((7,), 95, 7),
        ((4, 1, 3, 2), 50, 2),
        (tuple(range(1, 101)), 95, 95),
        (tuple(range(1, 101)), 100, 100),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: tuple[int, ...], percent: int, expected: int | None
) -> None:
    assert percentile(values, percent) == expected


@pytest.mark.parametrize(
    ("changes", "step", "expected"),
    [
        ((), 1, [0] * 6),
        (((4, 7),), 1, [7] * 6),
        (((12, 3), (14, 0)), 1, [0, 0, 3, 3, 0, 0]),
        (((4, 1), (11, 5), (12, 2), (15, 9)), 1, [1, 5, 2, 2, 2, 9]),
        (((4, 1), (11, 5), (12, 2), (15, 9)), 4, [5, 9]),
    ],
)
def test_a_level_lasts_until_it_changes(
    changes: tuple[tuple[int, int], ...], step: int, expected: list[int]
) -> None:
    assert levels(changes, range(10, 16), step) == expected
