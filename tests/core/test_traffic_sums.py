"""The sums over a window, against a plain list of everything that was counted."""

from collections import Counter

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from longwire.core.delivery import Outcome
from longwire.core.traffic import PARTS, Counts, Part, Sums

WINDOW = 5


class SumsMachine(RuleBasedStateMachine):
    """Counts, moves on by any number of minutes, and subtracts what the rows of the minutes left behind hold."""

    @initialize(begin=st.integers(0, 20))
    def begin_with_rows(self, begin: int) -> None:
        self.minute = begin
        self.counted: list[tuple[int, int, Part, int]] = [(1, begin, Part.LOST, 2)]
        self.sums = Sums(WINDOW, begin, {1: Counts(2, 0, 2)})

    @rule(
        connection=st.integers(1, 3),
        ago=st.integers(0, 8),
        part=st.sampled_from(Part),
        count=st.integers(1, 9),
    )
    def count(self, connection: int, ago: int, part: Part, count: int) -> None:
        minute = max(0, self.minute - ago)
        self.counted.append((connection, minute, part, count))
        self.sums.add(connection, minute, part, count)

    @rule(minutes=st.integers(0, 2 * WINDOW))
    def pass_time(self, minutes: int) -> None:
        self.minute += minutes
        left = self.sums.move_to(self.minute)
        if left:
            self.sums.subtract(left, ((each[0], counts(each)) for each in self.counted if each[1] in left))

    @rule()
    def the_clock_goes_back(self) -> None:
        assert not self.sums.move_to(self.minute - 3)

    @invariant()
    def each_sum_is_what_the_window_holds(self) -> None:
        for connection in (1, 2, 3):
            expected = Counts()
            for each in self.counted:
                if each[0] == connection and each[1] > self.minute - WINDOW:
                    expected.move(counts(each), 1)
            assert self.sums.get(connection) == expected


def counts(each: tuple[int, int, Part, int]) -> Counts:
    found = Counts()
    found.add(each[2], each[3])
    return found


TestSums = SumsMachine.TestCase
TestSums.settings = hypothesis_settings(deadline=None)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.DELIVERED, Counts(1, 0, 0)),
        (Outcome.LOST, Counts(1, 0, 1)),
        (Outcome.REJECTED, Counts(1, 1, 0)),
        (Outcome.EXPIRED, Counts(1, 1, 0)),
        (Outcome.FAILED, Counts(1, 1, 0)),
    ],
)
def test_what_ended_is_delivered_failed_or_lost(outcome: Outcome, expected: Counts) -> None:
    found = Counts()
    found.add(PARTS[outcome], 1)
    assert found == expected


def test_what_did_not_end_on_the_connection_is_not_counted() -> None:
    assert set(Outcome) - PARTS.keys() == {Outcome.QUEUED, Outcome.FILTERED, Outcome.DISCARDED}
    assert Counter(PARTS.values())[Part.DELIVERED] == 1
