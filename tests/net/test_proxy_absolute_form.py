"""http destinations through http(s) proxies: the proxy reads the requests (RFC 9112, section 3.2.2)."""

import asyncio
import ssl
from base64 import b64encode
from datetime import timedelta

import pytest
from tests.net.certificates import GOOD, self_signed, serving, trusting
from tests.net.destination import OK, Destination, Peer, Script, answering, echo, say_nothing, through

from longwire.core.http import Cause, Endpoint, HttpRequest, HttpResponse, Proxy, TransportFailure
from longwire.net.client import Client

SOON = timedelta(seconds=0.4)
LATER = timedelta(seconds=20)
USER, PASSWORD = "gateway", "s3cret-Pa55"
TOKEN = b64encode(f"{USER}:{PASSWORD}".encode())
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


@pytest.fixture
def trust() -> ssl.SSLContext:
    """Return whom the client trusts: the authority of the tests, for proxies and for destinations."""
    return trusting()


def proxy_at(scheme: str, script: Script) -> Destination:
    return Destination(script, tls=serving(GOOD) if scheme == "https" else None)


def to_nowhere(body: bytes = b"{}", host: str = "sink.invalid", port: int = 80) -> HttpRequest:
    return HttpRequest(Endpoint("http", host, port), "POST", "/in?a=1", (("X-A", b"b"),), body)


def by(running: Destination, scheme: str, password: str | None = PASSWORD) -> Proxy:
    return Proxy(scheme, "127.0.0.1", running.port, None if password is None else USER, password)


@SCHEMES
async def test_a_request_names_its_destination_whole(client: Client, scheme: str) -> None:
    async with proxy_at(scheme, answering(OK)) as running:
        response = await client.send(through(to_nowhere(), by(running, scheme)), LATER)

        assert isinstance(response, HttpResponse)
        assert response.remote_address == f"127.0.0.1:{running.port}"
        assert running.requests == [
            b"POST http://sink.invalid/in?a=1 HTTP/1.1\r\nHost: sink.invalid\r\n"
            b"Proxy-Authorization: Basic " + TOKEN + b"\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{}"
        ]


@pytest.mark.parametrize(
    ("host", "port", "authority"), [("::1", 80, b"[::1]"), ("::1", 81, b"[::1]:81"), ("sink", 81, b"sink:81")]
)
async def test_target_and_host_agree(client: Client, host: str, port: int, authority: bytes) -> None:
    async with proxy_at("http", answering(OK)) as running:
        await client.send(through(to_nowhere(host=host, port=port), by(running, "http", None)), LATER)

        assert running.requests[0].startswith(
            b"POST http://" + authority + b"/in?a=1 HTTP/1.1\r\nHost: " + authority + b"\r\n"
        )
        assert b"Authorization" not in running.requests[0]


@SCHEMES
async def test_requests_share_a_socket_to_the_proxy_but_not_with_other_destinations(
    client: Client, scheme: str
) -> None:
    async with proxy_at(scheme, echo) as running:
        for host in ("one.invalid", "one.invalid", "two.invalid"):
            response = await client.send(through(to_nowhere(host=host), by(running, scheme)), LATER)
            assert isinstance(response, HttpResponse)

        assert [len(peer.requests) for peer in running.peers] == [2, 1]


@SCHEMES
async def test_a_probe_reaches_the_proxy_and_sends_nothing(client: Client, scheme: str) -> None:
    async with proxy_at(scheme, answering(OK)) as running:
        request = through(to_nowhere(), by(running, scheme))
        assert await client.probe(request.endpoint, LATER) is None
        await asyncio.sleep(0.05)
        assert running.requests == []
        assert isinstance(await client.send(request, LATER), HttpResponse)

        assert len(running.peers) == 1


@SCHEMES
@pytest.mark.parametrize(
    ("status", "cause"),
    [(407, Cause.PROXY_407), (502, Cause.PROXY), (503, Cause.PROXY), (504, Cause.PROXY)],
)
async def test_the_proxys_own_answers_are_failures(
    client: Client, scheme: str, status: int, cause: Cause
) -> None:
    answer = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n" % status
    async with proxy_at(scheme, answering(answer)) as running:
        failure = await client.send(through(to_nowhere(), by(running, scheme)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is cause
    assert failure.detail.startswith(f"the proxy 127.0.0.1:{running.port} ")
    assert str(status) in failure.detail
    assert failure.remote_address == f"127.0.0.1:{running.port}"


@SCHEMES
@pytest.mark.parametrize("status", [200, 204, 302, 400, 401, 403, 404, 500, 501, 505])
async def test_every_other_answer_is_the_destinations(client: Client, scheme: str, status: int) -> None:
    answer = b"HTTP/1.1 %d Yes\r\nContent-Length: 0\r\n\r\n" % status
    async with proxy_at(scheme, answering(answer)) as running:
        response = await client.send(through(to_nowhere(), by(running, scheme)), LATER)

    assert isinstance(response, HttpResponse)
    assert response.status == status


@pytest.mark.parametrize("status", [407, 502, 503, 504])
async def test_without_a_proxy_these_are_answers_too(client: Client, status: int) -> None:
    async with Destination(answering(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)) as there:
        response = await client.send(there.request(), LATER)

    assert isinstance(response, HttpResponse)
    assert response.status == status


@SCHEMES
@pytest.mark.parametrize("way", ["close", "reset"])
async def test_a_proxy_that_hangs_up_is_named(client: Client, scheme: str, way: str) -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.read_request()
        if way == "reset":
            peer.reset()

    async with proxy_at(scheme, hang_up) as running:
        failure = await client.send(through(to_nowhere(), by(running, scheme)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY
    assert failure.detail.startswith(f"the proxy 127.0.0.1:{running.port} ")
    assert "the connection before it answered" in failure.detail
    assert not failure.on_reused_socket


@SCHEMES
async def test_a_reused_socket_that_the_proxy_closed_is_told_apart(client: Client, scheme: str) -> None:
    async def close_at_the_second(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.read_request()

    async with proxy_at(scheme, close_at_the_second) as running:
        request = through(to_nowhere(), by(running, scheme))
        assert isinstance(await client.send(request, LATER), HttpResponse)
        failure = await client.send(request, LATER)
        again = await client.send(request, LATER, fresh=True)

    assert isinstance(failure, TransportFailure)
    assert (failure.cause, failure.on_reused_socket) == (Cause.PROXY, True)
    assert isinstance(again, HttpResponse)


async def test_a_proxy_that_says_nothing_is_a_timeout(client: Client) -> None:
    async with proxy_at("http", say_nothing) as running:
        failure = await client.send(through(to_nowhere(), by(running, "http")), SOON)

    assert failure == TransportFailure(
        Cause.TIMEOUT, "no answer in time", f"127.0.0.1:{running.port}", request_written=True
    )


async def test_garbage_is_malformed_and_never_shows_the_credentials(client: Client) -> None:
    async def mirror(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(TOKEN + b" " + PASSWORD.encode() + b"\r\n")

    async with proxy_at("http", mirror) as running:
        failure = await client.send(through(to_nowhere(), by(running, "http")), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.MALFORMED_RESPONSE
    assert "***** *****" in failure.detail


async def test_credentials_that_come_back_are_masked(client: Client) -> None:
    async def mirror(peer: Peer) -> None:
        request = await peer.read_request()
        body = request + PASSWORD.encode()
        head = b"HTTP/1.1 200 OK\r\nX-Saw: Basic %s\r\nContent-Length: %d\r\n\r\n" % (TOKEN, len(body))
        await peer.send(head + body)

    async with proxy_at("http", mirror) as running:
        response = await client.send(through(to_nowhere(), by(running, "http")), LATER)

    assert isinstance(response, HttpResponse)
    assert ("X-Saw", "Basic *****") in response.headers
    assert TOKEN not in response.body
    assert PASSWORD.encode() not in response.body
    assert b"POST http://sink.invalid/in?a=1" in response.body


@pytest.mark.parametrize(
    ("script", "context", "detail"),
    [
        (answering(OK), self_signed(), "the certificate is self-signed"),
        (answering(OK), None, "does not speak TLS on this port"),
    ],
)
async def test_the_tls_of_an_https_proxy_is_the_proxys_failure(
    client: Client, script: Script, context: ssl.SSLContext, detail: str
) -> None:
    async def plain(peer: Peer) -> None:
        await peer.read_some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    running = Destination(plain if context is None else script, tls=context)
    async with running:
        request = through(to_nowhere(), by(running, "https"))
        failure = await client.send(request, LATER)
        probed = await client.probe(request.endpoint, LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.PROXY
        assert f"the proxy 127.0.0.1:{running.port}" in failure.detail
        assert detail in failure.detail
        assert failure.detail.count("the proxy") == 1
        assert probed == failure
        assert running.requests == []


async def test_an_https_proxy_that_stalls_in_its_handshake_is_named(client: Client) -> None:
    async with Destination(say_nothing) as running:
        failure = await client.send(through(to_nowhere(), by(running, "https")), SOON)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY
    assert failure.detail == f"the proxy 127.0.0.1:{running.port} did not finish the TLS handshake in time"


async def test_another_password_is_another_socket(client: Client) -> None:
    async with proxy_at("http", echo) as running:
        for password in ("first", "second", "first"):
            await client.send(through(to_nowhere(), by(running, "http", password)), LATER)

        assert [len(peer.requests) for peer in running.peers] == [2, 1]
