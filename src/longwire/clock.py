"""The only reader of time: the system's clock, and a simulated one that moves when told."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Timer(Protocol):
    """A call that is due; cancelling twice, or after it ran, does nothing."""

    def cancel(self) -> None:
        """Forget the call."""


class Clock(Protocol):
    """Time as the shell sees it; the core never sees a Clock, only a `now`."""

    def now(self) -> datetime:
        """Return the time, aware UTC."""

    def call_at(self, due: datetime, callback: Callable[[], None]) -> Timer:
        """Call back once, in the event loop, when `due` has come (at once when it has passed)."""


class SystemClock:
    """The machine's clock. A due time becomes a monotonic wait, so that a clock set back delays nothing."""

    def now(self) -> datetime:
        """Return the time, aware UTC."""
        return datetime.now(UTC)

    def call_at(self, due: datetime, callback: Callable[[], None]) -> Timer:
        """Call back once, in the running event loop."""
        wait = max(0.0, (due - self.now()).total_seconds())
        return asyncio.get_running_loop().call_later(wait, callback)


def stopwatch() -> Callable[[], float]:
    """Return what tells how many seconds have passed since now, in any thread.

    Not the loop's time: uvloop's stands still while the loop sleeps.
    """
    began = time.monotonic()
    return lambda: time.monotonic() - began


async def sleep(clock: Clock, duration: timedelta) -> None:
    """Return when the duration has passed on the clock."""
    over = asyncio.Event()
    timer = clock.call_at(clock.now() + duration, over.set)
    try:
        await over.wait()
    finally:
        timer.cancel()


class _SimulatedTimer:
    """A call of the simulated clock."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the call."""
        self.callback = None


class SimulatedClock:
    """A clock that stands still until `advance`; calls run in the order of their due times."""

    def __init__(self, start: datetime) -> None:
        """Begin at `start`, aware UTC."""
        self._now = start
        self._order = itertools.count()
        self._timers: list[tuple[datetime, int, _SimulatedTimer]] = []

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._now

    def call_at(self, due: datetime, callback: Callable[[], None]) -> Timer:
        """Call back once, from within `advance`."""
        timer = _SimulatedTimer(callback)
        heapq.heappush(self._timers, (due, next(self._order), timer))
        return timer

    def next_due(self) -> datetime | None:
        """Return when the next call is due, or None."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def advance(self, duration: timedelta) -> None:
        """Move on, running every call that becomes due, each at its own time."""
        end = self._now + duration
        while (due := self.next_due()) is not None and due <= end:
            timer = heapq.heappop(self._timers)[2]
            self._now = max(self._now, due)
            if timer.callback is not None:
                timer.callback()
        self._now = end
