"""CONNECT through proxies of the test's own: what is asked, and what hostile ones answer."""

import asyncio
import ssl
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.net.certificates import GOOD, serving, trusting
from tests.net.destination import OK, Destination, Peer, answering, echo, through
from tests.net.tunnels import (
    CONNECTED,
    PASSWORD,
    SCHEMES,
    basic,
    opening_tunnels,
    proxy_at,
    reached_at,
    saying,
    to_nowhere,
)

from longwire.core.http import Cause, Endpoint, HttpRequest, HttpResponse, TransportFailure
from longwire.net.client import Client

SOON = timedelta(seconds=0.4)
LATER = timedelta(seconds=20)


@pytest.fixture
def trust() -> ssl.SSLContext:
    """Return whom the client trusts: the authority of the tests, for proxies and for destinations."""
    return trusting()


async def refused(
    client: Client, scheme: str, answer: bytes, *, then_close: bool = False
) -> TransportFailure:
    async with proxy_at(scheme, saying(answer, then_close=then_close)) as running:
        request = through(to_nowhere(), reached_at(scheme, running))
        failure = await client.send(request, LATER)
        probed = await client.probe(request.endpoint, LATER)

        assert isinstance(failure, TransportFailure)
        assert probed == failure
        assert failure.remote_address == f"127.0.0.1:{running.port}"
        assert f"the proxy 127.0.0.1:{running.port}" in failure.detail
        assert not any(secret in failure.detail for secret in (PASSWORD, basic(PASSWORD).decode()))
        assert not any(b"payload" in request for request in running.requests)
    return failure


@SCHEMES
async def test_connect_names_host_port_and_credentials_and_nothing_else(client: Client, scheme: str) -> None:
    async with proxy_at(scheme, saying(b"HTTP/1.1 503 x\r\n\r\n")) as running:
        await client.send(through(to_nowhere(), reached_at(scheme, running)), LATER)

        assert running.requests == [
            b"CONNECT sink.invalid:8443 HTTP/1.1\r\nHost: sink.invalid:8443\r\n"
            b"Proxy-Authorization: Basic " + basic(PASSWORD) + b"\r\n\r\n"
        ]


@pytest.mark.parametrize(
    ("host", "expected"), [("::1", b"CONNECT [::1]:443 HTTP/1.1"), ("sink", b"CONNECT sink:443 HTTP/1.1")]
)
async def test_connect_always_names_the_port(client: Client, host: str, expected: bytes) -> None:
    async with proxy_at("http", saying(b"HTTP/1.1 503 x\r\n\r\n")) as running:
        request = HttpRequest(Endpoint("https", host, 443), "POST", "/", (), b"")
        await client.send(through(request, reached_at("http", running, None)), LATER)

        assert running.requests[0].startswith(expected)
        assert b"Authorization" not in running.requests[0]


@SCHEMES
async def test_requests_share_a_tunnel_and_the_proxy_sees_none_of_them(client: Client, scheme: str) -> None:
    async with Destination(echo, tls=serving(GOOD)) as there:
        async with proxy_at(scheme, opening_tunnels(there)) as running:
            request = through(there.request(), reached_at(scheme, running))
            assert await client.probe(request.endpoint, LATER) is None
            for body in (b"one", b"two", b"x" * 1_000_000):
                response = await client.send(replace(request, body=body), LATER)
                assert isinstance(response, HttpResponse)
                assert response.body == body[: 64 * 1024]
                assert response.remote_address == f"127.0.0.1:{running.port}"

            assert len(running.peers) == len(there.peers) == 1
            assert len(running.requests) == 1
        assert not any(b"Proxy-" in request for request in there.requests)


@SCHEMES
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",  # mean nothing here
        b"HTTP/1.1 299\n\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_any_2xx_opens_the_tunnel(client: Client, scheme: str, answer: bytes) -> None:
    async with (
        Destination(answering(OK), tls=serving(GOOD)) as there,
        proxy_at(scheme, opening_tunnels(there, answer)) as running,
    ):
        response = await client.send(through(there.request(), reached_at(scheme, running)), LATER)

    assert isinstance(response, HttpResponse)


@SCHEMES
@pytest.mark.parametrize("status", [101, 300, 302, 400, 401, 403, 404, 500, 502, 503, 504, 999])
async def test_any_other_answer_to_connect_is_a_proxy_failure(
    client: Client, scheme: str, status: int
) -> None:
    failure = await refused(client, scheme, b"HTTP/1.1 %d No\r\nLocation: https://other/\r\n\r\n" % status)

    assert failure.cause is Cause.PROXY
    assert f"answered CONNECT sink.invalid:8443 with {status}" in failure.detail


@SCHEMES
@pytest.mark.parametrize(
    ("challenge", "detail"),
    [
        (b"", "refused the user name or the password"),
        (b"Proxy-Authenticate: Basic realm=x\r\n", "refused the user name or the password"),
        (b"Proxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n", "does not offer Basic"),
    ],
)
async def test_407_to_connect_is_proxy_407(
    client: Client, scheme: str, challenge: bytes, detail: str
) -> None:
    failure = await refused(client, scheme, b"HTTP/1.1 407 No\r\n" + challenge + b"\r\n")

    assert failure.cause is Cause.PROXY_407
    assert detail in failure.detail


async def test_a_proxy_that_wants_a_login_says_so(client: Client) -> None:
    async with proxy_at("http", saying(b"HTTP/1.1 407 No\r\n\r\n")) as running:
        failure = await client.send(through(to_nowhere(), reached_at("http", running, None)), LATER)

    assert isinstance(failure, TransportFailure)
    assert "asks for a user name and a password" in failure.detail


HOSTILE = {
    "garbage": (b"\x00\x01\x02 nonsense", "does not answer like an HTTP proxy"),
    "ssh": (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer like an HTTP proxy"),
    "our own bytes": (b"Basic " + basic(PASSWORD) + b"\r\n\r\n", "does not answer like an HTTP proxy"),
    "a broken field": (b"HTTP/1.1 200 OK\r\n" + PASSWORD.encode() + b"\r\n\r\n", "does not answer like"),
    "a body": (CONNECTED + b"hello", "sent 5 bytes after its answer"),
    "a TLS record": (CONNECTED + b"\x16\x03\x03\x00\x01\x00", "sent 6 bytes after its answer"),
    "an endless header": (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "header longer than 64 KiB"),
    "an endless line": (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "header longer than 64 KiB"),
    "endless hints": (b"HTTP/1.1 103 Hints\r\n\r\n" * 10_000, "header longer than 64 KiB"),
}


@SCHEMES
@pytest.mark.parametrize(("answer", "detail"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_answer_to_connect_is_a_proxy_failure(
    client: Client, scheme: str, answer: bytes, detail: str
) -> None:
    failure = await refused(client, scheme, answer)

    assert failure.cause is Cause.PROXY
    assert detail in failure.detail


@SCHEMES
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 O"])
async def test_a_proxy_that_closes_before_its_answer_is_named(
    client: Client, scheme: str, answer: bytes
) -> None:
    failure = await refused(client, scheme, answer, then_close=True)

    assert failure.cause is Cause.PROXY
    assert "closed the connection" in failure.detail


@SCHEMES
async def test_a_proxy_that_resets_is_named(client: Client, scheme: str) -> None:
    async def reset(peer: Peer) -> None:
        await peer.read_head()
        peer.reset()

    async with proxy_at(scheme, reset) as running:
        failure = await client.send(through(to_nowhere(), reached_at(scheme, running)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY
    assert failure.detail.startswith(f"the proxy 127.0.0.1:{running.port} closed the connection")


@SCHEMES
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
async def test_a_proxy_that_hangs_within_connect_is_a_proxy_failure_in_time(
    client: Client, scheme: str, answer: bytes
) -> None:
    async with proxy_at(scheme, saying(answer)) as running:
        async with asyncio.timeout(5):
            failure = await client.send(through(to_nowhere(), reached_at(scheme, running)), SOON)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.PROXY
        assert failure.detail == f"the proxy 127.0.0.1:{running.port} did not answer in time"
        async with asyncio.timeout(5):
            await running.peers[0].gone.wait()


async def test_a_proxy_that_drips_its_header_has_no_more_time_than_others(client: Client) -> None:
    async def drip(peer: Peer) -> None:
        await peer.read_head()
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.01)

    async with proxy_at("http", drip) as running:
        async with asyncio.timeout(5):
            failure = await client.send(through(to_nowhere(), reached_at("http", running)), SOON)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY


@SCHEMES
async def test_a_request_cancelled_within_connect_drops_its_socket(client: Client, scheme: str) -> None:
    async with proxy_at(scheme, saying(b"")) as running:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.send(through(to_nowhere(), reached_at(scheme, running)), LATER)

        async with asyncio.timeout(5):
            await running.peers[0].gone.wait()
