"""How often somebody may ask: so many times in a minute, in a burst if they like."""

from dataclasses import dataclass
from datetime import datetime, timedelta

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `per_minute` at once, then one more each time its share of a minute has passed; 0: no limit.

    What one asker has used is a single time, `used_until`: when all of it will be given back. None: nothing is used.
    """

    per_minute: int

    def after_one(self, used_until: datetime | None, now: datetime) -> datetime:
        """Return `used_until` once one more is used."""
        return self._begin(used_until, now) + self._share

    def wait(self, used_until: datetime | None, now: datetime) -> timedelta:
        """Return how long to wait until one more is allowed; zero or less: it is allowed now."""
        if not self.per_minute:
            return timedelta()
        return self._begin(used_until, now) + self._share - (now + _MINUTE)

    @property
    def _share(self) -> timedelta:
        return _MINUTE / max(self.per_minute, 1)

    def _begin(self, used_until: datetime | None, now: datetime) -> datetime:
        """Return from when on one more is used; a clock that was set back keeps nobody out longer than a minute."""
        return now if used_until is None else min(max(used_until, now), now + _MINUTE)
