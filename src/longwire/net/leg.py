"""A socket to a proxy while we speak with the proxy itself, until it becomes the socket of an exchange."""

import asyncio
import socket
import ssl
from typing import Protocol, cast

from longwire.core.http import Cause
from longwire.net.adopt import adopt
from longwire.net.connection import Connection

_BUFFER_LIMIT = 64 * 1024


class ProxyRefused(Exception):
    """The proxy did not let us through; `cause` and `detail` as in TransportFailure."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


class Leg(Protocol):
    """Bytes to and from a proxy; whoever holds it closes it, unless it was handed over."""

    async def send(self, piece: bytes) -> None:
        """Write all of it. Errors: OSError."""

    async def receive(self, limit: int) -> bytes:
        """Return the next bytes, at most `limit` of them; nothing at the end. Errors: OSError."""

    async def hand_over(self, connection: Connection, context: ssl.SSLContext | None, host: str) -> None:
        """Make it the connection's socket, through TLS with `host` if there is a context. Errors: OSError."""

    def close(self) -> None:
        """Close the socket if it was not handed over."""


class PlainLeg:
    """A bare socket; nothing but what is asked for is read from it."""

    def __init__(self, plain: socket.socket) -> None:
        self._socket = plain
        self._is_mine = True

    async def send(self, piece: bytes) -> None:
        """Write all of it."""
        await asyncio.get_running_loop().sock_sendall(self._socket, piece)

    async def receive(self, limit: int) -> bytes:
        """Return the next bytes."""
        return await asyncio.get_running_loop().sock_recv(self._socket, limit)

    async def into_tls(self, context: ssl.SSLContext, host: str) -> "TlsLeg":
        """Return the same way with TLS to the proxy, named `host`, on top."""
        self._is_mine = False  # the loop closes it when this fails
        leg = TlsLeg()
        await adopt(self._socket, lambda: leg, context, host)
        return leg

    async def hand_over(self, connection: Connection, context: ssl.SSLContext | None, host: str) -> None:
        """Make it the connection's socket."""
        self._is_mine = False  # the loop closes it when this fails
        await adopt(self._socket, lambda: connection, context, None if context is None else host)

    def close(self) -> None:
        """Close the socket if it is still ours."""
        if self._is_mine:
            self._socket.close()


class TlsLeg(asyncio.Protocol):
    """TLS to a proxy; handed over it becomes TLS within TLS."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._is_ended = False
        self._error: Exception | None = None
        self._news = asyncio.Event()

    async def send(self, piece: bytes) -> None:
        """Write all of it; what we say to a proxy is short and needs no waiting."""
        self._open_transport().write(piece)

    async def receive(self, limit: int) -> bytes:
        """Return the next bytes."""
        while not self._received and not self._is_ended:
            self._news.clear()
            await self._news.wait()
        if not self._received and self._error is not None:
            raise self._error
        piece = bytes(self._received[:limit])
        del self._received[:limit]
        return piece

    async def hand_over(self, connection: Connection, context: ssl.SSLContext | None, host: str) -> None:
        """Make it the connection's socket. Errors: ConnectionResetError when the tunnel breaks meanwhile."""
        outer = self._open_transport()
        try:
            inner = await asyncio.get_running_loop().start_tls(
                outer, connection, cast("ssl.SSLContext", context), server_hostname=host
            )
        except TypeError as error:
            # Python's own loop before 3.11.8 stumbles over the failure of a handshake in here (CPython issue 113214).
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise
        if inner is None or inner.is_closing() or connection.is_dropped:
            raise ConnectionResetError
        connection.connection_made(inner)
        self._transport = None

    def close(self) -> None:
        """Close the socket if it is still ours."""
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep what came; a proxy that sends more than any answer needs is cut off."""
        self._received += data
        self._news.set()
        if len(self._received) > _BUFFER_LIMIT:
            self._open_transport().pause_reading()

    def eof_received(self) -> None:
        """Note the end."""
        self._is_ended = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and why."""
        self._is_ended = True
        self._error = exc
        self._news.set()

    def _open_transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self._transport)
