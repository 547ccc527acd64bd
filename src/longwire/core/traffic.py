"""How much a connection carries: what is counted, and the sums of the last hour and the last day.

The theory. What ended on a connection is counted in the minute it ended in; the store keeps a row for each minute.
The sums of the last 60 and 1440 minutes are kept up to date: what is counted is added, and when a minute leaves the
window its row is subtracted. So a sum costs the same however long it reaches. (Specification, section 13.)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from longwire.core.delivery import Outcome

MINUTE = timedelta(minutes=1)
HOUR_MINUTES = 60
DAY_MINUTES = 24 * 60


class Part(Enum):
    """How a message ended, as far as it is counted."""

    DELIVERED = "delivered"
    FAILED = "failed"
    LOST = "lost"


PARTS: Mapping[Outcome, Part] = {
    Outcome.DELIVERED: Part.DELIVERED,
    Outcome.LOST: Part.LOST,
    Outcome.REJECTED: Part.FAILED,
    Outcome.EXPIRED: Part.FAILED,
    Outcome.FAILED: Part.FAILED,
}


@dataclass(slots=True)
class Counts:
    """How many messages ended, and how many of them FAILED (not delivered) or LOST (refused, not sent again)."""

    uplinks: int = 0
    failed: int = 0
    lost: int = 0

    def add(self, part: Part, count: int) -> None:
        """Count messages."""
        self.uplinks += count
        self.failed += count * (part is Part.FAILED)
        self.lost += count * (part is Part.LOST)

    def move(self, other: "Counts", sign: int) -> None:
        """Add the other counts, or subtract them (`sign` -1)."""
        self.uplinks += sign * other.uplinks
        self.failed += sign * other.failed
        self.lost += sign * other.lost


class Sums:
    """The counts of each connection over a window of minutes that ends with `last_minute`."""

    def __init__(self, minutes: int, last_minute: int, counts: Mapping[int, Counts]) -> None:
        """Begin with what the rows of the window add up to; the counts become the sums' own."""
        self._minutes = minutes
        self._last_minute = last_minute
        self._dropped_minute = last_minute - minutes
        self._counts = dict(counts)

    def get(self, connection_id: int) -> Counts:
        """Return the counts of a connection."""
        return self._counts.get(connection_id) or Counts()

    def add(self, connection_id: int, minute: int, part: Part, count: int) -> None:
        """Count messages that ended in a minute, unless the window has left it behind."""
        if minute > self._last_minute - self._minutes:
            counts = self._counts.get(connection_id)
            if counts is None:
                counts = self._counts[connection_id] = Counts()
            counts.add(part, count)

    def move_to(self, minute: int) -> range:
        """Let the window end with a later minute; return the minutes whose rows must be subtracted."""
        self._last_minute = max(self._last_minute, minute)
        return range(self._dropped_minute + 1, self._last_minute - self._minutes + 1)

    def subtract(self, minutes: range, rows: Iterable[tuple[int, Counts]]) -> None:
        """Subtract what was counted in minutes that have left the window."""
        self._dropped_minute = minutes.stop - 1
        for connection_id, counts in rows:
            if (sum_ := self._counts.get(connection_id)) is not None:
                sum_.move(counts, -1)
                if not sum_.uplinks:
                    del self._counts[connection_id]
