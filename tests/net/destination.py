"""Destinations made of raw sockets: they log every byte and answer by a script of the test."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Self

import msgspec

from longwire.core.http import Endpoint, HttpRequest, Proxy, TlsSettings

_NO_TLS_SETTINGS = TlsSettings()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Peer:
    """One accepted connection, seen from the destination."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.requests: list[bytes] = []
        self.gone = asyncio.Event()

    async def read_request(self) -> bytes:
        """Return the bytes of one request; raises IncompleteReadError when there is none any more."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        request = head + await self._reader.readexactly(length)
        self.requests.append(request)
        return request

    async def read_head(self) -> bytes:
        """Return the bytes of a head without body."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        self.requests.append(head)
        return head

    async def read(self, size: int) -> bytes:
        return await self._reader.readexactly(size)

    async def relay(self, host: str, port: int) -> None:
        """Pass bytes both ways to another server until one side ends."""
        reader, writer = await asyncio.open_connection(host, port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while piece := await source.read(65536):
                sink.write(piece)
                await sink.drain()

        pumps = [
            asyncio.create_task(pump(self._reader, writer)),
            asyncio.create_task(pump(reader, self._writer)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in pumps:
                task.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            writer.close()

    async def read_some(self) -> bytes:
        return await self._reader.read(4096)

    async def send(self, answer: bytes) -> None:
        self._writer.write(answer)
        await self._writer.drain()

    async def end(self) -> None:
        """Send no more, but go on reading (a half-close)."""
        self._writer.write_eof()
        await self._writer.drain()

    async def wait_until_gone(self) -> None:
        """Return when the other side has closed or reset the connection."""
        with contextlib.suppress(ConnectionError):
            while await self._reader.read(65536):
                pass
        self.gone.set()

    def certificate(self) -> Any:
        """Return what `ssl` tells of the client's certificate."""
        return self._writer.get_extra_info("peercert")

    def reset(self) -> None:
        """Close with RST."""
        plain = self._writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self._writer.wait_closed()


Script = Callable[[Peer], Awaitable[None]]


class Destination:
    """A listening socket; `script` is run for each connection, which is closed when it returns."""

    def __init__(
        self, script: Script, *, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.peers: list[Peer] = []
        self.port = port
        self._script = script
        self._host = host
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def requests(self) -> list[bytes]:
        return [request for peer in self.peers for request in peer.requests]

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint("http" if self._tls is None else "https", self._host, self.port)

    def request(self, body: bytes = b"{}", *, host: str | None = None) -> HttpRequest:
        """Return a POST to this destination, by its address or by a name."""
        endpoint = Endpoint(self.endpoint.scheme, host or self._host, self.port)
        headers = (("Content-Type", b"application/json"), ("X-Kept-As-Given", "Zürich".encode("latin-1")))
        return HttpRequest(endpoint, "POST", "/in?a=1", headers, body)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self._host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        self.peers.append(peer)
        task = asyncio.get_running_loop().create_task(self._run(peer))
        self._tasks.add(task)

    async def _run(self, peer: Peer) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._script(peer)
        finally:
            await peer.close()


def answering(*answers: bytes) -> Script:
    """Return a script that answers each request with the next of `answers`, then always with the last."""

    async def script(peer: Peer) -> None:
        for answer in answers:
            await peer.read_request()
            await peer.send(answer)
        while await peer.read_request():
            await peer.send(answers[-1])

    return script


async def echo(peer: Peer) -> None:
    """Answer each request with its own body, so that an answer cannot be taken for another's."""
    while True:
        await peer.send(echoed(await peer.read_request()))


def echoed(request: bytes) -> bytes:
    body = request.partition(b"\r\n\r\n")[2]
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def say_nothing(peer: Peer) -> None:
    """Read the request and never answer."""
    await peer.wait_until_gone()


def through(request: HttpRequest, proxy: Proxy, tls: TlsSettings = _NO_TLS_SETTINGS) -> HttpRequest:
    """Return the same request by way of a proxy."""
    return msgspec.structs.replace(request, endpoint=replace(request.endpoint, proxy=proxy, tls=tls))
