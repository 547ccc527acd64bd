"""How the receiver was told to treat requests, and the pure decision of what to do with one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Annotated

import msgspec

from longwire.core.errors import InvalidInput

_OK = 200

Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]


class Mode(Enum):
    """The ways to treat a request."""

    OK = "ok"
    """Answer 200."""
    FAIL = "fail"
    """Answer with `status`."""
    HANG = "hang"
    """Accept the request and never answer."""
    FLAP = "flap"
    """Answer 200 for `periodSeconds`, then `status` for as long, and so on."""
    SLOW = "slow"
    """Answer 200 after `delaySeconds`."""
    CLOSE = "close"
    """Close the connection instead of answering."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A mode with its settings, as `POST /_mode` takes it: `{"mode": "fail", "status": 503}`."""

    mode: Mode = Mode.OK
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 500
    period_seconds: Seconds = 10.0
    delay_seconds: Seconds = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Send this status, after waiting `delay`."""

    status: int
    delay: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Silence:
    """Send nothing and keep the connection until the other side ends it."""


@dataclass(frozen=True, slots=True)
class Hangup:
    """Send nothing and close the connection."""


def parse_behaviour(text: bytes) -> Behaviour:
    """Return the behaviour a JSON document asks for; anything else is an InvalidInput that says why."""
    try:
        return msgspec.json.decode(text, type=Behaviour)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput("mode", str(error)) from error


def decide(behaviour: Behaviour, since: datetime, now: datetime) -> Answer | Silence | Hangup:
    """Return what to do with a request that comes now; `since` is when the behaviour began."""
    match behaviour.mode:
        case Mode.OK:
            return Answer(_OK)
        case Mode.FAIL:
            return Answer(behaviour.status)
        case Mode.FLAP:
            periods = (now - since) // timedelta(seconds=behaviour.period_seconds)
            return Answer(_OK if periods % 2 == 0 else behaviour.status)
        case Mode.SLOW:
            return Answer(_OK, timedelta(seconds=behaviour.delay_seconds))
        case Mode.HANG:
            return Silence()
        case Mode.CLOSE:
            return Hangup()
