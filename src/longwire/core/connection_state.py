"""The life of a connection: one table of transitions, one pure `step` that reads it.

The theory. A connection is OPENED while its destination answers. *Trouble* is a request without a complete response:
then it is CLOSING until what is in flight has ended, and CLOSED until the schedule's next try. Each try is OPENING:
a probe that connects and sends nothing. A probe that succeeds opens the connection *on trial*: the outage is still
remembered, and one message at a time is sent, until one complete response ends it. So a destination that accepts
connections and then hangs stays in its schedule, which counts from the closing and is moved neither by traffic nor
by a restart of Longwire. Commands never change the state in place: they come as events, like everything else.

A pair of status and event that is not in the table changes nothing. Specification, section 4.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from longwire.core import schedule
from longwire.core.schedule import Strategy


class Status(Enum):
    """The states of the API contract."""

    OPENING = "OPENING"
    OPENED = "OPENED"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"
    AUTHENTICATING = "AUTHENTICATING"
    AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
    UNREACHABLE = "UNREACHABLE"
    DEACTIVATED = "DEACTIVATED"


class Event(Enum):
    """What happens to a connection; the values are the words of the diagram."""

    CONNECT = "created, updated, restarted or activated"
    RESUME = "Longwire started again"
    RETRY_DUE = "the next try is due"
    CREDENTIALS_SENT = "the proxy asks for credentials"
    CREDENTIALS_REFUSED = "the proxy refused the credentials (407)"
    REACHED = "the probe connected"
    ANSWERED = "a complete response"
    UNANSWERED = "no complete response"
    DRAINED = "nothing is in flight any more"
    DEACTIVATE = "active = false"
    IDLE = "no uplink for an hour (AGGRESSIVE)"
    HOST_LOST = "the worker does not report"


@dataclass(frozen=True, slots=True)
class Outage:
    """Since when the destination does not answer, the try planned next (counted from then), and when it is due.

    `retry_at` is None when the strategy has given up.
    """

    down_since: datetime
    planned: timedelta = timedelta(0)
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class State:
    """Where a connection is, since when and why; `outage` lasts until a complete response."""

    status: Status
    since: datetime
    reason: str = ""
    outage: Outage | None = None

    @property
    def retry_at(self) -> datetime | None:
        """Return when the next try is due, while one is waited for."""
        return self.outage.retry_at if self.outage and self.status in WAITING else None

    @property
    def on_trial(self) -> bool:
        """Return whether the connection is open, but has not had a complete response since its outage."""
        return self.status is Status.OPENED and self.outage is not None


@dataclass(frozen=True, slots=True)
class Policy:
    """How a connection reconnects."""

    strategy: Strategy
    blame_period: timedelta


@dataclass(frozen=True, slots=True)
class Probe:
    """Connect to the destination without sending a request."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the operator: the connection closed, is open again, or is not tried any more."""

    status: Status
    reason: str


Command = Probe | Report

IDLE_AFTER = timedelta(hours=1)

_WAITING = (Status.CLOSED, Status.AUTHENTICATION_FAILED)
WAITING = frozenset(_WAITING)
_TRYING = (Status.OPENING, Status.AUTHENTICATING)
_RUNNING = (*_TRYING, Status.OPENED, Status.CLOSING, *_WAITING)


def _table() -> dict[tuple[Status, Event], Status]:
    table: dict[tuple[Status, Event], Status] = {}
    for status in Status:
        table[status, Event.CONNECT] = Status.OPENING
        table[status, Event.DEACTIVATE] = Status.DEACTIVATED
    for status in (*_TRYING, Status.OPENED, Status.CLOSING, Status.UNREACHABLE, Status.DEACTIVATED):
        table[status, Event.RESUME] = Status.OPENING
    for status in _WAITING:
        table[status, Event.RETRY_DUE] = Status.OPENING
    for status in _TRYING:
        table[status, Event.REACHED] = Status.OPENED
        table[status, Event.UNANSWERED] = Status.CLOSED
        table[status, Event.CREDENTIALS_REFUSED] = Status.AUTHENTICATION_FAILED
    for status in _RUNNING:
        table[status, Event.HOST_LOST] = Status.UNREACHABLE
    table[Status.OPENING, Event.CREDENTIALS_SENT] = Status.AUTHENTICATING
    table[Status.OPENED, Event.ANSWERED] = Status.OPENED
    table[Status.OPENED, Event.UNANSWERED] = Status.CLOSING
    # Through a proxy in absolute form the first message is the probe: its 407 comes when the connection is open.
    table[Status.OPENED, Event.CREDENTIALS_REFUSED] = Status.AUTHENTICATION_FAILED
    table[Status.OPENED, Event.IDLE] = Status.OPENING
    table[Status.CLOSING, Event.DRAINED] = Status.CLOSED
    return table


TABLE: Mapping[tuple[Status, Event], Status] = _table()


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, when, why (for the operator), and the jitter of a wait that may follow (-1 to 1)."""

    event: Event
    at: datetime
    reason: str = ""
    jitter: float = 0.0


def step(state: State, happened: Happened, policy: Policy) -> tuple[State, tuple[Command, ...]]:
    """Return the state that follows and what to do; the same arguments always give the same answer."""
    target = TABLE.get((state.status, happened.event))
    if target is None:
        return state, ()
    if target is state.status is Status.OPENED:
        return _answered(state)
    outage = _outage_after(state, target, happened, policy)
    is_explained = outage is not None and target is not Status.DEACTIVATED
    reason = happened.reason or (state.reason if is_explained else "")
    after = State(target, happened.at, reason, outage)
    return after, _commands(state, after)


def idle_at(state: State, policy: Policy, last_uplink_at: datetime) -> datetime | None:
    """Return when an open connection is restarted for want of uplinks: AGGRESSIVE only."""
    if policy.strategy is not Strategy.AGGRESSIVE or state.status is not Status.OPENED:
        return None
    return max(state.since, last_uplink_at) + IDLE_AFTER


def allowance(state: State, max_in_flight: int) -> int:
    """Return how many messages may be in flight: none unless OPENED, one on trial."""
    if state.status is not Status.OPENED:
        return 0
    return 1 if state.on_trial else max_in_flight


def deactivated(outage: Outage | None) -> Outage | None:
    """Return an outage as a deactivated connection keeps it: nothing is tried, and the next opening is on trial."""
    return replace(outage, retry_at=None) if outage else None


def _answered(state: State) -> tuple[State, tuple[Command, ...]]:
    """Return the state after a complete response: the outage, if there was one, is over."""
    if state.outage is None:
        return state, ()
    return replace(state, outage=None, reason=""), (Report(Status.OPENED, "the destination answers again"),)


def _outage_after(state: State, target: Status, happened: Happened, policy: Policy) -> Outage | None:
    """Return the outage as it stands in the target state."""
    if target is Status.DEACTIVATED:
        return deactivated(state.outage)
    if happened.event is Event.CONNECT:
        # A command starts the schedule over, but only a complete response ends the trial.
        return Outage(happened.at) if state.outage else None
    if target is Status.CLOSING:
        return state.outage or Outage(happened.at)
    if target in WAITING:
        return _next_try(state.outage or Outage(happened.at), happened, policy)
    return state.outage


def _next_try(outage: Outage, happened: Happened, policy: Policy) -> Outage:
    planned = _planned_after(outage, happened.at, policy)
    if planned is None:
        return replace(outage, retry_at=None)
    retry_at = schedule.due_at(outage.down_since, planned, happened.jitter)
    if retry_at <= happened.at:  # so little is left of the wait that jitter would take all of it
        retry_at = outage.down_since + planned
    return replace(outage, planned=planned, retry_at=retry_at)


def _planned_after(outage: Outage, at: datetime, policy: Policy) -> timedelta | None:
    """Return the try that follows: jitter may have made the planned one early, and no try is made twice."""
    if at < schedule.due_at(outage.down_since, outage.planned, -1):
        return outage.planned  # it was not waited for, so it still comes
    return schedule.next_offset(
        policy.strategy, policy.blame_period, max(at - outage.down_since, outage.planned)
    )


def _commands(before: State, after: State) -> tuple[Command, ...]:
    if after.status is Status.OPENING:
        return (Probe(),)
    is_first_trouble = before.outage is None and after.outage is not None
    is_new_refusal = after.status is Status.AUTHENTICATION_FAILED and after.reason != before.reason
    has_given_up = after.status in WAITING and after.retry_at is None
    if is_first_trouble or is_new_refusal or has_given_up:
        return (Report(after.status, after.reason),)
    return ()
