"""What waits on one connection, as a plain list: the oracle of the window, and the queue of the lane's model."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from longwire.core.delivery import Waiting
from longwire.core.window import ReadDevice, ReadPage, Window

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)


class WaitingList:
    """Deliveries in the order of their positions."""

    def __init__(self) -> None:
        self.entries: dict[int, Waiting] = {}
        self._last_position = 0

    def put(self, order_key: str) -> int:
        """Return the position of a new delivery."""
        self._last_position += 1
        position = self._last_position
        self.entries[position] = Waiting(position, position, order_key, T0, T0)
        return position

    def hand_over(self, order_key: str, window: Window) -> None:
        """Put a delivery and hand it over, as the writer does."""
        after = self._last_position
        window.hand_over(self.entries[self.put(order_key)], after)

    def answer(self, read: ReadPage | ReadDevice) -> list[Waiting]:
        """Return what the queue would: see `Queue.read_ahead`."""
        found = [each for each in self.entries.values() if each.position > read.after]
        if isinstance(read, ReadDevice):
            found = [each for each in found if each.order_key == read.order_key]
            found = [each for each in found if each.position <= read.up_to]
        return found[: read.limit]

    def replace(self, waiting: Waiting) -> None:
        self.entries[waiting.position] = waiting

    def remove(self, waiting: Waiting) -> None:
        del self.entries[waiting.position]

    def heads(self) -> list[Waiting]:
        """Return the oldest of each device, oldest first."""
        heads: dict[str, Waiting] = {}
        for waiting in self.entries.values():
            heads.setdefault(waiting.order_key, waiting)
        return list(heads.values())

    def next_to_send(self, in_flight: Mapping[str, Waiting], now: datetime) -> Waiting | None:
        """Return the oldest idle head that is due; what is older than what is in flight goes before a resend."""
        idle = [each for each in self.heads() if each.order_key not in in_flight and is_due(each, now)]
        newest = max((each.position for each in in_flight.values()), default=0)
        latecomers = [each for each in idle if each.not_before is None and each.position < newest]
        return next(iter([*latecomers, *idle]), None)

    def possibly_sent(self, max_in_flight: int, now: datetime) -> Iterator[Waiting]:
        """Yield what is marked as possibly sent after a crash: see `storage/recovery.py`."""
        counted = 0
        for waiting in self.heads():
            counted += waiting.not_before is None
            if is_due(waiting, now):
                yield waiting
            if counted == max_in_flight:
                return


def is_due(waiting: Waiting, now: datetime) -> bool:
    return waiting.not_before is None or waiting.not_before <= now


def fill(window: Window, queue: WaitingList, wanted: int) -> None:
    """Read as a lane does, until nothing more is wanted."""
    while (read := window.wanted_read(wanted)) is not None:
        if isinstance(read, ReadPage):
            window.begin_read()
            window.add_page(queue.answer(read), read)
        else:
            window.add_device(queue.answer(read), read)
