"""SOCKS5 byte by byte (RFC 1928, RFC 1929), and what hostile servers answer."""

import asyncio
import ssl
from datetime import timedelta

import pytest
from tests.net.certificates import GOOD, serving, trusting
from tests.net.destination import OK, Destination, Peer, Script, answering, echo, through

from longwire.core.http import Cause, Endpoint, HttpRequest, HttpResponse, Proxy, TransportFailure
from longwire.net.client import Client

SOON = timedelta(seconds=0.4)
LATER = timedelta(seconds=20)
USER, PASSWORD = "gätewäy", "s3cret-Pa55"
BOUND = b"\x00\x01\x7f\x00\x00\x01\x00\x50"
LOGIN = bytes([1, len(USER.encode())]) + USER.encode() + bytes([len(PASSWORD)]) + PASSWORD.encode()


@pytest.fixture
def trust() -> ssl.SSLContext:
    """Return whom the client trusts: the authority of the tests, for proxies and for destinations."""
    return trusting()


def at(running: Destination, password: str | None = PASSWORD) -> Proxy:
    return Proxy("socks5", "127.0.0.1", running.port, None if password is None else USER, password)


def to(host: str, scheme: str = "http", port: int = 8080) -> HttpRequest:
    return HttpRequest(Endpoint(scheme, host, port), "POST", "/", (), b"the payload")


def playing(*turns: tuple[bytes, bytes], log: list[bytes] | None = None) -> Script:
    """Return a script that expects bytes and answers each, in turn, and then nothing more."""

    async def script(peer: Peer) -> None:
        for expected, answer in turns:
            seen = await peer.read(len(expected))
            (log if log is not None else []).append(seen)
            assert seen == expected
            await peer.send(answer)
        await peer.wait_until_gone()

    return script


def tunnelling(there: Destination, reply: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.read(3)
        await peer.send(b"\x05\x00")
        head = await peer.read(5)
        await peer.read(head[4] + 2 if head[3] == 3 else 5)
        await peer.send(reply)
        await peer.relay("127.0.0.1", there.port)

    return script


ADDRESSES = {
    "sink.invalid": b"\x03\x0csink.invalid\x1f\x90",  # the name itself: it is resolved there
    "127.0.0.1": b"\x01\x7f\x00\x00\x01\x1f\x90",
    "::1": b"\x04" + bytes(15) + b"\x01\x1f\x90",
}


@pytest.mark.parametrize("host", ADDRESSES)
async def test_a_destination_is_asked_for_as_it_is_written(client: Client, host: str) -> None:
    seen: list[bytes] = []
    request = b"\x05\x01\x00" + ADDRESSES[host]
    script = playing((b"\x05\x01\x00", b"\x05\x00"), (request, b"\x05\x04"), log=seen)
    async with Destination(script) as running:
        await client.send(through(to(host), at(running, None)), LATER)

    assert seen == [b"\x05\x01\x00", request]


async def test_a_login_is_sent_when_the_proxy_asks(client: Client) -> None:
    seen: list[bytes] = []
    turns = [(b"\x05\x02\x00\x02", b"\x05\x02"), (LOGIN, b"\x01\x00"), (b"\x05\x01\x00", b"\x05\x01")]
    async with Destination(playing(*turns, log=seen)) as running:
        failure = await client.send(through(to("sink.invalid"), at(running)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY
    assert seen == [turn[0] for turn in turns]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "reply",
    [b"\x05\x00" + BOUND, b"\x05\x00\x00\x03\x05there\x00\x50", b"\x05\x00\x00\x04" + bytes(18)],
    ids=["IPv4", "name", "IPv6"],
)
async def test_messages_arrive_through_the_tunnel(client: Client, scheme: str, reply: bytes) -> None:
    async with Destination(echo, tls=serving(GOOD) if scheme == "https" else None) as there:
        async with Destination(tunnelling(there, reply)) as running:
            request = through(there.request(b"body", host="localhost"), at(running, None))
            assert await client.probe(request.endpoint, LATER) is None
            for _ in range(2):
                response = await client.send(request, LATER)
                assert isinstance(response, HttpResponse)
                assert (response.body, response.remote_address) == (b"body", f"127.0.0.1:{running.port}")

            assert len(running.peers) == 1
        assert there.requests[0].startswith(b"POST /in?a=1 HTTP/1.1\r\nHost: localhost:")


async def refused(
    client: Client, *turns: tuple[bytes, bytes], password: str | None = None
) -> TransportFailure:
    async with Destination(playing(*turns)) as running:
        request = through(to("sink.invalid"), at(running, password))
        failure = await client.send(request, LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.detail.startswith(f"the proxy 127.0.0.1:{running.port} ")
        assert PASSWORD not in failure.detail
        assert await client.probe(request.endpoint, LATER) == failure
    return failure


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (1, "general failure"),
        (2, "its rules do not allow that"),
        (3, "network unreachable"),
        (4, "host unreachable"),
        (5, "the destination refused the connection"),
        (6, "TTL expired"),
        (7, "does not support CONNECT"),
        (8, "does not support this type of address"),
        (0x5B, "reply 91"),
    ],
)
@pytest.mark.parametrize("rest", [b"", BOUND], ids=["short", "whole"])
async def test_a_refusal_is_told_in_words(client: Client, reply: int, words: str, rest: bytes) -> None:
    failure = await refused(
        client, (b"\x05\x01\x00", b"\x05\x00"), (b"\x05\x01\x00\x03", bytes([5, reply]) + rest)
    )

    assert failure.cause is Cause.PROXY
    assert "opens no tunnel to sink.invalid:8080: " in failure.detail
    assert words in failure.detail


@pytest.mark.parametrize("answer", [b"\x01\x01", b"\x01\xff", b"\x05\x01"])
async def test_a_wrong_password_is_proxy_407(client: Client, answer: bytes) -> None:
    failure = await refused(client, (b"\x05\x02\x00\x02", b"\x05\x02"), (LOGIN, answer), password=PASSWORD)

    assert failure.cause is Cause.PROXY_407
    assert "refused the user name or the password" in failure.detail


async def test_hanging_up_at_the_password_is_proxy_407(client: Client) -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.read(4)
        await peer.send(b"\x05\x02")
        await peer.read(len(LOGIN))

    async with Destination(hang_up) as running:
        failure = await client.send(through(to("sink.invalid"), at(running)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY_407


@pytest.mark.parametrize(
    ("password", "words"),
    [(None, "asks for a user name and a password"), (PASSWORD, "another way of logging in")],
)
async def test_no_common_login_is_proxy_407(client: Client, password: str | None, words: str) -> None:
    greeting = b"\x05\x01\x00" if password is None else b"\x05\x02\x00\x02"
    failure = await refused(client, (greeting, b"\x05\xff"), password=password)

    assert failure.cause is Cause.PROXY_407
    assert words in failure.detail


GREETED = (b"\x05\x01\x00", b"\x05\x00")
ASKED = b"\x05\x01\x00\x03\x0csink.invalid\x1f\x90"


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        ([(b"\x05\x01\x00", b"HTTP/1.1 400 Bad Request\r\n\r\n")], "does not speak SOCKS5"),
        ([(b"\x05\x01\x00", b"\x04\x00")], "does not speak SOCKS5"),
        ([(b"\x05\x01\x00", b"\x05\x02")], "was not offered"),
        ([(b"\x05\x01\x00", b"\x05\x01")], "was not offered"),
        ([GREETED, (ASKED, b"\x04\x00" + BOUND)], "does not speak SOCKS5"),
        ([GREETED, (ASKED, b"\x05\x00\x00\x09" + bytes(6))], "unknown type of address"),
    ],
)
async def test_nonsense_is_a_proxy_failure(
    client: Client, turns: list[tuple[bytes, bytes]], words: str
) -> None:
    failure = await refused(client, *turns)

    assert failure.cause is Cause.PROXY
    assert words in failure.detail


@pytest.mark.parametrize("sent", [b"", b"\x05", b"\x05\x00"])
async def test_a_server_that_hangs_up_is_named(client: Client, sent: bytes) -> None:
    async def hang_up(peer: Peer) -> None:
        await peer.read(3)
        await peer.send(sent)

    async with Destination(hang_up) as running:
        failure = await client.send(through(to("sink.invalid"), at(running, None)), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.PROXY
    assert "closed the connection" in failure.detail


@pytest.mark.parametrize("sent", [b"", b"\x05\x00", b"\x05\x00\x05\x00\x00\x03\xff"])
async def test_a_server_that_hangs_is_a_proxy_failure_in_time(client: Client, sent: bytes) -> None:
    async def hang(peer: Peer) -> None:
        await peer.read(3)
        await peer.send(sent)
        await peer.wait_until_gone()

    async with Destination(hang) as running:
        async with asyncio.timeout(5):
            failure = await client.send(through(to("sink.invalid"), at(running, None)), SOON)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.PROXY
        assert "did not answer in time" in failure.detail
        async with asyncio.timeout(5):
            await running.peers[0].gone.wait()


async def test_the_first_bytes_of_the_destination_are_not_lost(client: Client) -> None:
    async with (
        Destination(answering(OK)) as there,
        Destination(
            tunnelling(there, b"\x05\x00" + BOUND + b"HTTP/1.1 202 Early\r\nContent-Length: 0\r\n\r\n")
        ) as running,
    ):
        response = await client.send(through(there.request(), at(running, None)), LATER)

    assert isinstance(response, HttpResponse)
    assert response.status == 202
