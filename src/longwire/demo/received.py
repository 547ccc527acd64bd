"""What the receiver got: one request as a value, and the shelf that keeps the latest within bounds."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

_OVERHEAD_BYTES = 180
"""What the objects around a header's two texts, or around a request, take in memory."""


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came; `path` includes the query, `received_at` is aware, `id` counts from 1.

    Header names and values keep their order and spelling; bytes that are not UTF-8 appear as hex escapes.
    """

    id: int
    received_at: datetime
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first value of a header, in whatever case it was sent, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    @property
    def size_bytes(self) -> int:
        """Return about how much memory keeping it costs."""
        headers = sum(len(name) + len(value) + _OVERHEAD_BYTES for name, value in self.headers)
        return _OVERHEAD_BYTES + len(self.path) + len(self.body) + headers


class Shelf:
    """The latest requests, at most `max_requests` and `max_bytes` of them; the oldest goes first."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self._kept: deque[Received] = deque()
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._bytes = 0

    def keep(self, received: Received) -> None:
        """Put a request on the shelf; one that is larger than the whole shelf empties it and is not kept."""
        self._kept.append(received)
        self._bytes += received.size_bytes
        while len(self._kept) > self._max_requests or self._bytes > self._max_bytes:
            self._bytes -= self._kept.popleft().size_bytes

    def after(self, number: int) -> tuple[Received, ...]:
        """Return what came after the request with that id, oldest first; 0 gives everything still kept."""
        return tuple(received for received in self._kept if received.id > number)
