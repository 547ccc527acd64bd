"""How much a connection carries: what is counted, and the sums of the last hour and the last day.

The theory. What ends on a connection is tallied in memory in the minute it ended in, which costs a message next to
nothing, and written now and then to a row for each minute. The sums of the last 60 and 1440 minutes follow the rows:
what is written is added, and when a minute leaves the window its row is subtracted. So a sum costs the same however
long it reaches. (Specification, section 13.)
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import nlargest

from longwire.core.delivery import Outcome

MINUTE = timedelta(minutes=1)
HOUR_MINUTES = 60
DAY_MINUTES = 24 * 60
COUNTED = (Outcome.DELIVERED, Outcome.LOST, Outcome.REJECTED, Outcome.EXPIRED, Outcome.FAILED)

_DELIVERED, _LOST = Outcome.DELIVERED, Outcome.LOST


@dataclass(slots=True)
class Tally:
    """What ended on one connection, and which devices (or gateways) it came from, by their order keys."""

    delivered: int = 0
    others: Counter[Outcome] = field(default_factory=Counter)
    senders: set[str] = field(default_factory=set)

    def add(self, outcome: Outcome, count: int = 1) -> None:
        """Count messages; those that did not end on a connection (FILTERED, DISCARDED) are no counts of it."""
        if outcome is _DELIVERED:
            self.delivered += count
        elif outcome in COUNTED:
            self.others[outcome] += count

    def outcomes(self) -> dict[Outcome, int]:
        """Return how many messages ended in which outcome."""
        return {_DELIVERED: self.delivered, **self.others}


@dataclass(slots=True)
class Counts:
    """How many messages ended, and how many of them FAILED (not delivered) or LOST (refused, not sent again)."""

    total: int = 0
    failed: int = 0
    lost: int = 0

    def move(self, other: "Counts", sign: int) -> None:
        """Add the other counts, or subtract them (`sign` -1)."""
        self.total += sign * other.total
        self.failed += sign * other.failed
        self.lost += sign * other.lost


def count(outcomes: Mapping[Outcome, int]) -> Counts:
    """Return the counts of outcomes: each is delivered, LOST, or one of those that make FAILED."""
    total, lost = sum(outcomes.values()), outcomes.get(_LOST, 0)
    return Counts(total, total - lost - outcomes.get(_DELIVERED, 0), lost)


def percentile(values: Sequence[int], percent: int) -> int | None:
    """Return the value that `percent` of them do not exceed (nearest rank); None when there are none."""
    if not values:
        return None
    return sorted(values)[max(-(-len(values) * percent // 100), 1) - 1]


def levels(changes: Iterable[tuple[int, int]], minutes: range, step: int) -> list[int]:
    """Return the highest level in each step of so many minutes, from changes of it: (minute, level), oldest first.

    One change before the first minute tells the level there; without it that is 0.
    """
    level, changed = 0, {}
    for minute, new in changes:
        changed[minute] = new
        if minute < minutes.start:
            level = new
    found = [level := changed.get(minute, level) for minute in minutes]
    return [max(found[at : at + step]) for at in range(0, len(found), step)]


class Sums:
    """The counts of each connection over a window of minutes that ends with `last_minute`."""

    def __init__(self, minutes: int, last_minute: int, counts: Mapping[int, Counts]) -> None:
        """Begin with what the rows of the window add up to; the counts become the sums' own."""
        self._minutes = minutes
        self._left_minute = last_minute - minutes
        self._counts = dict(counts)

    def get(self, connection_id: int) -> Counts:
        """Return the counts of a connection."""
        return self._counts.get(connection_id) or Counts()

    def most_lost(self, most: int) -> list[int]:
        """Return the connections that lost most, at most that many."""
        lost = [(counts.lost, number) for number, counts in self._counts.items() if counts.lost]
        return [number for _, number in nlargest(most, lost)]

    def add(self, connection_id: int, minute: int, counts: Counts) -> None:
        """Add what was written to the row of a minute, unless the window has left it behind."""
        if minute > self._left_minute:
            self._counts.setdefault(connection_id, Counts()).move(counts, 1)

    def leaving(self, last_minute: int) -> range:
        """Return the minutes that leave the window when it ends with `last_minute`."""
        return range(self._left_minute + 1, last_minute - self._minutes + 1)

    def leave(self, minutes: range, rows: Iterable[tuple[int, Counts]]) -> None:
        """Subtract what the rows of leaving minutes add up to."""
        self._left_minute = minutes.stop - 1
        for connection_id, counts in rows:
            if (sum_ := self._counts.get(connection_id)) is not None:
                sum_.move(counts, -1)
                if not sum_.total:
                    del self._counts[connection_id]
