"""A destination whose every answer the test decides; it logs requests, and keeps its port while it is down."""

import asyncio
import itertools
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any

import msgspec


class Reaction(Enum):
    """What the server does instead of answering."""

    HANG = auto()  # until `release`, or until the other side has gone
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Received:
    """One request: which message it carries (`A3`: the third of device A), when, and how."""

    name: str
    at: datetime
    path: str
    headers: dict[str, str]
    body: bytes
    socket_number: int
    number_on_socket: int

    @property
    def attempt(self) -> int:
        return int(self.headers["longwire-attempt"])


Script = Callable[[Received], int | Reaction]


class ScriptedServer:
    """Answers by `script`; nobody can connect while it is down, or before `open`; `hangs_up`: it lets nobody in."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.script: Script = lambda _: 200
        self.requests: list[Received] = []
        self.connected = 0
        self.visits: list[datetime] = []
        self.hangs_up = False
        self._now = now
        self._held: set[asyncio.Future[None]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._accepted: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        # Bound and never listening: the port stays ours, and refuses connections.
        self._place = _bound(0)
        self.port: int = self._place.getsockname()[1]

    @property
    def names(self) -> list[str]:
        return [request.name for request in self.requests]

    @property
    def hanging(self) -> int:
        """Return how many requests wait for `release`."""
        return len(self._held)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/in"

    async def open(self) -> None:
        self._listener = _bound(self.port)
        self._listener.listen(256)
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def close(self) -> None:
        """Refuse connections from now on, and drop those that are open."""
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for accepted in self._accepted:
            accepted.close()
        self._accepted.clear()

    async def end(self) -> None:
        await self.close()
        self._place.close()

    def release(self) -> None:
        """Answer what hangs with 200."""
        for held in self._held:
            held.set_result(None)
        self._held.clear()

    def _accept(self, listener: socket.socket) -> None:
        """Accept one. asyncio's own ways to accept may leave it open for ever when they are cancelled just then."""
        try:
            accepted, _ = listener.accept()
        except BlockingIOError:
            return  # it has gone again
        accepted.setblocking(False)
        self.connected += 1
        self.visits.append(self._now())
        if self.hangs_up:
            accepted.close()
            return
        self._accepted.add(accepted)
        task = asyncio.get_running_loop().create_task(self._serve(accepted, self.connected))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, accepted: socket.socket, socket_number: int) -> None:
        reader, writer = await asyncio.open_connection(sock=accepted)
        self._accepted.discard(accepted)  # the transport has it now
        await self._answer(reader, writer, socket_number)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, socket_number: int
    ) -> None:
        try:
            for number in itertools.count(1):
                request = await self._read(reader, socket_number, number)
                self.requests.append(request)
                answer = self.script(request)
                if answer is Reaction.HANG:
                    answer = await self._hang(reader)
                if isinstance(answer, Reaction):
                    break
                writer.write(b"HTTP/1.1 %d Said\r\nContent-Length: 0\r\n\r\n" % answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side has gone
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, socket_number: int, number: int) -> Received:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        path = head[0].split(" ")[1]
        return Received(name_of(body), self._now(), path, headers, body, socket_number, number)

    async def _hang(self, reader: asyncio.StreamReader) -> int | Reaction:
        """Wait until released or left."""
        released: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        left: asyncio.Future[bytes] = asyncio.create_task(reader.read(1))
        either: list[asyncio.Future[Any]] = [released, left]
        self._held.add(released)
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return 200 if released.done() else Reaction.CLOSE
        finally:
            self._held.discard(released)
            left.cancel()
            await asyncio.gather(left, return_exceptions=True)


def name_of(body: bytes) -> str:
    uplink = msgspec.json.decode(body)["DevEUI_uplink"]
    return f"{uplink['DevEUI'][-1]}{uplink['FCntUp']}"


def _bound(port: int) -> socket.socket:
    place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    place.setblocking(False)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    place.bind(("127.0.0.1", port))
    return place
