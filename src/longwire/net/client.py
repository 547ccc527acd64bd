"""The HTTP/1.1 client: an HttpRequest goes out, an HttpResponse or a TransportFailure comes back."""

import asyncio
import ssl
from datetime import timedelta

from longwire.core.address_policy import AddressPolicy
from longwire.core.http import Cause, Endpoint, HttpRequest, HttpResponse, TransportFailure
from longwire.net.connection import Exchange
from longwire.net.dialler import OUT_OF_SOCKETS, Dialler
from longwire.net.pool import Pool, Shelf
from longwire.net.resolver import Resolver
from longwire.net.route import Form, Route, read_proxied
from longwire.net.tls import default_context


class Client:
    """Sends requests, one at a time on each socket, and keeps the sockets for the next ones.

    What the network does is never an exception but a value. No redirects, cookies, decompression or `Expect`;
    the client never sends a request a second time by itself.
    """

    def __init__(
        self, resolver: Resolver, policy: AddressPolicy, *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._dialler = Dialler(resolver, policy, tls or default_context())
        self._pool = Pool()

    async def send(
        self,
        request: HttpRequest,
        timeout: timedelta,  # noqa: ASYNC109 (one deadline over all the steps, kept by the socket's own timer)
        *,
        fresh: bool = False,
    ) -> HttpResponse | TransportFailure:
        """Return the answer, or why there is none; `timeout` covers everything from the name to the header.

        `fresh` keeps it from using an idle socket. When cancelled, the socket is dropped.
        """
        loop = asyncio.get_running_loop()
        shelf = self._pool.shelf(request.endpoint)
        exchange = Exchange(_encode(request, shelf.route), loop.time() + timeout.total_seconds(), loop)
        idle = None if fresh else shelf.take()
        try:
            if idle is not None:
                idle.begin_again(exchange)
            elif (failure := await self._dial(shelf, exchange.deadline, exchange)) is not None:
                return failure
            return _read(await exchange.outcome, shelf)
        except asyncio.CancelledError:
            exchange.abandon()
            raise

    async def probe(
        self,
        endpoint: Endpoint,
        timeout: timedelta,  # noqa: ASYNC109 (as in `send`)
    ) -> TransportFailure | None:
        """Return None when the destination can be reached (name, policy, TCP, tunnel, TLS), else why not.

        Through a proxy in absolute form only the proxy can be tried. No request is sent; the socket stays open for
        the next one.
        """
        deadline = asyncio.get_running_loop().time() + timeout.total_seconds()
        return await self._dial(self._pool.shelf(endpoint), deadline, None)

    def forget(self, endpoint: Endpoint) -> None:
        """Close the idle sockets of a destination, and those in use as soon as they have their answer."""
        self._pool.forget(endpoint)

    async def close(self) -> None:
        """Close every socket; what is under way ends with a TransportFailure."""
        await self._pool.close()

    async def _dial(
        self, shelf: Shelf, deadline: float, exchange: Exchange | None
    ) -> TransportFailure | None:
        shelf.dialling += 1
        try:
            result = await self._dialler.dial(shelf, deadline, exchange)
        finally:
            shelf.dialling -= 1
        if not isinstance(result, TransportFailure):
            return None
        if result.detail == OUT_OF_SOCKETS:
            self._pool.drop_idle()
        # Once the request has begun, its own outcome tells more than how the opening ended.
        return None if exchange is not None and exchange.connection is not None else result


def _read(result: HttpResponse | TransportFailure, shelf: Shelf) -> HttpResponse | TransportFailure:
    """Return the result as the destination's or the proxy's, and note a destination that gets slow."""
    if shelf.route.form is Form.ABSOLUTE:
        result = read_proxied(result, shelf.endpoint.proxy)
    if isinstance(result, TransportFailure) and result.cause is Cause.TIMEOUT:
        shelf.is_doubtful = True
    return result


def _encode(request: HttpRequest, route: Route) -> bytes:
    """Return the request as it goes on the wire: `Host`, the given headers, `Content-Length`, the body."""
    target = route.target_prefix + request.target
    parts = [f"{request.method} {target} HTTP/1.1\r\n".encode("ascii"), route.header_lines]
    for name, value in request.headers:
        parts += (name.encode("ascii"), b": ", value, b"\r\n")
    parts += (b"Content-Length: %d\r\n\r\n" % len(request.body), request.body)
    return b"".join(parts)
