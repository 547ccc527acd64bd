"""What the operator is told of a destination that flaps (specification, section 4, hysteresis)."""

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.connection_state import Report, Status
from longwire.core.hysteresis import QUIET_FOR, Told, tell, tell_due

S = timedelta(seconds=1)
T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
OPENED = Report(Status.OPENED, "the destination answers again")
CLOSING = Report(Status.CLOSING, "reset")
REFUSED = Report(Status.AUTHENTICATION_FAILED, "proxy-407")

# What a connection reports: it closes, perhaps its proxy then refuses the credentials, and it is open again.
FOLLOWERS = {OPENED: [CLOSING, REFUSED], CLOSING: [OPENED, REFUSED], REFUSED: [OPENED]}
PAUSES_S = st.sampled_from([0.0, 0.1, 1.0, 29.0, 59.9, 60.0, 61.0, 200.0])
FLAPPING = st.lists(st.tuples(PAUSES_S, st.integers(0, 1)), max_size=30)


@dataclass
class Operator:
    """What one operator heard, and when; told as a lane tells."""

    told: Told = field(default_factory=Told)
    now: datetime = T0
    last: Report = OPENED
    closings: int = 0
    heard: list[tuple[timedelta, Report]] = field(default_factory=list)

    def pass_time(self, seconds: float) -> None:
        """Let time pass; what becomes due meanwhile is told then."""
        until = self.now + seconds * S
        while self.told.due is not None and self.told.due <= until:
            self.now = max(self.now, self.told.due)
            self.told, report = tell_due(self.told, self.now)
            self._hear(report)
        self.now = until

    def report(self, report: Report) -> None:
        self.closings += report != OPENED
        self.told, heard = tell(self.told, report, self.now)
        self._hear(heard)
        self.last = report

    def _hear(self, report: Report | None) -> None:
        if report is not None:
            self.heard.append((self.now - T0, report))


def run(events: list[tuple[float, Report]], until: float = 1_000) -> list[tuple[float, str, str]]:
    """Return what was heard of reports made so many seconds after T0."""
    operator = Operator()
    for at, report in events:
        operator.pass_time(at - (operator.now - T0).total_seconds())
        operator.report(report)
    operator.pass_time(until - (operator.now - T0).total_seconds())
    return [(at.total_seconds(), report.status.name, report.reason) for at, report in operator.heard]


def closing(at: float, more: int = 0) -> tuple[float, str, str]:
    return at, "CLOSING", f"reset (and {more} times more since it was last told)" if more else "reset"


def opening(at: float) -> tuple[float, str, str]:
    return at, "OPENED", OPENED.reason


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], []),
        ([(0, CLOSING)], [closing(0)]),
        ([(0, CLOSING), (5, OPENED)], [closing(0), opening(5)]),
        # the opening of a closing that was told is told, however late
        ([(0, CLOSING), (500, OPENED)], [closing(0), opening(500)]),
        # what follows within the minute is kept back; if it is closed when the minute is over, that is told then
        ([(0, CLOSING), (5, OPENED), (6, CLOSING)], [closing(0), opening(5), closing(60)]),
        # if it is open again by then, there is nothing to tell
        ([(0, CLOSING), (5, OPENED), (6, CLOSING), (7, OPENED)], [closing(0), opening(5)]),
        # and what was kept back is counted in the next one that is told
        (
            [(0, CLOSING), (5, OPENED), (6, CLOSING), (7, OPENED), (8, CLOSING)],
            [closing(0), opening(5), closing(60, more=1)],
        ),
        (
            [(0, CLOSING), (5, OPENED), (6, CLOSING), (7, OPENED), (300, CLOSING), (301, OPENED)],
            [closing(0), opening(5), closing(300, more=1), opening(301)],
        ),
        # the minute counts from the closing that was told: another one exactly then is told at once
        ([(0, CLOSING), (59, OPENED), (60, CLOSING)], [closing(0), opening(59), closing(60)]),
        ([(0, CLOSING), (59, OPENED), (59.9, CLOSING)], [closing(0), opening(59), closing(60)]),
    ],
)
def test_what_is_told_of_a_connection_that_closes_and_opens(
    events: list[tuple[float, Report]], expected: list[tuple[float, str, str]]
) -> None:
    assert run(events) == expected


def test_a_refusal_that_was_kept_back_is_not_told_once_the_connection_is_open_again() -> None:
    assert run([(0, CLOSING), (5, REFUSED), (9, OPENED)]) == [closing(0), opening(9)]


def test_a_refusal_that_lasts_is_told_when_the_minute_is_over() -> None:
    assert run([(0, CLOSING), (5, REFUSED)]) == [closing(0), (60, "AUTHENTICATION_FAILED", "proxy-407")]


def test_flapping_for_an_hour_is_told_once_a_minute() -> None:
    events = [(float(at), OPENED if at % 2 else CLOSING) for at in range(3600)]

    heard = run(events, until=3600)

    closings = [at for at, status, _ in heard if status == "CLOSING"]
    assert closings == [60.0 * n for n in range(60)]
    assert heard[2] == closing(60, more=29)  # 30 closings from second 2 on were kept back until this one


def test_a_lane_that_takes_up_an_outage_tells_its_end() -> None:
    assert tell(Told(is_open=False), OPENED, T0) == (Told(is_open=True), OPENED)


def test_nothing_is_told_before_it_is_due() -> None:
    kept_back, _ = tell(Told(T0), CLOSING, T0 + 1 * S)

    assert kept_back.due == T0 + QUIET_FOR
    assert tell_due(kept_back, T0 + 59.9 * S) == (kept_back, None)
    assert tell_due(Told(T0), T0 + 61 * S) == (Told(T0), None)


def flap(pauses: list[tuple[float, int]]) -> Operator:
    operator = Operator()
    for pause_s, which in pauses:
        operator.pass_time(pause_s)
        followers = FOLLOWERS[operator.last]
        operator.report(followers[which % len(followers)])
    return operator


@given(FLAPPING)
@examples(300)
def test_at_most_one_pair_of_closed_and_opened_is_told_a_minute(pauses: list[tuple[float, int]]) -> None:
    heard = flap(pauses).heard

    closings = [at for at, report in heard if report != OPENED]
    assert all(later - sooner >= 60 * S for sooner, later in itertools.pairwise(closings))
    openings = sum(report == OPENED for _, report in heard)
    assert openings <= len(closings)
    assert all(one[1] != OPENED or other[1] != OPENED for one, other in itertools.pairwise(heard))


@given(FLAPPING)
@examples(300)
def test_the_last_state_is_always_told_in_the_end(pauses: list[tuple[float, int]]) -> None:
    operator = flap(pauses)

    operator.pass_time(60)

    assert operator.told.due is None
    last_heard = operator.heard[-1][1] if operator.heard else OPENED
    assert last_heard.status is operator.last.status


@given(FLAPPING)
@examples(200)
def test_every_closing_is_told_or_counted(pauses: list[tuple[float, int]]) -> None:
    operator = flap(pauses)
    operator.pass_time(60)
    operator.report(OPENED)
    operator.pass_time(100)
    operator.report(CLOSING)

    assert sum(1 + _counted(report) for _, report in operator.heard if report != OPENED) == operator.closings


def _counted(report: Report) -> int:
    _, _, more = report.reason.partition("(and ")
    return int(more.split()[0]) if more else 0
