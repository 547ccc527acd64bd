"""How fast a connection may send: `maxRequestsPerSecond`, and the ramp after an outage (specification, section 4)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

CATCH_UP = timedelta(milliseconds=100)
"""A loop that was late may make up for this much: the rate holds over any longer time."""

FIRST_STEP = 2


@dataclass(frozen=True, slots=True)
class Pace:
    """When the next request may be sent, at most one every `interval`; None: as fast as it goes."""

    interval: timedelta | None
    next_at: datetime | None = None

    def allowed(self, now: datetime) -> int:
        """Return how many requests may be sent now."""
        if self.interval is None:
            return 1_000_000
        begin = self._begin(now)
        return 0 if begin > now else (now - begin) // self.interval + 1

    def after(self, sent: int, now: datetime) -> "Pace":
        """Return the pace after so many requests were sent now."""
        if self.interval is None or not sent:
            return self
        return replace(self, next_at=self._begin(now) + sent * self.interval)

    def _begin(self, now: datetime) -> datetime:
        earliest = now - CATCH_UP
        return now if self.next_at is None else max(self.next_at, earliest)


def make_pace(max_per_second: float | None) -> Pace:
    """Return the pace of a configured rate."""
    return Pace(None if max_per_second is None else timedelta(seconds=1 / max_per_second))


def ramped(ramp: int | None, max_in_flight: int) -> int:
    """Return how many messages may be in flight while the connection ramps up; `ramp` None: it has."""
    return max_in_flight if ramp is None else min(ramp, max_in_flight)


def climb(ramp: int | None, max_in_flight: int) -> int | None:
    """Return the ramp after one more complete response; None once it has reached the top."""
    return None if ramp is None or ramp >= max_in_flight else ramp + 1
