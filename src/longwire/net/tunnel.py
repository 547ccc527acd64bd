"""Asks a proxy for a tunnel to a destination; what goes wrong on the way there is the proxy's failure."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from longwire.core.http import Cause, Endpoint, Proxy, host_and_port
from longwire.net import socks5, tls
from longwire.net.leg import Leg, PlainLeg, ProxyRefused
from longwire.net.response import HEAD_LIMIT
from longwire.net.route import AUTHENTICATION_REQUIRED, authorization_line, login_refused, named
from longwire.net.salvage import Head, NotHttp, read_head
from longwire.net.tls import Contexts

_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL = 200
_AFTER_SUCCESS = 300
_PIECE_BYTES = 4096


async def open_tunnel(
    plain: socket.socket, endpoint: Endpoint, proxy: Proxy, contexts: Contexts, until: float
) -> Leg:
    """Return the way to the destination through the proxy at the other end of `plain`.

    The socket is closed when there is none. `until` is a time of the loop. Errors: ProxyRefused.
    """
    bare = PlainLeg(plain)
    leg: Leg = bare
    try:
        if proxy.scheme == "https":
            async with blaming(proxy, "finish the TLS handshake", until):
                leg = await bare.into_tls(contexts.for_proxy(endpoint.tls), proxy.host)
        async with blaming(proxy, "answer", until):
            ask = socks5.ask if proxy.scheme == "socks5" else _ask
            await ask(leg, endpoint, proxy)
    except BaseException:
        leg.close()
        raise
    return leg


@asynccontextmanager
async def blaming(proxy: Proxy, step: str, until: float) -> AsyncIterator[None]:
    """Run the block at most until then; what the network does in it becomes ProxyRefused."""
    try:
        async with asyncio.timeout_at(until):
            yield
    except ssl.SSLError as error:
        raise ProxyRefused(Cause.PROXY, _once_named(proxy, tls.why(error, named(proxy)))) from None
    except TimeoutError:
        raise ProxyRefused(Cause.PROXY, f"{named(proxy)} did not {step} in time") from None
    except OSError:
        raise ProxyRefused(
            Cause.PROXY, f"{named(proxy)} closed the connection when it was to {step}"
        ) from None


def _once_named(proxy: Proxy, reason: str) -> str:
    return reason if reason.startswith(named(proxy)) else f"{named(proxy)}: {reason}"


async def _ask(leg: Leg, endpoint: Endpoint, proxy: Proxy) -> None:
    """Ask with CONNECT. Source: RFC 9110, section 9.3.6."""
    target = host_and_port(endpoint.host, endpoint.port)
    await leg.send(
        f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n".encode("ascii")
        + authorization_line(proxy)
        + b"\r\n"
    )
    head, extra_bytes = await _read_answer(leg, proxy)
    if head.status == AUTHENTICATION_REQUIRED:
        fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.fields)
        raise ProxyRefused(Cause.PROXY_407, login_refused(proxy, fields))
    if not _FIRST_FINAL <= head.status < _AFTER_SUCCESS:
        raise ProxyRefused(Cause.PROXY, f"{named(proxy)} answered CONNECT {target} with {head.status}")
    if extra_bytes:
        # The destination does not speak before we have: these bytes are the proxy's, and no part of the tunnel.
        raise ProxyRefused(
            Cause.PROXY, f"{named(proxy)} sent {extra_bytes} bytes after its answer to CONNECT"
        )


async def _read_answer(leg: Leg, proxy: Proxy) -> tuple[Head, int]:
    """Return the head of the final answer, and how many bytes have come after it."""
    raw, start = b"", 0
    while len(raw) <= HEAD_LIMIT:
        piece = await leg.receive(_PIECE_BYTES)
        if not piece:
            raise ProxyRefused(
                Cause.PROXY, f"{named(proxy)} closed the connection before it answered CONNECT"
            )
        seen = len(raw)
        raw += piece
        try:
            while (head := read_head(raw, start, seen)) is not None:
                if head.status >= _FIRST_FINAL or head.status == _SWITCHING_PROTOCOLS:
                    return head, len(raw) - head.end
                start = head.end
        except NotHttp:  # its text shows what came, which may be our credentials
            raise ProxyRefused(Cause.PROXY, f"{named(proxy)} does not answer like an HTTP proxy") from None
    raise ProxyRefused(
        Cause.PROXY, f"{named(proxy)} answered CONNECT with a header longer than {HEAD_LIMIT // 1024} KiB"
    )
