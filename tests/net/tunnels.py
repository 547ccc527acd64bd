"""Proxies of the tests' own that open tunnels, or answer CONNECT otherwise."""

from base64 import b64encode
from collections.abc import Awaitable, Callable

import pytest
from tests.net.certificates import GOOD, serving
from tests.net.destination import Destination, Peer

from longwire.core.http import Endpoint, HttpRequest, Proxy

USER, PASSWORD = "gateway", "s3cret-Pa55"
CONNECTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


def proxy_at(scheme: str, script: Callable[[Peer], Awaitable[None]]) -> Destination:
    return Destination(script, tls=serving(GOOD) if scheme == "https" else None)


def reached_at(scheme: str, running: Destination, password: str | None = PASSWORD) -> Proxy:
    return Proxy(scheme, "127.0.0.1", running.port, None if password is None else USER, password)


def saying(answer: bytes, *, then_close: bool = False) -> Callable[[Peer], Awaitable[None]]:
    """Return the script of a proxy that answers CONNECT so, and then nothing more."""

    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(answer)
        if not then_close:
            await peer.wait_until_gone()

    return script


def opening_tunnels(to: Destination, answer: bytes = CONNECTED) -> Callable[[Peer], Awaitable[None]]:
    async def script(peer: Peer) -> None:
        await peer.read_head()
        await peer.send(answer)
        await peer.relay("127.0.0.1", to.port)

    return script


def to_nowhere() -> HttpRequest:
    """Return a request that a name of nowhere would get: only the proxy could resolve it."""
    return HttpRequest(Endpoint("https", "sink.invalid", 8443), "POST", "/", (), b"the payload")


def basic(password: str) -> bytes:
    return b64encode(f"{USER}:{password}".encode())
