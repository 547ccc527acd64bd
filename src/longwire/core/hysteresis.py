"""What the operator is told of a destination that flaps: at most one pair of closed and opened a minute.

The first closing is told at once, and so is its opening. What follows within the minute is counted; if the connection
is closed when the minute is over, that is told then, with the count.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from longwire.core.connection_state import Report, Status

QUIET_FOR = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Told:
    """What was told last: when its pair began, what it said, and what was kept back since."""

    pair_began: datetime | None = None
    is_open: bool = True
    pending: Report | None = None
    unheard: int = 0

    @property
    def due(self) -> datetime | None:
        """Return when something kept back has to be told."""
        return self.pair_began + QUIET_FOR if self.pair_began and self.pending else None


def tell(told: Told, report: Report, now: datetime) -> tuple[Told, Report | None]:
    """Return what is remembered after a report, and what is told now."""
    if report.status is Status.OPENED:
        if told.is_open:  # the closing was kept back, so the opening is no news
            return replace(told, pending=None), None
        # A refusal of credentials may be kept back while the closing is told already; that is over too.
        return replace(told, is_open=True, pending=None), report
    if told.pair_began is not None and now < told.pair_began + QUIET_FOR:
        return replace(told, pending=report, unheard=told.unheard + 1), None
    return Told(now, is_open=False), _with_count(report, told.unheard)


def tell_due(told: Told, now: datetime) -> tuple[Told, Report | None]:
    """Return the same when `due` has come: a closing that was kept back and still holds."""
    if told.pending is None or told.due is None or now < told.due:
        return told, None
    return Told(now, is_open=False), _with_count(told.pending, told.unheard - 1)


def _with_count(report: Report, unheard: int) -> Report:
    if not unheard:
        return report
    return replace(report, reason=f"{report.reason} (and {unheard} times more since it was last told)")
