"""Deliveries, their attempts, their outcomes, and the verdict on what came back (specification, sections 5 and 14)."""

from datetime import datetime, timedelta
from enum import Enum

import msgspec

from longwire.core.http import HttpResponse, TransportFailure

MAX_RESENDS = 3
RESEND_AFTER = timedelta(seconds=2)
MAX_LOGGED_BODY_BYTES = 4096


class Outcome(Enum):
    """What became of a message on one connection."""

    QUEUED = "QUEUED"
    DELIVERED = "DELIVERED"
    LOST = "LOST"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    FILTERED = "FILTERED"
    DISCARDED = "DISCARDED"
    FAILED = "FAILED"


DEAD_LETTERS = (Outcome.LOST, Outcome.REJECTED, Outcome.EXPIRED, Outcome.FAILED, Outcome.DISCARDED)


class Trigger(Enum):
    """Why an attempt was made."""

    FIRST = "first"
    RESEND = "resend"
    FRESH_SOCKET = "fresh-socket"
    RECONNECT = "reconnect"
    REPLAY = "replay"
    TEST = "test"
    UNKNOWN = "unknown"


class Waiting(msgspec.Struct, frozen=True):
    """A delivery that waits, as the lane looks ahead over it: no body.

    `position` is its place in the connection's queue; `attempt_count` counts every attempt row, `resends` only those
    that strict mode limits; `not_before` is when its resend is due; its age counts from `aged_from`; `replayed_after`
    is the attempt count at which it was replayed last. After `expires_at` it is too old for the flow that led here. A
    test stands in no queue.
    """

    delivery_id: int
    position: int
    order_key: str
    aged_from: datetime
    received_at: datetime
    attempt_count: int = 0
    resends: int = 0
    not_before: datetime | None = None
    replayed_after: int | None = None
    expires_at: datetime | None = None
    is_test: bool = False


class Attempt(msgspec.Struct, frozen=True):
    """One request that was sent, or could not be: immutable once recorded.

    `status` is set when a complete response came, `cause` (with `detail`) when none did. The request itself is not
    kept: it is rendered again from `revision` of the connection's configuration; `request_body` only with debug, and
    then the whole answer too.
    """

    number: int
    at: datetime
    trigger: Trigger
    duration: timedelta
    revision: int
    status: int | None = None
    cause: str | None = None
    detail: str = ""
    remote_address: str | None = None
    response: HttpResponse | None = None
    request_body: bytes | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What follows from an attempt: the outcome (QUEUED while the message stays), and the resend's wait.

    `closes`: the connection closes, as if there had been no answer.
    """

    outcome: Outcome
    reason: str = ""
    resend_after: timedelta | None = None
    closes: bool = False


class Settlement(msgspec.Struct, frozen=True):
    """What one visit to the front of the queue did to a delivery: recorded in one commit."""

    delivery_id: int
    attempts: tuple[Attempt, ...]
    outcome: Outcome
    reason: str
    at: datetime
    resends: int
    not_before: datetime | None = None


def next_trigger(waiting: Waiting) -> Trigger:
    """Return why the delivery is sent now: only what waited for a resend is one, and the first after a replay."""
    if waiting.is_test:
        return Trigger.TEST
    if waiting.attempt_count == waiting.replayed_after:
        return Trigger.REPLAY
    if waiting.attempt_count == 0:
        return Trigger.FIRST
    return Trigger.RECONNECT if waiting.not_before is None else Trigger.RESEND


def is_expired(aged_from: datetime, validity: timedelta, now: datetime) -> bool:
    """Return whether a message is older than its connection allows (`uplinkTimeValidity`)."""
    return now - aged_from > validity


class Mode(Enum):
    """What a connection does about an answer other than 2xx."""

    LOSE = "strictMode off"
    RESEND = "strictMode on, strictModeAction RESEND"
    CLOSE = "strictMode on, strictModeAction CLOSE"


def verdict(result: HttpResponse | TransportFailure, *, mode: Mode, resends: int) -> Verdict:
    """Return what follows from the result of an attempt; `resends` counts those made so far, this one included.

    Without a complete response the message stays, in every mode. 2xx is DELIVERED. Anything else is LOST without
    strict mode; with it the message is sent again up to 3 times, 2 s apart, then REJECTED; or, with CLOSE, it
    stays first and the connection closes.
    """
    if isinstance(result, TransportFailure):
        return Verdict(Outcome.QUEUED, f"{result.cause.value}: {result.detail}", closes=True)
    if is_accepted(result.status):
        return Verdict(Outcome.DELIVERED)
    answered = f"the destination answered {result.status}"
    if mode is Mode.LOSE:
        return Verdict(Outcome.LOST, f"{answered}, strictMode is off")
    if mode is Mode.CLOSE:
        return Verdict(Outcome.QUEUED, f"{answered}, strictModeAction is CLOSE", closes=True)
    if resends < MAX_RESENDS:
        return Verdict(Outcome.QUEUED, answered, RESEND_AFTER)
    return Verdict(Outcome.REJECTED, f"{answered} after {MAX_RESENDS} resends")


def is_accepted(status: int) -> bool:
    """Return whether a status says that the destination has the message."""
    return 200 <= status < 300  # noqa: PLR2004


def is_reachable(result: HttpResponse | TransportFailure) -> bool:
    """Return whether there was a complete response: whatever it says, the destination is there."""
    return isinstance(result, HttpResponse)


UNKNOWN_DETAIL = "unknown (stopped before the result was recorded)"
STOPPED_DETAIL = "stopped: the connection was changed or Longwire ended before the answer came"
