"""An outage from its first trouble to the complete response that ends it (specification, section 4)."""

from datetime import UTC, datetime, timedelta

import pytest

from longwire.core.connection_state import (
    Command,
    Event,
    Happened,
    Outage,
    Policy,
    Probe,
    Report,
    State,
    Status,
    allowance,
    step,
)
from longwire.core.schedule import Strategy

S = timedelta(seconds=1)
M = timedelta(minutes=1)
H = timedelta(hours=1)
D = timedelta(days=1)
T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)

TROUBLE = [Event.UNANSWERED, Event.DRAINED]
FAILED_TRY = [Event.RETRY_DUE, Event.UNANSWERED]
HANGING_TRY = [Event.RETRY_DUE, Event.REACHED, *TROUBLE]
OPENS = [Event.REACHED, Event.ANSWERED]


class Life:
    """One connection: what has happened to it, and every command that came of it."""

    def __init__(self, strategy: Strategy = Strategy.NORMAL, blame_period: timedelta = 30 * S) -> None:
        self.policy = Policy(strategy, blame_period)
        self.state = State(Status.DEACTIVATED, T0)
        self.now = T0
        self.commands: list[Command] = []

    def pass_time(self, duration: timedelta) -> None:
        self.now += duration

    def happen(self, *events: Event, reason: str = "") -> None:
        for event in events:
            self.state, commands = step(self.state, Happened(event, self.now, reason), self.policy)
            self.commands += commands

    def wait_for_the_try(self) -> None:
        assert self.state.retry_at is not None
        self.now = self.state.retry_at

    @property
    def offset(self) -> timedelta | None:
        """Return when the next try is due, counted from T0."""
        return None if self.state.retry_at is None else self.state.retry_at - T0

    @property
    def reports(self) -> list[Report]:
        return [command for command in self.commands if isinstance(command, Report)]


def opened(strategy: Strategy = Strategy.NORMAL, blame_period: timedelta = 30 * S) -> Life:
    life = Life(strategy, blame_period)
    life.happen(Event.CONNECT, *OPENS)
    assert life.state.status is Status.OPENED
    return life


def closed(strategy: Strategy = Strategy.NORMAL, blame_period: timedelta = 30 * S) -> Life:
    """Return a connection that closed at T0."""
    life = opened(strategy, blame_period)
    life.happen(*TROUBLE, reason="reset: gone")
    assert life.state.status is Status.CLOSED
    return life


def seconds_of_tries(life: Life, tries: int, events: list[Event]) -> list[float]:
    """Return when each of the next tries is due, in seconds from T0; `events` are what happens at each."""
    found = []
    for _ in range(tries):
        life.wait_for_the_try()
        found.append((life.now - T0).total_seconds())
        life.happen(*events)
    return found


def test_a_connection_closes_when_what_is_in_flight_has_ended() -> None:
    life = opened()

    life.happen(Event.UNANSWERED, reason="timeout: 10 s")
    assert (life.state.status, life.offset) == (Status.CLOSING, None)
    life.pass_time(2 * S)
    life.happen(Event.UNANSWERED, Event.ANSWERED)
    assert (life.state.status, life.offset) == (Status.CLOSING, None)
    life.happen(Event.DRAINED)

    assert (life.state.status, life.offset) == (Status.CLOSED, 3 * S)  # the try after 1 s was overtaken


def test_the_schedule_counts_from_the_closing() -> None:
    assert seconds_of_tries(closed(), 8, FAILED_TRY) == [1, 3, 7, 15, 30, 300, 600, 900]


def test_tries_that_take_long_do_not_move_the_schedule() -> None:
    life = closed()
    found = []
    for _ in range(7):
        life.wait_for_the_try()
        found.append((life.now - T0).total_seconds())
        life.happen(Event.RETRY_DUE)
        life.pass_time(1.5 * S)
        life.happen(Event.UNANSWERED)

    assert found == [1, 3, 7, 15, 30, 300, 600]


def test_jitter_does_not_add_up() -> None:
    life = closed(blame_period=0 * S)
    for planned in (300, 600, 900, 1200):
        assert life.state.outage is not None
        assert life.state.outage.planned == planned * S
        life.wait_for_the_try()
        life.happen(Event.RETRY_DUE)
        life.state, _ = step(life.state, Happened(Event.UNANSWERED, life.now, "", 1.0), life.policy)


def test_a_try_that_came_early_is_not_repeated_at_its_planned_time() -> None:
    life = closed(blame_period=0 * S)
    life.state, _ = step(opened().state, Happened(Event.UNANSWERED, T0), life.policy)
    life.state, _ = step(life.state, Happened(Event.DRAINED, T0, jitter=-1.0), life.policy)

    assert life.offset == 270 * S
    life.wait_for_the_try()
    life.happen(*FAILED_TRY)

    assert life.offset == 600 * S


def test_a_try_that_came_early_is_not_made_again_when_a_restart_cuts_the_next_wait_short() -> None:
    life = closed(blame_period=0 * S)
    life.state, _ = step(opened().state, Happened(Event.UNANSWERED, T0), life.policy)
    life.state, _ = step(life.state, Happened(Event.DRAINED, T0, jitter=-1.0), life.policy)
    life.wait_for_the_try()
    life.happen(*FAILED_TRY)

    life.happen(Event.HOST_LOST, Event.RESUME, Event.UNANSWERED)

    assert life.offset == 600 * S


def test_a_destination_that_accepts_and_then_hangs_stays_in_its_schedule() -> None:
    assert seconds_of_tries(closed(), 7, HANGING_TRY) == [1, 3, 7, 15, 30, 300, 600]


def test_a_destination_that_hangs_for_ten_seconds_stays_in_its_schedule() -> None:
    life = closed()
    found = []
    for _ in range(5):
        life.wait_for_the_try()
        found.append((life.now - T0).total_seconds())
        life.happen(Event.RETRY_DUE, Event.REACHED)
        assert allowance(life.state, 16) == 1
        life.pass_time(10 * S)
        life.happen(*TROUBLE)

    assert found == [1, 15, 30, 300, 600]


@pytest.mark.parametrize(
    "events",
    [
        [Event.REACHED],
        [Event.REACHED, Event.UNANSWERED],
        [Event.REACHED, *TROUBLE],
        [Event.UNANSWERED],
        [Event.CREDENTIALS_SENT, Event.REACHED],
        [Event.CREDENTIALS_SENT, Event.CREDENTIALS_REFUSED],
        [Event.REACHED, Event.RESUME],
        [Event.REACHED, Event.CONNECT, Event.REACHED],
        [Event.REACHED, Event.IDLE, Event.REACHED],
        [Event.HOST_LOST, Event.RESUME, Event.REACHED],
    ],
    ids=lambda events: " ".join(event.name for event in events),
)
def test_only_a_complete_response_ends_an_outage(events: list[Event]) -> None:
    life = closed()
    life.wait_for_the_try()
    life.happen(Event.RETRY_DUE, *events)
    assert life.state.outage is not None

    life.happen(Event.CONNECT, Event.REACHED)
    assert allowance(life.state, 16) == 1
    life.happen(Event.ANSWERED)

    assert life.state == State(Status.OPENED, life.now)
    assert allowance(life.state, 16) == 16


def test_the_next_outage_has_its_own_schedule() -> None:
    life = closed()
    seconds_of_tries(life, 6, FAILED_TRY)
    life.wait_for_the_try()
    life.happen(Event.RETRY_DUE, *OPENS)
    life.pass_time(2 * H)
    again_at = life.now

    life.happen(*TROUBLE)

    assert life.state.outage == Outage(again_at, 1 * S, again_at + 1 * S)


def test_a_restart_of_longwire_does_not_move_the_schedule() -> None:
    life = closed()
    found = []
    for _ in range(7):
        waiting = life.state
        life.pass_time(0.1 * S)
        life.happen(Event.RESUME, Event.RESUME)
        assert life.state == waiting
        found += seconds_of_tries(life, 1, FAILED_TRY)

    assert found == [1, 3, 7, 15, 30, 300, 600]


@pytest.mark.parametrize(
    "cut_off",
    [[Event.RETRY_DUE], [Event.RETRY_DUE, Event.REACHED], [Event.RETRY_DUE, Event.REACHED, Event.UNANSWERED]],
    ids=["while trying", "on trial", "while closing"],
)
def test_a_restart_of_longwire_within_a_try_tries_again_and_keeps_the_schedule(cut_off: list[Event]) -> None:
    life = closed()
    seconds_of_tries(life, 5, FAILED_TRY)
    life.wait_for_the_try()
    life.happen(*cut_off)
    life.commands.clear()
    life.pass_time(5 * S)

    life.happen(Event.RESUME)
    assert life.commands == [Probe()]
    life.happen(Event.UNANSWERED)

    assert life.offset == 600 * S


@pytest.mark.parametrize("down_for", [0.5 * S, 20 * S, 40 * M, 3 * H, 2 * D, 60 * D])
def test_a_command_reconnects_at_once_and_starts_the_schedule_over(down_for: timedelta) -> None:
    life = closed()
    life.pass_time(down_for)
    life.commands.clear()

    life.happen(Event.CONNECT)
    assert (life.state.status, life.commands) == (Status.OPENING, [Probe()])
    life.happen(Event.UNANSWERED)

    assert life.state.retry_at == life.now + 1 * S
    assert life.reports == []


def test_calm_gives_up_and_stays_closed_until_a_command() -> None:
    life = closed(Strategy.CALM)
    seconds_of_tries(life, 5 + 72 + 24, FAILED_TRY)
    assert (life.state.status, life.state.retry_at) == (Status.CLOSED, None)
    assert life.now == T0 + 36 * H
    assert [each.status for each in life.reports] == [Status.CLOSING, Status.CLOSED]

    given_up = life.state
    life.pass_time(100 * D)
    life.happen(Event.RESUME, Event.ANSWERED, Event.REACHED, Event.DRAINED)
    assert life.state == given_up
    life.happen(Event.CONNECT)

    assert life.state.status is Status.OPENING
    life.happen(Event.UNANSWERED)
    assert life.state.retry_at == life.now + 1 * S


@pytest.mark.parametrize("strategy", [Strategy.NORMAL, Strategy.AGGRESSIVE, Strategy.EXPONENTIAL], ids=str)
def test_the_other_strategies_never_give_up(strategy: Strategy) -> None:
    life = closed(strategy)
    life.pass_time(3650 * D)
    life.happen(*FAILED_TRY)

    assert life.state.retry_at is not None
    assert life.now < life.state.retry_at <= life.now + D


def test_refused_credentials_are_retried_like_a_closed_connection() -> None:
    life = closed()
    events = [Event.RETRY_DUE, Event.CREDENTIALS_SENT, Event.CREDENTIALS_REFUSED]

    assert seconds_of_tries(life, 7, events) == [1, 3, 7, 15, 30, 300, 600]
    assert life.state.status is Status.AUTHENTICATION_FAILED
    life.wait_for_the_try()
    life.happen(Event.RETRY_DUE, Event.CREDENTIALS_SENT, *OPENS)
    assert life.state == State(Status.OPENED, life.now)


@pytest.mark.parametrize("events", [FAILED_TRY, HANGING_TRY], ids=["refuses", "accepts and hangs"])
def test_one_report_when_it_closes_one_when_it_is_open_again_none_for_each_try(events: list[Event]) -> None:
    life = closed()
    seconds_of_tries(life, 50, events)
    life.wait_for_the_try()
    life.happen(Event.RETRY_DUE, *OPENS, Event.ANSWERED, Event.ANSWERED)

    assert life.reports == [
        Report(Status.CLOSING, "reset: gone"),
        Report(Status.OPENED, "the destination answers again"),
    ]


def test_a_connection_that_never_opened_is_told_once() -> None:
    life = Life()
    life.happen(Event.CONNECT)
    life.happen(Event.UNANSWERED, reason="dns: no such name")
    seconds_of_tries(life, 10, FAILED_TRY)

    assert life.reports == [Report(Status.CLOSED, "dns: no such name")]


def test_refused_credentials_are_told_once_not_for_each_try() -> None:
    life = closed()
    for _ in range(10):
        life.wait_for_the_try()
        life.happen(Event.RETRY_DUE, Event.CREDENTIALS_SENT)
        life.happen(Event.CREDENTIALS_REFUSED, reason="proxy-407: wrong password")

    assert life.reports == [
        Report(Status.CLOSING, "reset: gone"),
        Report(Status.AUTHENTICATION_FAILED, "proxy-407: wrong password"),
    ]


def test_the_reason_stays_until_the_outage_ends() -> None:
    life = closed()
    life.wait_for_the_try()
    for event in (Event.RETRY_DUE, Event.REACHED):
        life.happen(event)
        assert life.state.reason == "reset: gone"
    life.happen(Event.UNANSWERED, Event.DRAINED, reason="timeout: 10 s")
    assert life.state.reason == "timeout: 10 s"
    life.wait_for_the_try()

    life.happen(Event.RETRY_DUE, *OPENS)
    assert life.state.reason == ""


@pytest.mark.parametrize("events", [[], TROUBLE, [*TROUBLE, *FAILED_TRY], [*TROUBLE, Event.RETRY_DUE]])
def test_a_deactivated_connection_does_nothing_until_it_is_activated(events: list[Event]) -> None:
    life = opened()
    life.happen(*events, Event.DEACTIVATE)
    at_rest = life.state
    assert (at_rest.status, at_rest.reason, at_rest.retry_at) == (Status.DEACTIVATED, "", None)
    life.commands.clear()
    for event in set(Event) - {Event.CONNECT, Event.RESUME, Event.DEACTIVATE}:
        life.happen(event)
    assert (life.state, life.commands) == (at_rest, [])

    life.happen(Event.CONNECT)
    assert (life.state.status, life.commands) == (Status.OPENING, [Probe()])
    life.happen(Event.REACHED)
    assert life.state.on_trial == bool(events)


def test_a_worker_that_is_lost_and_found_again_keeps_the_outage() -> None:
    life = closed()
    seconds_of_tries(life, 5, FAILED_TRY)
    life.happen(Event.HOST_LOST)
    assert (life.state.status, life.state.retry_at) == (Status.UNREACHABLE, None)

    life.happen(Event.RESUME, Event.REACHED)

    assert life.state.outage is not None
    assert life.state.outage.down_since == T0
    assert allowance(life.state, 16) == 1
