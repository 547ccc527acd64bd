"""Plain bytes to the receiver and its answers back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

HOST = b"Host: 127.0.0.1\r\n"


@dataclass(frozen=True)
class Reply:
    """A response: its status, its header block as text, its body."""

    status: int
    head: str
    body: bytes


@dataclass(frozen=True)
class Talk:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))

    async def read_reply(self, *, has_body: bool = True) -> Reply:
        async with asyncio.timeout(5):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line.split(":")[1] for line in head.split("\r\n") if line.startswith("Content-Length")]
            body = await self.reader.readexactly(int(lengths[0])) if lengths and has_body else b""
        return Reply(int(head.split(" ")[1]), head, body)

    async def is_closed(self) -> bool:
        """Wait for the other side to end the connection; return whether it did so without another byte."""
        with suppress(ConnectionError):
            async with asyncio.timeout(5):
                return await self.reader.read() == b""
        return True


@asynccontextmanager
async def talk_to(url: str) -> AsyncIterator[Talk]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Talk(reader, writer)
    finally:
        writer.close()


def get(path: str, host: bytes = HOST) -> bytes:
    return b"GET " + path.encode() + b" HTTP/1.1\r\n" + host + b"\r\n"


def post(path: str, body: bytes, headers: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST " + path.encode() + b" HTTP/1.1\r\n" + HOST + headers + length + b"\r\n" + body


async def ask(url: str, request: bytes) -> Reply:
    """Send one request on its own connection and return the answer."""
    async with talk_to(url) as talk:
        talk.send(request)
        return await talk.read_reply()
