"""The table of a connection's life: every pair of state and event, and what `step` does with it."""

import functools
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from longwire.core.connection_state import (
    TABLE,
    WAITING,
    Event,
    Happened,
    Outage,
    Policy,
    Probe,
    Report,
    State,
    Status,
    allowance,
    idle_at,
    step,
)
from longwire.core.schedule import Strategy, next_offset

S = timedelta(seconds=1)
H = timedelta(hours=1)
D = timedelta(days=1)
T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
T1 = T0 + 20 * S
POLICY = Policy(Strategy.NORMAL, 30 * S)
OUTAGE = Outage(T0, 15 * S, T0 + 15 * S)

OPENING, OPENED, CLOSING, CLOSED = Status.OPENING, Status.OPENED, Status.CLOSING, Status.CLOSED
AUTHENTICATING, REFUSED = Status.AUTHENTICATING, Status.AUTHENTICATION_FAILED
UNREACHABLE, DEACTIVATED = Status.UNREACHABLE, Status.DEACTIVATED

# Specification, section 4. A pair that is not here changes nothing.
TRANSITIONS = [
    # CLOSED -> OPENING -> (AUTHENTICATING ->) OPENED
    (CLOSED, Event.RETRY_DUE, OPENING),
    (OPENING, Event.REACHED, OPENED),
    (OPENING, Event.CREDENTIALS_SENT, AUTHENTICATING),
    (AUTHENTICATING, Event.REACHED, OPENED),
    # a complete response: stays open
    (OPENED, Event.ANSWERED, OPENED),
    # OPENED -(trouble)-> CLOSING -> CLOSED
    (OPENED, Event.UNANSWERED, CLOSING),
    (CLOSING, Event.DRAINED, CLOSED),
    # a try that failed
    (OPENING, Event.UNANSWERED, CLOSED),
    (AUTHENTICATING, Event.UNANSWERED, CLOSED),
    # AUTHENTICATION_FAILED on the proxy's 407, retried like CLOSED
    (OPENING, Event.CREDENTIALS_REFUSED, REFUSED),
    (AUTHENTICATING, Event.CREDENTIALS_REFUSED, REFUSED),
    (OPENED, Event.CREDENTIALS_REFUSED, REFUSED),  # in absolute form the first message is the probe
    (REFUSED, Event.RETRY_DUE, OPENING),
    # AGGRESSIVE restarts an OPENED connection that saw no uplink
    (OPENED, Event.IDLE, OPENING),
    # any -> DEACTIVATED by active=false; restart, PUT and PATCH reconnect at once
    *((status, Event.DEACTIVATE, DEACTIVATED) for status in Status),
    *((status, Event.CONNECT, OPENING) for status in Status),
    # a restart of Longwire opens what does not wait for its schedule
    *((status, Event.RESUME, OPENING) for status in Status if status not in {CLOSED, REFUSED}),
    # the worker that hosts the connection does not report; a deactivated one has none
    *((s, Event.HOST_LOST, UNREACHABLE) for s in Status if s not in {UNREACHABLE, DEACTIVATED}),
]
EXPECTED = {(status, event): after for status, event, after in TRANSITIONS}
EVERY_PAIR = list(itertools.product(Status, Event))


def names(pair: object) -> str:
    if isinstance(pair, Outage):
        return "in an outage"
    return pair.name if isinstance(pair, Status | Event | Strategy) else repr(pair)


def state(status: Status, outage: Outage | None = None) -> State:
    return State(status, T0, "refused: nobody listens" if outage else "", outage)


def happened(event: Event, reason: str = "") -> Happened:
    return Happened(event, T1, reason)


def test_the_table_has_all_eight_states_of_the_contract() -> None:
    assert {each.value for each in Status} == {
        "OPENING",
        "OPENED",
        "CLOSING",
        "CLOSED",
        "AUTHENTICATING",
        "AUTHENTICATION_FAILED",
        "UNREACHABLE",
        "DEACTIVATED",
    }
    assert {status for status, _ in TABLE} == set(Status)
    assert set(TABLE.values()) == set(Status)


def test_the_table_is_the_specification() -> None:
    assert dict(TABLE) == EXPECTED


def test_every_state_can_be_reached_and_left() -> None:
    reached = {DEACTIVATED}
    while more := {after for (status, _), after in TABLE.items() if status in reached} - reached:
        reached |= more

    assert reached == set(Status)
    for status in Status:
        assert {after for (before, _), after in TABLE.items() if before is status} - {status}


@pytest.mark.parametrize(("status", "event"), EVERY_PAIR, ids=names)
@pytest.mark.parametrize("outage", [None, OUTAGE], ids=["well", "in an outage"])
def test_a_step_goes_where_the_table_says_and_nowhere_else(
    status: Status, event: Event, outage: Outage | None
) -> None:
    before = state(status, outage)

    after, commands = step(before, happened(event), POLICY)

    if (status, event) in EXPECTED:
        assert after.status is EXPECTED[status, event]
    else:
        assert (after, commands) == (before, ())


@pytest.mark.parametrize(("status", "event"), EVERY_PAIR, ids=names)
def test_a_step_with_the_same_arguments_gives_the_same_answer(status: Status, event: Event) -> None:
    arguments = (state(status, OUTAGE), Happened(event, T1, "why", 0.5), POLICY)

    assert step(*arguments) == step(*arguments)


@pytest.mark.parametrize(("status", "event"), EVERY_PAIR, ids=names)
@pytest.mark.parametrize("outage", [None, OUTAGE], ids=["well", "in an outage"])
def test_every_opening_probes_and_nothing_else_does(
    status: Status, event: Event, outage: Outage | None
) -> None:
    after, commands = step(state(status, outage), happened(event), POLICY)

    assert (Probe() in commands) == (EXPECTED.get((status, event)) is OPENING)
    assert Probe() not in commands or after.status is OPENING


@pytest.mark.parametrize(("status", "event"), EVERY_PAIR, ids=names)
@pytest.mark.parametrize("outage", [None, OUTAGE], ids=["well", "in an outage"])
def test_a_connection_waits_for_a_try_exactly_while_it_is_closed(
    status: Status, event: Event, outage: Outage | None
) -> None:
    after, _ = step(state(status, outage), happened(event), POLICY)

    if after.status in WAITING and (status, event) in EXPECTED:
        assert after.retry_at is not None
        assert after.retry_at > T1
    if after.status not in WAITING:
        assert after.retry_at is None


@pytest.mark.parametrize(
    ("status", "outage", "expected"),
    [
        (OPENED, None, 16),
        (OPENED, OUTAGE, 1),  # on trial
        *((status, None, 0) for status in Status if status is not OPENED),
        *((status, OUTAGE, 0) for status in Status if status is not OPENED),
    ],
    ids=names,
)
def test_how_many_messages_may_be_in_flight(status: Status, outage: Outage | None, expected: int) -> None:
    assert allowance(state(status, outage), 16) == expected


@pytest.mark.parametrize("status", list(Status), ids=names)
@pytest.mark.parametrize("outage", [None, OUTAGE], ids=["well", "in an outage"])
def test_on_trial_is_open_with_an_outage_that_has_not_ended(status: Status, outage: Outage | None) -> None:
    assert state(status, outage).on_trial == (status is OPENED and outage is not None)


@pytest.mark.parametrize("status", [OPENING, AUTHENTICATING, OPENED], ids=names)
def test_the_first_trouble_is_told_with_its_reason(status: Status) -> None:
    after, commands = step(state(status), happened(Event.UNANSWERED, "refused: nobody listens"), POLICY)

    assert commands == (Report(after.status, "refused: nobody listens"),)
    assert after.reason == "refused: nobody listens"


@pytest.mark.parametrize("status", [OPENING, AUTHENTICATING, OPENED], ids=names)
def test_further_trouble_is_no_news(status: Status) -> None:
    _, commands = step(state(status, OUTAGE), happened(Event.UNANSWERED, "timeout: 10 s"), POLICY)

    assert commands == ()


def test_refused_credentials_are_told_as_such() -> None:
    after, commands = step(state(AUTHENTICATING), happened(Event.CREDENTIALS_REFUSED, "407"), POLICY)

    assert after.status is REFUSED
    assert commands == (Report(REFUSED, "407"),)


def test_a_complete_response_of_a_connection_that_is_well_changes_nothing() -> None:
    well = state(OPENED)

    assert step(well, happened(Event.ANSWERED), POLICY) == (well, ())


@pytest.mark.parametrize(
    ("strategy", "status", "last_uplink_at", "expected"),
    [
        (Strategy.AGGRESSIVE, OPENED, T0, T0 + H),
        (Strategy.AGGRESSIVE, OPENED, T0 + 90 * S, T0 + H + 90 * S),
        (Strategy.AGGRESSIVE, OPENED, T0 - 5 * H, T0 + H),  # it counts from the opening at least
        (Strategy.AGGRESSIVE, CLOSED, T0, None),
        (Strategy.AGGRESSIVE, DEACTIVATED, T0, None),
        (Strategy.NORMAL, OPENED, T0, None),
        (Strategy.CALM, OPENED, T0, None),
        (Strategy.EXPONENTIAL, OPENED, T0, None),
    ],
)
def test_when_an_open_connection_is_restarted_for_want_of_uplinks(
    strategy: Strategy, status: Status, last_uplink_at: datetime, expected: datetime | None
) -> None:
    assert idle_at(state(status), Policy(strategy, 30 * S), last_uplink_at) == expected


# What the operator is told, beside the probes: (status, event) -> the status of the report. Anything else is silent.
TOLD_WELL = {
    (OPENING, Event.UNANSWERED): CLOSED,
    (AUTHENTICATING, Event.UNANSWERED): CLOSED,
    (OPENED, Event.UNANSWERED): CLOSING,
    (OPENING, Event.CREDENTIALS_REFUSED): REFUSED,
    (AUTHENTICATING, Event.CREDENTIALS_REFUSED): REFUSED,
    (OPENED, Event.CREDENTIALS_REFUSED): REFUSED,
}
TOLD_IN_AN_OUTAGE = {
    (OPENED, Event.ANSWERED): OPENED,
    (OPENING, Event.CREDENTIALS_REFUSED): REFUSED,
    (AUTHENTICATING, Event.CREDENTIALS_REFUSED): REFUSED,
    (OPENED, Event.CREDENTIALS_REFUSED): REFUSED,
}
# A connection is closing or waits only in an outage.
POSSIBLE = [
    (status, event, outage)
    for (status, event), outage in itertools.product(EVERY_PAIR, [None, OUTAGE])
    if outage or status not in {*WAITING, CLOSING}
]


@pytest.mark.parametrize(("status", "event", "outage"), POSSIBLE, ids=names)
def test_every_step_gives_exactly_its_commands(status: Status, event: Event, outage: Outage | None) -> None:
    _, commands = step(state(status, outage), happened(event, "407: wrong password"), POLICY)

    told = (TOLD_IN_AN_OUTAGE if outage else TOLD_WELL).get((status, event))
    probes = EXPECTED.get((status, event)) is OPENING
    assert [type(command) for command in commands] == [Probe] * probes + [Report] * (told is not None)
    assert [each.status for each in commands if isinstance(each, Report)] == [told] * (told is not None)


@pytest.mark.parametrize(("status", "event", "outage"), POSSIBLE, ids=names)
def test_an_outage_begins_with_trouble_and_ends_with_an_answer(
    status: Status, event: Event, outage: Outage | None
) -> None:
    after, _ = step(state(status, outage), happened(event), POLICY)

    is_trouble = (status, event) in TOLD_WELL
    is_over = (status, event) == (OPENED, Event.ANSWERED)
    assert (after.outage is not None) == (is_trouble if outage is None else not is_over)


@pytest.mark.parametrize("status", list(Status), ids=names)
@pytest.mark.parametrize("outage", [None, OUTAGE], ids=["well", "in an outage"])
def test_any_connection_can_be_deactivated_and_its_next_opening_is_on_trial_after_an_outage(
    status: Status, outage: Outage | None
) -> None:
    after, commands = step(state(status, outage), happened(Event.DEACTIVATE), POLICY)

    kept = replace(outage, retry_at=None) if outage else None
    assert (after, commands) == (State(DEACTIVATED, T1, outage=kept), ())


@pytest.mark.parametrize("status", list(Status), ids=names)
@pytest.mark.parametrize("outage", [None, OUTAGE], ids=["well", "in an outage"])
def test_a_command_reconnects_at_once_from_any_state(status: Status, outage: Outage | None) -> None:
    after, commands = step(state(status, outage), happened(Event.CONNECT), POLICY)

    assert (after.status, after.since, commands) == (OPENING, T1, (Probe(),))
    assert after.outage == (Outage(T1) if outage else None)


class FailingLife:
    """A connection whose destination stays away: every try fails, Longwire restarts in between."""

    def __init__(self, policy: Policy, jitter: Callable[[], float]) -> None:
        self.policy = policy
        self.jitter = jitter
        self.state = State(OPENED, T0)
        self._happen(T0, Event.UNANSWERED, Event.DRAINED)

    def tries(self, until: timedelta, failure: Sequence[Event], takes: timedelta) -> list[timedelta]:
        """Return the offset of each try that was planned, in the order in which they were made."""
        planned = []
        while (due := self.state.retry_at) is not None and due < T0 + until:
            waiting = self.state
            assert waiting.outage is not None
            planned.append(waiting.outage.planned)
            assert abs(due - T0 - planned[-1]) <= min(planned[-1] / 10, 60 * S)
            self._happen(due - (due - waiting.since) / 3, Event.RESUME)
            assert self.state == waiting
            self._happen(due, Event.RETRY_DUE)
            self._happen(due + takes, *failure)
        return planned

    def _happen(self, at: datetime, *events: Event) -> None:
        for event in events:
            self.state, _ = step(self.state, Happened(event, at, "away", self.jitter()), self.policy)


def planned_tries(policy: Policy, until: timedelta) -> list[timedelta]:
    """Return the tables of `schedule`, which `test_schedule` compares with the specification."""
    offsets = [next_offset(policy.strategy, policy.blame_period, 0 * S)]
    while (last := offsets[-1]) is not None and last < until:
        offsets.append(next_offset(policy.strategy, policy.blame_period, last))
    return [each for each in offsets if each is not None]


FAILURES = {
    "refuses": [Event.UNANSWERED],
    "refuses after a restart of Longwire": [Event.RESUME, Event.UNANSWERED],
    "accepts and then hangs": [Event.REACHED, Event.UNANSWERED, Event.DRAINED],
    "refuses the credentials": [Event.CREDENTIALS_SENT, Event.CREDENTIALS_REFUSED],
}
JITTERS = {"early": (-1, -1), "late": (1, 1), "any": (-1, 1)}


@pytest.mark.parametrize("failure", list(FAILURES))
@pytest.mark.parametrize("jitter", list(JITTERS))
@pytest.mark.parametrize("strategy", list(Strategy), ids=names)
@pytest.mark.parametrize("blame_period_s", [0, 5, 30])
def test_three_weeks_of_failing_tries_keep_the_schedule(
    strategy: Strategy, blame_period_s: int, jitter: str, failure: str
) -> None:
    policy = Policy(strategy, blame_period_s * S)
    life = FailingLife(policy, functools.partial(Random(1).uniform, *JITTERS[jitter]))

    made = life.tries(21 * D, FAILURES[failure], takes=0.05 * S)

    expected = planned_tries(policy, 21 * D)
    assert made == expected[: len(made)]
    assert len(expected) - len(made) <= 1  # the last one may be beyond the end
    assert (life.state.retry_at is None) == (strategy is Strategy.CALM)
