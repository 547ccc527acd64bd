"""What waits on one connection, ready to be sent: handed over by the writer, or read ahead from disk.

While the lane keeps up, a message comes from the writer with its body, and nothing is read at all. Otherwise the
look-ahead reads pages without bodies, and bodies for many messages at once, a bounded number of bytes at a time.
"""

from datetime import datetime

import msgspec

from longwire.core.delivery import Waiting
from longwire.core.errors import StorageUnavailable
from longwire.core.window import ReadDevice, ReadPage, Window
from longwire.engine.bodies import Bodies, Budget
from longwire.engine.turns import Turns
from longwire.storage.queue_sql import Placed, Queue

BODIES_AT_ONCE = 256
BODY_BYTES_AT_ONCE = 512 * 1024
MOST_BESIDE_A_STEP = 256

_NOT_READ = b""


class Ready(msgspec.Struct, frozen=True):
    """A message that was taken, with its body."""

    waiting: Waiting
    body: bytes


class Backlog:
    """The lane's side of the queue: it owns the window and the bodies read ahead."""

    def __init__(self, connection_id: int, queue: Queue, budget: Budget, turns: Turns) -> None:
        """Begin with an unread queue."""
        self._connection_id = connection_id
        self._turns = turns
        self._came_behind = 0
        self._queue = queue
        self._window = Window()
        self._bodies = Bodies(budget)
        self._rereads = 0
        self.is_behind = False
        """Whether what is sent comes from disk: since a read has found something, until nothing of it waits."""

    def take_over(self, placed: Placed) -> None:
        """Take in what has just become durable, or fall behind when there is no room for it."""
        waiting = placed.waiting
        if self.is_behind:
            self._came_behind = min(self._came_behind + 1, MOST_BESIDE_A_STEP)
        if not self._bodies.hold(waiting.delivery_id, placed.body):
            self._window.notice()
        elif not self._window.hand_over(waiting, placed.after):
            self._bodies.release(waiting.delivery_id)

    def notice(self) -> None:
        """Fall behind: something was put that is to be read when it is wanted."""
        self._window.notice()

    def reread(self) -> None:
        """Read again before anything is sent: what is held may have been taken out of the queue."""
        self._window.notice()
        self._bodies.clear()
        self._rereads += 1

    def forget_bodies(self) -> None:
        """Hold no bodies any more: nothing will be sent for a while, and what waits may expire meanwhile."""
        self._bodies.clear()

    async def take(self, room: int, wanted_ready: int, now: datetime) -> list[Ready]:
        """Return what may be sent now, at most `room`, after reading as far ahead as `wanted_ready` asks.

        Of a backlog no more than one turn's, and what has come behind it since. What left the queue meanwhile
        (expired, discarded) is forgotten. Raises StorageUnavailable; then nothing was taken.
        """
        ready: list[Ready] = []
        while not ready:
            while (read := self._window.wanted_read(wanted_ready)) is not None:
                await self._read(read)
            taken = self._take_turn(room, now) if self.is_behind else self._take_waiting(room, now)
            if not taken:
                self.is_behind = self.is_behind and self._window.has_waiting
                break
            ready = await self._with_bodies(taken)
        return ready

    def put_back(self, waiting: Waiting) -> None:
        """Let what was taken wait again, first of its device, until its `not_before`."""
        self._window.put_back(waiting)

    def finish(self, waiting: Waiting) -> None:
        """Forget what was taken: its outcome is durable. The device is free."""
        self._window.finish(waiting)

    def next_due(self, now: datetime) -> datetime | None:
        """Return when the next resend will be due, or None."""
        return self._window.next_due(now)

    async def _read(self, read: ReadPage | ReadDevice) -> None:
        if isinstance(read, ReadPage):
            self._window.begin_read()
        try:
            found = await self._queue.read_ahead(self._connection_id, read)
        except StorageUnavailable:
            self._window.notice()
            raise
        self.is_behind = self.is_behind or bool(found)
        if isinstance(read, ReadPage):
            self._window.add_page(found, read)
        else:
            self._window.add_device(found, read)

    def _take_turn(self, room: int, now: datetime) -> list[Waiting]:
        step = self._turns.step
        taken = self._take_waiting(min(room, step + self._came_behind), now)
        self._came_behind -= max(len(taken) - step, 0)
        return taken

    def _take_waiting(self, room: int, now: datetime) -> list[Waiting]:
        taken: list[Waiting] = []
        while len(taken) < room and (waiting := self._window.take(now)) is not None:
            taken.append(waiting)
        return taken

    async def _with_bodies(self, taken: list[Waiting]) -> list[Ready]:
        """Return what was taken with its body; what was not read for want of room goes back.

        All of it goes back when the queue was changed during the read: what was read may not wait any more.
        """
        rereads = self._rereads
        found = await self._load_missing(taken)
        if rereads != self._rereads:
            for waiting in taken:
                self._window.put_back(waiting)
            return []
        ready: list[Ready] = []
        for waiting in taken:
            body = self._bodies.release(waiting.delivery_id) or found.pop(waiting.delivery_id, _NOT_READ)
            if body is None:
                self._window.finish(waiting)
            elif body is _NOT_READ:
                self._window.put_back(waiting)
            else:
                ready.append(Ready(waiting, body))
        for delivery_id, body in found.items():
            if body is not None:
                self._bodies.hold(delivery_id, body)
        return ready

    async def _load_missing(self, taken: list[Waiting]) -> dict[int, bytes | None]:
        """Return the bodies of what was taken, and of what is taken next, unless they are all held."""
        missing = [each for each in taken if each.delivery_id not in self._bodies]
        if not missing:
            return {}
        ahead = [each for each in self._window.in_order() if each.delivery_id not in self._bodies]
        wanted = {each.delivery_id: each.position for each in (*missing, *ahead[:BODIES_AT_ONCE])}
        try:
            return await self._queue.load_bodies(wanted, BODY_BYTES_AT_ONCE)
        except StorageUnavailable:
            for waiting in taken:
                self._window.put_back(waiting)
            raise
