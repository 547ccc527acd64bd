"""Opens sockets: resolve the name, judge each address, dial what is allowed, pass the proxy, shake hands."""

import asyncio
import errno
import socket
import ssl
from dataclasses import dataclass
from ipaddress import IPv6Address

from longwire.core.address_policy import Address, AddressPolicy
from longwire.core.http import Cause, Endpoint, TransportFailure, host_and_port
from longwire.net import tls
from longwire.net.connection import Connection, Exchange
from longwire.net.judge import allowed_addresses
from longwire.net.leg import Leg, PlainLeg, ProxyRefused
from longwire.net.pool import Shelf
from longwire.net.resolver import Resolver
from longwire.net.route import Form, last_tls, named
from longwire.net.slots import Limits, Slots, within_open_files
from longwire.net.tls import Contexts
from longwire.net.tunnel import blaming, open_tunnel

_PARALLEL_DIALS = 256
# Dials that have got nowhere by then wait for somebody who does not answer, which costs a file descriptor each.
_PATIENCE_S = 1.0
_WAITING_DIALS = 1024
# A name may have a thousand addresses; trying this many of them in turn is a fair effort.
_ADDRESSES_TRIED = 8

OUT_OF_SOCKETS = "Longwire has too many files open; raise the limit of open files (ulimit -n)"
_LOCAL_LIMITS = {
    errno.EMFILE: OUT_OF_SOCKETS,
    errno.ENFILE: OUT_OF_SOCKETS,
    errno.EADDRNOTAVAIL: "Longwire has no local port left for this destination",
}


@dataclass(frozen=True, slots=True)
class _Dial:
    """One caller's wish: an open socket on this shelf by `deadline` (time of the loop), which begins `first`."""

    shelf: Shelf
    deadline: float
    first: Exchange | None


class Dialler:
    """Opens one socket at a time for each caller, a bounded number at once for all."""

    def __init__(self, resolver: Resolver, policy: AddressPolicy, context: ssl.SSLContext) -> None:
        self._resolver = resolver
        self._policy = policy
        self._contexts = Contexts(context)
        self._slots = Slots(
            Limits(within_open_files(_PARALLEL_DIALS), within_open_files(_WAITING_DIALS), _PATIENCE_S)
        )

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
            result = await self._wait_and_try(found, _Dial(shelf, deadline, first))
        except TimeoutError:
            return TransportFailure(Cause.TIMEOUT, "too many connections were being opened at the same time")
        shelf.is_doubtful = isinstance(result, TransportFailure)
        return result

    async def _wait_and_try(
        self, addresses: tuple[Address, ...], dial: _Dial
    ) -> Connection | TransportFailure:
        """Try when it is our turn, first among the dials of this destination, then among all."""
        shelf, deadline = dial.shelf, dial.deadline
        async with asyncio.timeout_at(deadline):
            await shelf.own_dials.acquire()
        try:
            async with self._slots.turn(deadline, is_doubtful=shelf.is_doubtful):
                return await self._try_in_turn(addresses, dial)
        finally:
            shelf.own_dials.release()

    async def _try_in_turn(
        self, addresses: tuple[Address, ...], dial: _Dial
    ) -> Connection | TransportFailure:
        addresses = addresses[:_ADDRESSES_TRIED]
        loop = asyncio.get_running_loop()
        result: Connection | TransportFailure = TransportFailure(Cause.TIMEOUT, "no time was left to connect")
        for position, address in enumerate(addresses):
            # An address that does not answer must leave time for those behind it.
            share = (dial.deadline - loop.time()) / (len(addresses) - position)
            result = await self._open(address, dial, loop.time() + share)
            if isinstance(result, Connection) or result.cause is Cause.PROXY_407:
                break
            if dial.first is not None and dial.first.connection is not None:
                break
        return result

    async def _open(self, address: Address, dial: _Dial, until: float) -> Connection | TransportFailure:
        shelf = dial.shelf
        remote = host_and_port(str(address), shelf.route.port)
        try:
            plain = await _connect(address, shelf.route.port, until)
        except OSError as error:
            return _blame_proxy(_connect_failure(error, remote), shelf.endpoint)
        connection = Connection(shelf, remote, asyncio.get_running_loop(), dial.first)
        try:
            await self._take_over(plain, connection, dial, until)
        except ProxyRefused as refusal:
            return TransportFailure(refusal.cause, refusal.detail, remote)
        except OSError as error:  # ssl.SSLError and TimeoutError are among them
            is_tls = shelf.endpoint.scheme == "https"
            return _handshake_failure(error, remote) if is_tls else _connect_failure(error, remote)
        return connection

    async def _take_over(
        self, plain: socket.socket, connection: Connection, dial: _Dial, until: float
    ) -> None:
        """Bring the socket to where requests can be written; it is closed when this fails."""
        endpoint, form = dial.shelf.endpoint, dial.shelf.route.form
        leg: Leg = PlainLeg(plain)
        if form is Form.TUNNEL and endpoint.proxy is not None:
            # How long the proxy takes is mostly not its own doing, so it may take what the other addresses would.
            leg = await open_tunnel(plain, endpoint, endpoint.proxy, self._contexts, dial.deadline)
            until = dial.deadline
        try:
            if form is Form.ABSOLUTE and endpoint.proxy is not None:
                async with blaming(endpoint.proxy, "finish the TLS handshake", until):
                    await leg.hand_over(connection, *last_tls(endpoint, form, self._contexts))
            else:
                async with asyncio.timeout_at(until):
                    await leg.hand_over(connection, *last_tls(endpoint, form, self._contexts))
        finally:
            leg.close()


def _blame_proxy(failure: TransportFailure, endpoint: Endpoint) -> TransportFailure:
    """Return a failure to connect as the proxy's if that is whom we dialled and the fault is not here."""
    if endpoint.proxy is None or failure.detail in _LOCAL_LIMITS.values():
        return failure
    detail = f"{named(endpoint.proxy)}: {failure.detail}"
    return TransportFailure(Cause.PROXY, detail, failure.remote_address)


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
    if isinstance(error, TimeoutError) and not isinstance(error, ssl.SSLError):
        return TransportFailure(Cause.TIMEOUT, "the TLS handshake was not finished in time", remote)
    return TransportFailure(Cause.TLS, tls.why(error), remote)
