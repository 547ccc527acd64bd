"""Which waiting delivery of a connection is sent next: the oldest, at most one per device, in bounded memory.

The theory. A lane reads its queue in pages, in the order of positions, up to a *cursor*. Of one device it keeps at
most `DEVICE_DEPTH` deliveries; when a page holds more, the device is marked as *deeper* and its further deliveries
stay on disk. So a device that floods, or waits for a resend, neither fills the window nor hides the devices behind
it. When a deeper device runs out it is *starving*: nothing is taken until its next deliveries, up to the cursor, have
been read. Only one read may be under way at a time.

At the tail of the queue nothing has to be read: what is put is *handed over*, each delivery with the position that was
put before it on the connection. A lane that has not seen that one, or has no room, *falls behind*: it reads from disk,
in order, until it is at the tail again. So nothing overtakes, whatever was put in between and by whom.

What is in flight is always among the oldest deliveries of different devices, as many as may be in flight, those that
wait for a resend not counted: after a crash exactly these are marked as possibly sent (`storage/recovery.py`). When a
resend ends, the delivery behind it may suddenly be older than what is in flight. So these latecomers are taken first,
before any other resend: else the next resends would bring more of them, and push what is in flight out of that number.
"""

import heapq
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from longwire.core.delivery import Waiting

DEVICE_DEPTH = 32
PAGE = 64  # short: what a page takes is what every other lane waits for
CAPACITY = 4096


@dataclass(frozen=True, slots=True)
class ReadPage:
    """Read the next `limit` waiting deliveries behind position `after`."""

    after: int
    limit: int = PAGE


@dataclass(frozen=True, slots=True)
class ReadDevice:
    """Read the next `limit` waiting deliveries of one device, behind `after` and up to `up_to`."""

    order_key: str
    after: int
    up_to: int
    limit: int = DEVICE_DEPTH


@dataclass(slots=True)
class _Device:
    entries: deque[Waiting] = field(default_factory=deque)
    last_position: int = 0
    deeper: bool = False


class Window:
    """The lane's view on what waits. Not a value: the lane owns it and changes it between two awaits."""

    def __init__(self) -> None:
        """Begin with an unread queue."""
        self._devices: dict[str, _Device] = {}
        self._ready: list[tuple[int, str]] = []
        self._resends: list[tuple[int, str]] = []
        self._in_flight: set[int] = set()
        self._due: list[tuple[datetime, int, str]] = []
        self._starving: deque[str] = deque()
        self._cursor = 0
        self._size = 0
        self._more = True
        self._is_reading = False

    def __len__(self) -> int:
        """Return how many deliveries are held, those in flight included."""
        return self._size

    @property
    def has_waiting(self) -> bool:
        """Return whether more is held than what is in flight."""
        return self._size > len(self._in_flight)

    def notice(self) -> None:
        """Learn that something was put behind the cursor: fall behind."""
        self._more = True

    def hand_over(self, waiting: Waiting, after: int) -> bool:
        """Take in what was just put behind the position `after`; return whether it is held.

        What is not held is read from disk when it is wanted.
        """
        is_at_tail = not self._more and not self._is_reading and after <= self._cursor
        if not is_at_tail or self._size >= CAPACITY:
            self._more = True
            return False
        # It is on disk before it is handed over, so a read may have been quicker.
        return waiting.position > self._cursor and self._take_in(waiting)

    def wanted_read(self, wanted_ready: int) -> ReadPage | ReadDevice | None:
        """Return what to read next so that `wanted_ready` deliveries can be taken, or None."""
        if self._starving:
            order_key = self._starving[0]
            limit = min(DEVICE_DEPTH, max(1, CAPACITY - self._size))
            return ReadDevice(order_key, self._devices[order_key].last_position, self._cursor, limit)
        ready = len(self._ready) + len(self._resends)
        if self._more and ready < wanted_ready and self._size < CAPACITY:
            return ReadPage(self._cursor)
        return None

    def add_page(self, page: Sequence[Waiting], read: ReadPage) -> None:
        """Take in what a ReadPage found; fewer than asked for means that the tail is reached.

        `notice` during the read is not forgotten: the caller calls `begin_read` before it reads.
        """
        self._is_reading = False
        if len(page) == read.limit:
            self._more = True
        for waiting in page:
            self._take_in(waiting)

    def begin_read(self) -> None:
        """Start a read of a page: what is put from now on needs another one."""
        self._more = False
        self._is_reading = True

    def add_device(self, found: Sequence[Waiting], read: ReadDevice) -> None:
        """Take in what a ReadDevice found."""
        self._starving.popleft()
        device = self._devices[read.order_key]
        # What was handed over during the read lies behind what was asked for.
        device.deeper = len(found) == read.limit or read.up_to < self._cursor
        for waiting in found:
            self._append(device, waiting)
        if not device.entries:
            self._run_out(read.order_key)

    def take(self, now: datetime) -> Waiting | None:
        """Return the oldest delivery that may be sent now, and hold its device; None when there is none.

        One that is older than what is in flight goes before a resend.
        """
        self._wake_due(now)
        if self._starving or not (self._ready or self._resends):
            return None
        position, order_key = heapq.heappop(self._resends if self._is_resend_next() else self._ready)
        self._in_flight.add(position)
        return self._devices[order_key].entries[0]

    def put_back(self, waiting: Waiting) -> None:
        """Let a delivery that was taken wait again, first of its device, until its `not_before`."""
        self._in_flight.remove(waiting.position)
        device = self._devices[waiting.order_key]
        device.entries[0] = waiting
        self._offer(device)

    def finish(self, waiting: Waiting) -> None:
        """Forget a delivery that was taken: its outcome is durable. The device is free."""
        self._in_flight.remove(waiting.position)
        device = self._devices[waiting.order_key]
        device.entries.popleft()
        self._size -= 1
        if device.entries:
            self._offer(device)
        else:
            self._run_out(waiting.order_key)

    def in_order(self) -> list[Waiting]:
        """Return everything that is held and not in flight, oldest first."""
        held = (waiting for device in self._devices.values() for waiting in device.entries)
        idle = (waiting for waiting in held if waiting.position not in self._in_flight)
        return sorted(idle, key=lambda waiting: waiting.position)

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the next resend will be due, or None; what is due already is ready."""
        self._wake_due(now)
        return self._due[0][0] if self._due else None

    def _is_resend_next(self) -> bool:
        if not self._ready or not self._resends:
            return bool(self._resends)
        oldest = self._ready[0]
        is_latecomer = oldest[0] < max(self._in_flight, default=0)
        return self._resends[0] < oldest and not is_latecomer

    def _take_in(self, waiting: Waiting) -> bool:
        """Move the cursor to a delivery; return whether it is held, not left on disk."""
        self._cursor = waiting.position
        device = self._devices.setdefault(waiting.order_key, _Device())
        device.deeper = device.deeper or len(device.entries) >= DEVICE_DEPTH
        if not device.deeper:
            self._append(device, waiting)
        return not device.deeper

    def _run_out(self, order_key: str) -> None:
        """Read on where a device has more on disk, else forget it."""
        if self._devices[order_key].deeper:
            self._starving.append(order_key)
        else:
            del self._devices[order_key]

    def _append(self, device: _Device, waiting: Waiting) -> None:
        device.entries.append(waiting)
        device.last_position = waiting.position
        self._size += 1
        if len(device.entries) == 1:
            self._offer(device)

    def _offer(self, device: _Device) -> None:
        head = device.entries[0]
        if head.not_before is None:
            heapq.heappush(self._ready, (head.position, head.order_key))
        else:
            heapq.heappush(self._due, (head.not_before, head.position, head.order_key))

    def _wake_due(self, now: datetime) -> None:
        while self._due and self._due[0][0] <= now:
            _, position, order_key = heapq.heappop(self._due)
            heapq.heappush(self._resends, (position, order_key))
