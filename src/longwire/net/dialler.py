"""Opens sockets: resolve the name, judge each address, dial what is allowed, shake hands."""

import asyncio
import errno
import socket
import ssl
from ipaddress import IPv6Address

from longwire.core.address_policy import Address, AddressPolicy
from longwire.core.http import Cause, Endpoint, TransportFailure
from longwire.net import tls
from longwire.net.connection import Connection, Exchange
from longwire.net.judge import allowed_addresses
from longwire.net.pool import Shelf
from longwire.net.resolver import Resolver

_PARALLEL_DIALS = 256
# A name may have a thousand addresses; trying this many of them in turn is a fair effort.
_ADDRESSES_TRIED = 8

OUT_OF_SOCKETS = "Longwire has too many files open; raise the limit of open files (ulimit -n)"
_LOCAL_LIMITS = {
    errno.EMFILE: OUT_OF_SOCKETS,
    errno.ENFILE: OUT_OF_SOCKETS,
    errno.EADDRNOTAVAIL: "Longwire has no local port left for this destination",
}


class Dialler:
    """Opens one socket at a time for each caller, a bounded number at once for all."""

    def __init__(self, resolver: Resolver, policy: AddressPolicy, context: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._policy = policy
        self._context = context
        self._slots = asyncio.Semaphore(_PARALLEL_DIALS)

    async def dial(
        self, shelf: Shelf, deadline: float, first: Exchange | None = None
    ) -> Connection | TransportFailure:
        """Return an open connection that has begun `first`, or why there is none.

        The address that was judged is the address that is dialled. `deadline` is a time of the loop.
        """
        found = await allowed_addresses(self._resolver, self._policy, shelf.endpoint, deadline)
        if isinstance(found, TransportFailure):
            return found
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            return TransportFailure(Cause.TIMEOUT, "too many connections were being opened at the same time")
        try:
            return await self._try_in_turn(found, shelf, deadline, first)
        finally:
            self._slots.release()

    async def _try_in_turn(
        self, addresses: tuple[Address, ...], shelf: Shelf, deadline: float, first: Exchange | None
    ) -> Connection | TransportFailure:
        addresses = addresses[:_ADDRESSES_TRIED]
        loop = asyncio.get_running_loop()
        result: Connection | TransportFailure = TransportFailure(Cause.TIMEOUT, "no time was left to connect")
        for position, address in enumerate(addresses):
            # An address that does not answer must leave time for those behind it.
            share = (deadline - loop.time()) / (len(addresses) - position)
            result = await self._open(address, shelf, loop.time() + share, first)
            if isinstance(result, Connection) or (first is not None and first.connection is not None):
                break
        return result

    async def _open(
        self, address: Address, shelf: Shelf, until: float, first: Exchange | None
    ) -> Connection | TransportFailure:
        port = shelf.endpoint.port
        remote = f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
        try:
            plain = await _connect(address, port, until)
        except OSError as error:
            return _connect_failure(error, remote)
        connection = Connection(shelf, remote, asyncio.get_running_loop(), first)
        try:
            await self._take_over(plain, connection, shelf.endpoint, until)
        except OSError as error:  # ssl.SSLError and TimeoutError are among them
            is_tls = shelf.endpoint.scheme == "https"
            return _handshake_failure(error, remote) if is_tls else _connect_failure(error, remote)
        return connection

    async def _take_over(
        self, plain: socket.socket, connection: Connection, endpoint: Endpoint, until: float
    ) -> None:
        """Hand the socket to the loop, through TLS for https; the loop closes it when this fails."""
        is_tls = endpoint.scheme == "https"
        async with asyncio.timeout_at(until):
            await asyncio.get_running_loop().create_connection(
                lambda: connection,
                sock=plain,
                ssl=self._context if is_tls else None,
                server_hostname=endpoint.host if is_tls else None,
            )


async def _connect(address: Address, port: int, until: float) -> socket.socket:
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    plain = socket.socket(family, socket.SOCK_STREAM)
    try:
        plain.setblocking(False)
        async with asyncio.timeout_at(until):
            await asyncio.get_running_loop().sock_connect(plain, (str(address), port))
    except BaseException:
        plain.close()
        raise
    return plain


def _connect_failure(error: OSError, remote: str) -> TransportFailure:
    if isinstance(error, TimeoutError):
        return TransportFailure(Cause.TIMEOUT, f"{remote} did not accept the connection in time", remote)
    if error.errno in _LOCAL_LIMITS:
        return TransportFailure(Cause.REFUSED, _LOCAL_LIMITS[error.errno])
    if isinstance(error, ConnectionRefusedError):
        return TransportFailure(Cause.REFUSED, f"{remote} refused the connection", remote)
    if isinstance(error, ConnectionError):
        return TransportFailure(
            Cause.RESET, f"{remote} reset the connection while it was being opened", remote
        )
    return TransportFailure(Cause.REFUSED, f"{remote} cannot be reached: {error.strerror or error}", remote)


def _handshake_failure(error: OSError, remote: str) -> TransportFailure:
    if isinstance(error, ssl.SSLError):
        return TransportFailure(Cause.TLS, tls.why(error), remote)
    if isinstance(error, TimeoutError):
        return TransportFailure(Cause.TIMEOUT, "the TLS handshake was not finished in time", remote)
    return TransportFailure(Cause.TLS, tls.HANDSHAKE_CLOSED, remote)
