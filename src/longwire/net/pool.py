"""The sockets that are open, and those of them that are idle, by destination."""

import asyncio

from longwire.core.http import Endpoint
from longwire.net.connection import Connection
from longwire.net.route import route_to

# The highest `maxInFlight` of a connection: a burst at that width finds its sockets again.
_IDLE_PER_ENDPOINT = 256
# One destination's share of the dials, so that one that goes dark cannot have them all.
_DIALS_PER_ENDPOINT = 32
_SHELVES_BEFORE_SWEEPING = 64
# A dropped socket is gone after a few turns of the loop.
_TURNS_TO_CLOSE = 100


class Shelf:
    """The sockets of one destination; the idle one used last is taken first.

    `is_doubtful` while the last dial failed, or an answer did not come in time since.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.route = route_to(endpoint)
        self.own_dials = asyncio.Semaphore(_DIALS_PER_ENDPOINT)
        self.is_doubtful = False
        self.is_retired = False
        self.dialling = 0
        self.open: set[Connection] = set()
        self._idle: list[Connection] = []

    def take(self) -> Connection | None:
        """Return an idle socket on which nothing has happened since its last answer, or None."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.drop()
        return None

    def put(self, connection: Connection) -> bool:
        """Keep a socket for the next exchange; False when it must be dropped."""
        if self.is_retired or len(self._idle) >= _IDLE_PER_ENDPOINT:
            return False
        self._idle.append(connection)
        return True

    def drop_idle(self) -> None:
        """Close every idle socket."""
        while self._idle:
            self._idle.pop().drop()

    def retire(self) -> None:
        """Close what is idle, and let what is busy close when it has ended."""
        self.is_retired = True
        self.drop_idle()

    # What a connection reports.

    def add(self, connection: Connection) -> None:
        """Count a socket that has become usable."""
        self.open.add(connection)

    def remove_idle(self, connection: Connection) -> None:
        """Take a socket off the shelf that is about to close, if it lies there."""
        if connection in self._idle:
            self._idle.remove(connection)

    def discard(self, connection: Connection) -> None:
        """Count a socket no more: it is closed."""
        self.open.discard(connection)

    @property
    def is_empty(self) -> bool:
        """Return whether nobody would miss the shelf."""
        return not self.open and not self.dialling


class Pool:
    """A shelf for each destination."""

    def __init__(self) -> None:
        self._shelves: dict[Endpoint, Shelf] = {}
        self._retired: set[Shelf] = set()
        self._sweep_at = _SHELVES_BEFORE_SWEEPING

    def shelf(self, endpoint: Endpoint) -> Shelf:
        """Return the destination's shelf, a new one if there is none."""
        shelf = self._shelves.get(endpoint)
        if shelf is None:
            if len(self._shelves) >= self._sweep_at:
                self._sweep()
            shelf = self._shelves[endpoint] = Shelf(endpoint)
        return shelf

    def forget(self, endpoint: Endpoint) -> None:
        """Close the idle sockets of a destination; its busy ones will not come back."""
        shelf = self._shelves.pop(endpoint, None)
        if shelf is not None:
            shelf.retire()
            self._retired = {shelf, *(retired for retired in self._retired if not retired.is_empty)}

    def drop_idle(self) -> None:
        """Close every idle socket there is, to free file descriptors."""
        for shelf in self._shelves.values():
            shelf.drop_idle()

    async def close(self) -> None:
        """Close every socket, busy ones too, and wait until they are gone."""
        for endpoint in list(self._shelves):
            self.forget(endpoint)
        connections = [connection for shelf in self._retired for connection in shelf.open]
        for connection in connections:
            connection.interrupt()
        for _ in range(_TURNS_TO_CLOSE):
            if not any(shelf.open for shelf in self._retired):
                break
            await asyncio.sleep(0)

    def _sweep(self) -> None:
        """Forget the shelves that nobody uses; done each time their number has doubled."""
        self._retired = {shelf for shelf in self._retired if not shelf.is_empty}
        for endpoint in [endpoint for endpoint, shelf in self._shelves.items() if shelf.is_empty]:
            del self._shelves[endpoint]
        self._sweep_at = max(_SHELVES_BEFORE_SWEEPING, 2 * len(self._shelves))
