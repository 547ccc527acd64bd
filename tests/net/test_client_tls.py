"""TLS towards destinations: whom it trusts, what it says when it does not (case TL)."""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import trustme
from tests.net.certificates import (
    CA,
    GOOD,
    refusing,
    self_signed,
    serving,
    speaking_only_tls_1_1,
    trusting,
)
from tests.net.destination import OK, Destination, Peer, answering, echo

from longwire.core.http import Cause, HttpRequest, HttpResponse, TransportFailure
from longwire.net.client import Client

SOON = timedelta(seconds=0.3)
LATER = timedelta(seconds=20)
DAY = timedelta(days=1)


@pytest.fixture
def trust() -> ssl.SSLContext:
    """Return whom the client trusts: the authority of the tests, for proxies and for destinations."""
    return trusting()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
async def test_a_trusted_destination_is_reached_by_name_and_by_address(client: Client, host: str) -> None:
    listen = "::1" if host == "::1" else "127.0.0.1"
    async with Destination(echo, host=listen, tls=serving(GOOD)) as there:
        for body in (b"one", b"two"):
            response = await client.send(there.request(body, host=host), LATER)
            assert isinstance(response, HttpResponse)
            assert response.body == body

        assert len(there.peers) == 1


async def test_a_large_body_arrives_whole_through_tls(client: Client) -> None:
    async with Destination(echo, tls=serving(GOOD)) as there:
        await client.send(there.request(b"x" * 1_000_000), LATER)

        assert there.requests[0].endswith(b"\r\n\r\n" + b"x" * 1_000_000)


NOW = datetime.now(UTC)
REFUSED_CERTIFICATES = [
    (
        "expired",
        serving(CA.issue_cert("127.0.0.1", not_before=NOW - 2 * DAY, not_after=NOW - DAY)),
        "has expired",
    ),
    (
        "not yet valid",
        serving(CA.issue_cert("127.0.0.1", not_before=NOW + DAY, not_after=NOW + 2 * DAY)),
        "is not valid yet",
    ),
    ("wrong host", serving(CA.issue_cert("other.test")), "is for another host"),
    ("wrong address", serving(CA.issue_cert("127.0.0.2")), "is for another host"),
    ("name only", serving(CA.issue_cert("localhost")), "is for another host"),
    ("self-signed", self_signed(), "is self-signed"),
    ("unknown authority", serving(trustme.CA().issue_cert("127.0.0.1")), "issued by an unknown authority"),
]


@pytest.mark.parametrize(
    ("context", "detail"),
    [case[1:] for case in REFUSED_CERTIFICATES],
    ids=[case[0] for case in REFUSED_CERTIFICATES],
)
async def test_a_bad_certificate_is_refused_by_its_fault_and_gets_no_byte(
    client: Client, context: ssl.SSLContext, detail: str
) -> None:  # TL-01
    async with Destination(answering(OK), tls=context) as there:
        failure = await client.send(there.request(), LATER)
        probed = await client.probe(there.endpoint, LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.TLS
        assert detail in failure.detail
        assert probed == failure
        assert there.requests == []


@pytest.mark.parametrize("name", ["localhost", "*.com"])
async def test_a_name_outside_the_alternative_names_does_not_count(client: Client, name: str) -> None:
    leaf = CA.issue_cert("other.test", common_name=name)  # TL-01
    async with Destination(answering(OK), tls=serving(leaf)) as there:
        failure = await client.send(there.request(host="localhost"), LATER)

    assert isinstance(failure, TransportFailure)
    assert "is for another host" in failure.detail


async def test_an_old_protocol_version_is_refused_by_name(client: Client) -> None:
    with refusing(speaking_only_tls_1_1()) as port:
        failure = await client.send(over_tls(Destination(echo, port=port)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TLS
    assert "protocol version" in failure.detail


async def test_a_destination_without_tls_is_called_so(client: Client) -> None:
    async def plain(peer: Peer) -> None:
        await peer.read_some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with Destination(plain) as there:
        failure = await client.send(over_tls(there), LATER)

    assert isinstance(failure, TransportFailure)
    assert (failure.cause, failure.detail) == (Cause.TLS, "the destination does not speak TLS on this port")


@pytest.mark.parametrize("way", ["close", "reset"])
async def test_a_handshake_that_is_closed_says_so(client: Client, way: str) -> None:
    async def close(peer: Peer) -> None:
        await peer.read_some()
        if way == "reset":
            peer.reset()

    async with Destination(close) as there:
        failure = await client.send(over_tls(there), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TLS
    assert failure.detail == "the destination closed the connection during the TLS handshake"


@pytest.mark.parametrize("drip", [b"", b"\x16"])
async def test_a_handshake_that_stalls_is_a_timeout(client: Client, drip: bytes) -> None:  # TL-05
    async def stall(peer: Peer) -> None:
        await peer.read_some()
        for byte in b"\x16\x03\x03\x40\x00" + drip * 100:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.03)
        await peer.wait_until_gone()

    async with Destination(stall) as there:
        failure = await client.send(over_tls(there), SOON)

    assert isinstance(failure, TransportFailure)
    assert (failure.cause, failure.detail) == (Cause.TIMEOUT, "the TLS handshake was not finished in time")


async def test_a_destination_that_wants_a_client_certificate_says_so(client: Client) -> None:
    context = serving(GOOD)
    context.verify_mode = ssl.CERT_REQUIRED
    CA.configure_trust(context)
    with refusing(context) as port:
        failure = await client.send(over_tls(Destination(echo, port=port)), LATER)

    assert isinstance(failure, TransportFailure)
    assert (failure.cause, failure.detail) == (Cause.TLS, "the destination asks for a client certificate")


@pytest.mark.parametrize("way", ["close", "reset"])
async def test_a_reused_tls_socket_that_dies_before_any_byte_is_told_apart(client: Client, way: str) -> None:
    async def die_at_the_second(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.read_request()
        if way == "reset":
            peer.reset()

    async with Destination(die_at_the_second, tls=serving(GOOD)) as there:
        await client.send(there.request(), LATER)
        failure = await client.send(there.request(), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.RESET
    assert failure.on_reused_socket


async def test_a_body_that_ends_with_the_tls_session_is_whole(client: Client) -> None:
    async def until_the_end(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")

    async with Destination(until_the_end, tls=serving(GOOD)) as there:
        response = await client.send(there.request(), LATER)

    assert isinstance(response, HttpResponse)
    assert (response.body, response.truncated) == (b"until the end", False)


async def test_a_probe_leaves_its_tls_socket_for_the_request(client: Client) -> None:
    async with Destination(echo, tls=serving(GOOD)) as there:
        assert await client.probe(there.endpoint, LATER) is None
        await asyncio.sleep(0.05)
        await client.send(there.request(), LATER)

        assert len(there.peers) == 1


async def test_a_certificate_changed_for_a_bad_one_is_seen_at_the_next_dial(client: Client) -> None:
    async with Destination(answering(OK), tls=serving(GOOD)) as there:  # TL-07
        assert isinstance(await client.send(there.request(), LATER), HttpResponse)
    async with Destination(answering(OK), port=there.port, tls=self_signed()) as there:
        failure = await client.send(there.request(), LATER, fresh=True)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.TLS
        assert there.requests == []


def over_tls(there: Destination) -> HttpRequest:
    plain = there.request()
    return msgspec.structs.replace(plain, endpoint=replace(plain.endpoint, scheme="https"))
