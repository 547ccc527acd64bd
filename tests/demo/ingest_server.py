"""A small ingest door that misbehaves as planned, and remembers what it was sent and what it took."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl

import msgspec


class Act(Enum):
    """What the door does with one request."""

    TAKE = "take"
    BUSY = "answer 503"
    FORBID = "answer 403"
    DROP = "close before taking it"
    TAKE_AND_DROP = "take it, then close without an answer"
    HANG = "take it and never answer"


TAKEN = {Act.TAKE, Act.TAKE_AND_DROP, Act.HANG}


@dataclass(frozen=True)
class Arrival:
    """One request as it arrived."""

    query: str
    body: bytes
    act: Act

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, strict_parsing=True))

    @property
    def uplink(self) -> tuple[str, int]:
        members = msgspec.json.decode(self.body)["DevEUI_uplink"]
        return members["DevEUI"], members["FCntUp"]


@dataclass
class IngestServer:
    """Listens on loopback; `plan` is asked for each request, by its number from 0."""

    plan: Callable[[int], Act]
    arrivals: list[Arrival] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/ingest/lrc"

    def taken(self) -> list[tuple[str, int]]:
        """Return the uplinks it took, without repeats, in the order of their first arrival."""
        return list(dict.fromkeys(a.uplink for a in self.arrivals if a.act in TAKEN))

    @asynccontextmanager
    async def listen(self) -> AsyncIterator["IngestServer"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer_one(reader, writer):
                    pass
        finally:
            writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
        length = next(
            int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("Content-Length")
        )
        body = await reader.readexactly(length)
        act = self.plan(len(self.arrivals))
        self.arrivals.append(Arrival(head.split(" ")[1].partition("?")[2], body, act))
        if act is Act.HANG:
            await reader.read()
        if act in {Act.DROP, Act.TAKE_AND_DROP, Act.HANG}:
            return False
        status = {Act.TAKE: "200 OK", Act.BUSY: "503 Busy", Act.FORBID: "403 No"}[act]
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        await writer.drain()
        return True
