"""When each device of a fleet speaks, with which counter, and how long a failure waits: arithmetic only.

Counters are derived from time: device `i` sends its uplink `k` at `origin + k * interval + i * interval /
devices`. The origin is a fixed date, so a second run at the same rate picks the first `k` that is not yet due
and goes on with higher counters than the first run ever used, without anything being saved. A caller that
wants to choose gives the first counter itself; the origin is then put where that counter is due now.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""Where counters begin: the beginning of the simulated devices' life."""

MAX_LATE = timedelta(seconds=30)
"""How much a device catches up in a burst after an outage; by the rest its timetable is put off."""

_MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Pace:
    """The timetable of a fleet of `devices`, each speaking once an `interval`."""

    origin: datetime
    interval: timedelta
    devices: int

    def due(self, index: int, counter: int) -> datetime:
        """Return when a device sends this counter."""
        return self.origin + self.interval * counter + self.interval * index / self.devices

    def next_counter(self, index: int, now: datetime) -> int:
        """Return a device's first counter that is due now or later."""
        return -((self.due(index, 0) - now) // self.interval)


def plan_pace(devices: int, rate_per_second: float, now: datetime, first_counter: int | None) -> Pace:
    """Return the timetable that spreads `rate_per_second` evenly over the devices.

    Without a first counter it is derived from the time since the EPOCH; a clock that stands before it begins
    at 0.
    """
    interval = max(timedelta(seconds=devices / rate_per_second), timedelta.resolution)
    if first_counter is not None:
        return Pace(now - interval * first_counter, interval, devices)
    return Pace(min(EPOCH, now), interval, devices)


def share_of(index: int, devices: int, count: int | None) -> int | None:
    """Return how many of `count` uplinks fall to this device; None is no end."""
    return None if count is None else count // devices + (index < count % devices)


def put_off(delay: timedelta, due: datetime, now: datetime) -> timedelta:
    """Return by how much a device's timetable is behind from now on: enough to be at most MAX_LATE late."""
    return max(delay, now - due - MAX_LATE)


def wait_before_repeat(failures: int, first: timedelta, longest: timedelta, chance: float) -> timedelta:
    """Return how long to wait after that many failures of one uplink: doubled each time, half by chance.

    `chance` is from 0 to 1: devices that failed together do not come back together.
    """
    doublings: int = 1 << min(failures - 1, _MAX_DOUBLINGS)
    return min(longest, first * doublings) * (0.5 + chance / 2)
