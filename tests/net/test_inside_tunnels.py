"""Inside a tunnel the destination is checked and read as ever, through http proxies and (TLS in TLS) https ones."""

import asyncio
import ssl
from datetime import timedelta

import pytest
from tests.net.certificates import CA, GOOD, self_signed, serving, speaking_only_tls_1_1, trusting
from tests.net.certificates import refusing as refusing_handshakes
from tests.net.destination import OK, Destination, Peer, answering, echo, through
from tests.net.tunnels import (
    CONNECTED,
    SCHEMES,
    opening_tunnels,
    proxy_at,
    reached_at,
    saying,
    to_nowhere,
)

from longwire.core.http import Cause, HttpResponse, TransportFailure
from longwire.net.client import Client

SOON = timedelta(seconds=0.4)
LATER = timedelta(seconds=20)


@pytest.fixture
def trust() -> ssl.SSLContext:
    """Return whom the client trusts: the authority of the tests, for proxies and for destinations."""
    return trusting()


@SCHEMES
async def test_a_tunnel_that_hangs_is_a_timeout_of_the_handshake(client: Client, scheme: str) -> None:
    async with proxy_at(scheme, saying(CONNECTED)) as running:
        async with asyncio.timeout(5):
            failure = await client.send(through(to_nowhere(), reached_at(scheme, running)), SOON)

        assert isinstance(failure, TransportFailure)
        assert (failure.cause, failure.detail) == (
            Cause.TIMEOUT,
            "the TLS handshake was not finished in time",
        )
        async with asyncio.timeout(5):
            await running.peers[0].gone.wait()


@SCHEMES
async def test_a_tunnel_that_ends_before_the_handshake_is_the_destinations(
    client: Client, scheme: str
) -> None:
    async with proxy_at(scheme, saying(CONNECTED, then_close=True)) as running:
        failure = await client.send(through(to_nowhere(), reached_at(scheme, running)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TLS
    assert failure.detail == "the destination closed the connection during the TLS handshake"


@SCHEMES
@pytest.mark.parametrize(
    ("context", "detail"),
    [
        (self_signed(), "is self-signed"),
        (serving(CA.issue_cert("other.test")), "is for another host"),
    ],
)
async def test_inside_the_tunnel_a_bad_certificate_gets_no_byte(  # TL-01
    client: Client, scheme: str, context: ssl.SSLContext, detail: str
) -> None:
    async with (
        Destination(answering(OK), tls=context) as there,
        proxy_at(scheme, opening_tunnels(there)) as running,
    ):
        failure = await client.send(through(there.request(), reached_at(scheme, running)), LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.TLS
        assert detail in failure.detail
        assert there.requests == []


@SCHEMES
async def test_inside_the_tunnel_an_old_protocol_is_refused_by_name(client: Client, scheme: str) -> None:
    with refusing_handshakes(speaking_only_tls_1_1()) as port:
        there = Destination(echo, port=port, tls=serving(GOOD))
        async with proxy_at(scheme, opening_tunnels(there)) as running:
            failure = await client.send(through(there.request(), reached_at(scheme, running)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TLS
    assert "protocol version" in failure.detail


@SCHEMES
@pytest.mark.parametrize("early", [b"", b"HTTP/1.1 200 Early\r\nContent-Length: 0\r\n\r\n" * 2])
async def test_a_destination_that_speaks_or_ends_at_once_never_hangs_us(
    client: Client, scheme: str, early: bytes
) -> None:
    async def at_once(peer: Peer) -> None:
        await peer.send(early)

    context = serving(GOOD)
    context.maximum_version = (
        ssl.TLSVersion.TLSv1_2
    )  # its bytes can come together with the end of the handshake
    async with (
        Destination(at_once, tls=context) as there,
        proxy_at(scheme, opening_tunnels(there)) as running,
    ):
        request = through(there.request(), reached_at(scheme, running))
        async with asyncio.timeout(5):
            result = await client.send(request, LATER)
            await client.probe(request.endpoint, LATER)
            again = await client.send(request, LATER)

    for each in (result, again):
        assert isinstance(each, HttpResponse) or each.cause in {Cause.RESET, Cause.TLS}


@SCHEMES
async def test_a_407_of_the_destination_inside_the_tunnel_is_an_answer(client: Client, scheme: str) -> None:
    answer = b"HTTP/1.1 407 Mine\r\nContent-Length: 0\r\n\r\n"
    async with (
        Destination(answering(answer), tls=serving(GOOD)) as there,
        proxy_at(scheme, opening_tunnels(there)) as running,
    ):
        response = await client.send(through(there.request(), reached_at(scheme, running)), LATER)

    assert isinstance(response, HttpResponse)
    assert response.status == 407


@SCHEMES
@pytest.mark.parametrize("way", ["close", "reset"])
async def test_a_reused_tunnel_that_dies_before_any_byte_is_told_apart(
    client: Client, scheme: str, way: str
) -> None:
    async def die_at_the_second(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.read_request()
        if way == "reset":
            peer.reset()

    async with (
        Destination(die_at_the_second, tls=serving(GOOD)) as there,
        proxy_at(scheme, opening_tunnels(there)) as running,
    ):
        request = through(there.request(), reached_at(scheme, running))
        assert isinstance(await client.send(request, LATER), HttpResponse)
        failure = await client.send(request, LATER)
        again = await client.send(request, LATER, fresh=True)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.RESET
    assert failure.on_reused_socket
    assert isinstance(again, HttpResponse)


@SCHEMES
async def test_a_cancelled_request_drops_its_tunnel(client: Client, scheme: str) -> None:
    async def never_answer(peer: Peer) -> None:
        await peer.wait_until_gone()

    async with (
        Destination(never_answer, tls=serving(GOOD)) as there,
        proxy_at(scheme, opening_tunnels(there)) as running,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.send(through(there.request(), reached_at(scheme, running)), LATER)

        async with asyncio.timeout(5):
            await there.peers[0].gone.wait()
