"""The minimal prototype of Longwire's path: the bound that the product is measured against.

HTTP in, a commit that is synced, hand-over in memory, per-device order, HTTP out, a result row: each at least once,
none lost by a kill. Nothing else: no Token, routing, patterns or log, no error of the destination, one destination;
what waits is kept in memory, however much it is.
`python -m bench.prototype PORT FILE DESTINATION_PORT [CA_FILE]`
"""

import asyncio
import signal
import sqlite3
import ssl
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, cast

import httptools
import uvloop

try:
    import pysqlite3.dbapi2 as sqlite_library
except ImportError:
    sqlite_library = sqlite3

SQLITE_VERSION: str = sqlite_library.sqlite_version
SOCKETS = 64
SWITCH_INTERVAL_S = 0.0005
ROWS_AT_ONCE = tuple(1 << power for power in range(7, -1, -1))
PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000", "cache_size=-32768")
TABLES = (
    "CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, dev_eui BLOB, received_at REAL, body BLOB)",
    "CREATE TABLE IF NOT EXISTS result (message_id INTEGER PRIMARY KEY, sent_at REAL, took REAL, status INT)",
)
INSERT_MESSAGES = "INSERT INTO message VALUES {rows}"
INSERT_RESULTS = "INSERT INTO result VALUES {rows}"
# A message waits until it has a result.
UNSETTLED = "SELECT * FROM message WHERE id NOT IN (SELECT message_id FROM result) ORDER BY id"

ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HEAD = (
    b"POST /uplinks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"User-Agent: prototype\r\nwebhook-id: msg_%d\r\nwebhook-timestamp: %d\r\nContent-Length: %d\r\n\r\n"
)


class Message:
    """An uplink on its way: from the door to its result."""

    __slots__ = ("body", "dev_eui", "id", "received_at", "sent_at", "status", "took")
    sent_at: float
    took: float
    status: int

    def __init__(self, number: int, dev_eui: bytes, received_at: float, body: bytes) -> None:
        self.id, self.dev_eui, self.received_at, self.body = number, dev_eui, received_at, body


class Store:
    """One SQLite file and its writer; what arrives during a commit shares the next one."""

    def __init__(self, path: str, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._writer = ThreadPoolExecutor(1)
        self._sql = sqlite_library.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        for statement in (*(f"PRAGMA {pragma}" for pragma in PRAGMAS), *TABLES):
            self._sql.execute(statement)
        self._puts: list[tuple[Message, Callable[[], None]]] = []
        self._results: list[tuple[Message, Callable[[Message], None]]] = []
        self._is_busy = False

    def put(self, message: Message, on_durable: Callable[[], None]) -> None:
        """Store a message; call back once it is on disk."""
        self._puts.append((message, on_durable))
        self._wake()

    def settle(self, message: Message, on_durable: Callable[[Message], None]) -> None:
        """Store a message's result; call back once it is on disk."""
        self._results.append((message, on_durable))
        self._wake()

    def last_id(self) -> int:
        """Return the highest id that was given."""
        return int(self._sql.execute("SELECT coalesce(max(id), 0) FROM message").fetchone()[0])

    def unsettled(self) -> list[Message]:
        """Return what waits, in order."""
        return [Message(*row) for row in self._sql.execute(UNSETTLED)]

    def _wake(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._loop.call_soon(self._begin)  # what the loop reads in this turn comes along

    def _begin(self) -> None:
        puts, results = self._puts, self._results
        self._puts, self._results = [], []
        self._writer.submit(self._commit, puts, results)

    def _commit(self, puts: list[Any], results: list[Any]) -> None:
        self._sql.execute("BEGIN IMMEDIATE")
        self._write(
            INSERT_MESSAGES, [(each.id, each.dev_eui, each.received_at, each.body) for each, _ in puts]
        )
        self._write(INSERT_RESULTS, [(each.id, each.sent_at, each.took, each.status) for each, _ in results])
        self._sql.execute("COMMIT")
        self._loop.call_soon_threadsafe(self._conclude, puts, results)

    def _write(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        # One statement for many rows: `executemany` would hand the interpreter over and back for each of them.
        for part in in_sizes(rows):
            places = ",".join([f"({','.join('?' * len(part[0]))})"] * len(part))
            self._sql.execute(statement.format(rows=places), [value for row in part for value in row])

    def _conclude(self, puts: list[Any], results: list[Any]) -> None:
        self._is_busy = False
        for _, on_durable in puts:
            on_durable()
        for message, on_durable in results:
            on_durable(message)
        if self._puts or self._results:
            self._wake()


def in_sizes(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Return the rows in parts of a few sizes, so that the driver's cache knows every statement."""
    begin = 0
    for size in ROWS_AT_ONCE:
        while begin + size <= len(rows):
            yield rows[begin : begin + size]
            begin += size


class Lane:
    """One destination: the oldest first, at most one message per device and socket at a time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last_id = store.last_id()
        self._idle: list[Client] = []
        self._ready: deque[Message] = deque()
        self._behind: dict[bytes, deque[Message]] = {}

    def accept(self, dev_eui: bytes, body: bytes, answer: Callable[[], None]) -> None:
        """Store an uplink, then answer and deliver it."""
        self._last_id += 1
        message = Message(self._last_id, dev_eui, time.time(), body)

        def go_on() -> None:
            answer()
            self.deliver(message)

        self._store.put(message, go_on)

    def deliver(self, message: Message) -> None:
        """Send a message that is on disk when its device and a socket are free."""
        if (behind := self._behind.get(message.dev_eui)) is not None:
            behind.append(message)
        else:
            self._behind[message.dev_eui] = deque()
            self._start(message)

    def rest(self, client: "Client") -> None:
        """Give a free socket the next message."""
        if self._ready:
            client.send(self._ready.popleft())
        else:
            self._idle.append(client)

    def settle(self, client: "Client", message: Message) -> None:
        """Record a result; slot and device are free only when it is on disk."""

        def go_on(message: Message) -> None:
            if behind := self._behind[message.dev_eui]:
                self._start(behind.popleft())
            else:
                del self._behind[message.dev_eui]
            self.rest(client)

        self._store.settle(message, go_on)

    def _start(self, message: Message) -> None:
        if self._idle:
            self._idle.pop().send(message)
        else:
            self._ready.append(message)


class Door(asyncio.Protocol):
    """One sender's socket."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._dev_eui = url.partition(b"LrnDevEui=")[2][:16]
        self._body = b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._lane.accept(self._dev_eui, self._body, self._answer)

    def _answer(self) -> None:
        if not self._transport.is_closing():
            self._transport.write(ACCEPTED)


class Client(asyncio.Protocol):
    """One socket to the destination."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpResponseParser(self)
        self._lane.rest(self)

    def send(self, message: Message) -> None:
        """Send one message; its answer frees the socket."""
        message.sent_at = time.time()
        self._message = message
        body = message.body
        self._transport.write(HEAD % (message.id, message.sent_at, len(body)) + body)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        message = self._message
        message.status = self._parser.get_status_code()
        message.took = time.time() - message.sent_at
        self._lane.settle(self, message)

    def connection_lost(self, exc: Exception | None) -> None:
        sys.exit(f"the destination closed a socket: {exc}")


async def main() -> None:
    """Deliver what a run before has left, then what comes, until SIGTERM."""
    port, path, destination_port, *ca_file = sys.argv[1:]
    loop = asyncio.get_running_loop()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    lane = Lane(store := Store(path, loop))
    context = ssl.create_default_context(cafile=ca_file[0]) if ca_file else None
    for message in store.unsettled():
        lane.deliver(message)
    for _ in range(SOCKETS):
        await loop.create_connection(lambda: Client(lane), "127.0.0.1", int(destination_port), ssl=context)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await loop.create_server(lambda: Door(lane), "127.0.0.1", int(port))
    await ended.wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        uvloop.run(main())
