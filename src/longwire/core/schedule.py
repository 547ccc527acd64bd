"""When to try again: the fast phase and the four reconnect strategies, as tables over the time since the closing.

Every time is an offset from the moment the connection closed, so neither traffic nor a restart of Longwire moves
the schedule (specification, section 4).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_EVER = timedelta.max

FAST_OFFSETS = tuple(timedelta(seconds=seconds) for seconds in (1, 3, 7, 15, 30))
MAX_JITTER = _MINUTE


class Strategy(Enum):
    """The reconnect strategies, by the names of the API."""

    NORMAL = "NORMAL"
    CALM = "CALM"
    AGGRESSIVE = "AGGRESSIVE"
    EXPONENTIAL = "EXPONENTIAL"


@dataclass(frozen=True, slots=True)
class Stage:
    """Until `until` after the closing, a try every `every`."""

    every: timedelta
    until: timedelta


STAGES = {
    Strategy.CALM: (Stage(10 * _MINUTE, 12 * _HOUR), Stage(_HOUR, 36 * _HOUR)),
    Strategy.NORMAL: (Stage(5 * _MINUTE, _HOUR), Stage(_HOUR, 25 * _HOUR), Stage(_DAY, _EVER)),
    Strategy.AGGRESSIVE: (
        Stage(3 * _MINUTE, 3 * _HOUR),
        Stage(30 * _MINUTE, 3 * _HOUR + 7 * _DAY),
        Stage(_HOUR, _EVER),
    ),
    # 1 s doubling to 5 min: the waits 1, 2, 4 ... 256 s end at offsets 1, 3, 7 ... 511 s.
    Strategy.EXPONENTIAL: (
        *(Stage(2**n * _SECOND, (2 ** (n + 1) - 1) * _SECOND) for n in range(9)),
        Stage(5 * _MINUTE, _EVER),
    ),
}


def next_offset(strategy: Strategy, blame_period: timedelta, after: timedelta) -> timedelta | None:
    """Return the first planned try later than `after`, both counted from the closing; None: given up.

    The fast phase comes first, as far as `blame_period` reaches. EXPONENTIAL has none: it begins fast by itself.
    """
    if strategy is not Strategy.EXPONENTIAL:
        for offset in FAST_OFFSETS:
            if after < offset <= blame_period:
                return offset
    begin = timedelta(0)
    for stage in STAGES[strategy]:
        if after < stage.until:
            steps = max(0, (after - begin) // stage.every) + 1
            return begin + steps * stage.every
        begin = stage.until
    return None


def due_at(down_since: datetime, offset: timedelta, jitter: float) -> datetime:
    """Return when the try planned at `offset` is due; `jitter` is -1 to 1, for up to 10 % and 60 s of the offset."""
    return down_since + offset + jitter * min(offset / 10, MAX_JITTER)
