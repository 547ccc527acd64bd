"""What hostile and sloppy destinations answer, over real sockets (cases RD and RB)."""

import asyncio
import gzip
from datetime import timedelta

import pytest
from tests.net.destination import OK, Destination, Peer, Script, answering, say_nothing

from longwire.core.http import Cause, HttpResponse, TransportFailure
from longwire.net.client import Client
from longwire.net.response import BODY_LIMIT

SOON = timedelta(seconds=0.3)
LATER = timedelta(seconds=20)


def once(answer: bytes, *, reset: bool = False) -> Script:
    """Return a script that answers one request and closes."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(answer)
        if reset:
            await asyncio.sleep(0.05)
            peer.reset()

    return script


def then_wait(answer: bytes) -> Script:
    """Return a script that answers one request and keeps the socket open."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(answer)
        await peer.wait_until_gone()

    return script


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(client: Client, status: int) -> None:  # RD-01
    async with Destination(answering(OK)) as elsewhere:
        where = f"http://127.0.0.1:{elsewhere.port}/"
        redirect = f"HTTP/1.1 {status} Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n"
        async with Destination(answering(redirect.encode())) as there:
            response = await client.send(there.request(), LATER)

        assert isinstance(response, HttpResponse)
        assert response.status == status
        assert ("Location", where) in response.headers
        assert elsewhere.peers == []


async def test_an_endless_body_is_cut_at_64_kib_and_the_socket_dropped(client: Client) -> None:  # RB-01
    async def endless(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")

    async with Destination(endless) as there:
        response = await client.send(there.request(), LATER)

        assert isinstance(response, HttpResponse)
        assert (response.status, response.truncated) == (200, True)
        assert response.body == b"x" * BODY_LIMIT
        await client.send(there.request(), LATER)
        assert len(there.peers) == 2


async def test_a_body_that_does_not_end_in_time_is_truncated_and_its_status_counts(client: Client) -> None:
    async with Destination(then_wait(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")) as there:
        response = await client.send(there.request(), SOON)

    assert isinstance(response, HttpResponse)
    assert (response.status, response.body, response.truncated) == (200, b"hello", True)


async def test_a_compressed_body_is_left_as_it_is(client: Client) -> None:  # RB-03
    bomb = gzip.compress(b"\0" * 10_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    async with Destination(answering(head + bomb)) as there:
        response = await client.send(there.request(), LATER)

    assert isinstance(response, HttpResponse)
    assert (response.body, response.truncated) == (bomb, False)


@pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints"])
async def test_interim_answers_without_end_are_no_answer(client: Client, interim: bytes) -> None:  # RB-05
    async def flood(peer: Peer) -> None:
        await peer.read_request()
        while True:
            await peer.send(b"HTTP/1.1 %s\r\n\r\n" % interim)

    async with Destination(flood) as there:
        failure = await client.send(there.request(), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.MALFORMED_RESPONSE
    assert "interim" in failure.detail


async def test_slow_interim_answers_do_not_move_the_deadline(client: Client) -> None:  # RB-05
    async def slow_flood(peer: Peer) -> None:
        await peer.read_request()
        while True:
            await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            await asyncio.sleep(0.05)

    async with Destination(slow_flood) as there:
        failure = await client.send(there.request(), SOON)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TIMEOUT


async def test_switching_protocols_is_final_and_ends_the_socket(client: Client) -> None:  # RB-05
    switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05"
    async with Destination(then_wait(switch)) as there:
        response = await client.send(there.request(), LATER)

        assert isinstance(response, HttpResponse)
        assert response.status == 101
        async with asyncio.timeout(5):
            await there.peers[0].gone.wait()


async def test_a_reset_after_the_header_does_not_take_the_status_back(client: Client) -> None:  # RB-07
    async with Destination(once(b"HTTP/1.1 202 OK\r\nContent-Length: 9\r\n\r\nhel", reset=True)) as there:
        response = await client.send(there.request(), LATER)

    assert isinstance(response, HttpResponse)
    assert (response.status, response.body, response.truncated) == (202, b"hel", True)


@pytest.mark.parametrize(
    ("answer", "body", "truncated"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end", False),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", b"until the end", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort", b"short", True),  # RB-09
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n", b"short", True),
    ],
)
async def test_the_end_of_the_socket_ends_the_body(
    client: Client, answer: bytes, body: bytes, truncated: object
) -> None:
    async with Destination(once(answer)) as there:
        response = await client.send(there.request(), LATER)

    assert isinstance(response, HttpResponse)
    assert (response.body, response.truncated) == (body, truncated)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok",  # smaller than the body
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 0\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a chunk\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    ],
)
async def test_the_status_counts_and_the_socket_is_not_used_again(client: Client, answer: bytes) -> None:
    async with Destination(then_wait(answer)) as there:  # RB-09
        first = await client.send(there.request(), LATER)
        second = await client.send(there.request(), LATER)

        assert isinstance(first, HttpResponse)
        assert isinstance(second, HttpResponse)
        assert [len(peer.requests) for peer in there.peers] == [1, 1]


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not begin with an HTTP/1.1 status line"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", "longer than 64 KiB"),
        (b"HTTP/1.1 200 OK\r\nthis is no header\r\n\r\n", "cannot be read"),
    ],
)
async def test_what_is_no_http_is_malformed_at_once(client: Client, answer: bytes, detail: str) -> None:
    async with Destination(then_wait(answer)) as there:
        failure = await client.send(there.request(), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.MALFORMED_RESPONSE
    assert detail in failure.detail
    assert failure.remote_address == f"127.0.0.1:{there.port}"


@pytest.mark.parametrize("retry_after", ["3600", "-1", "1e9", "Wed, 21 Oct 2099 07:28:00 GMT", "x"])
async def test_retry_after_is_only_shown(client: Client, retry_after: str) -> None:  # RB-11
    answer = f"HTTP/1.1 503 Busy\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n"
    async with Destination(answering(answer.encode(), OK)) as there:
        first = await client.send(there.request(), LATER)
        second = await client.send(there.request(), LATER)

    assert isinstance(first, HttpResponse)
    assert ("Retry-After", retry_after) in first.headers
    assert isinstance(second, HttpResponse)
    assert second.status == 200


async def test_nothing_of_an_answer_is_in_the_next_request(client: Client) -> None:  # RB-13
    sticky = (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nStrict-Transport-Security: max-age=1\r\nAlt-Svc: h3\r\n"
        b'Clear-Site-Data: "*"\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n'
    )
    async with Destination(answering(sticky)) as there:
        await client.send(there.request(), LATER)
        await client.send(there.request(), LATER)

        assert there.requests[0] == there.requests[1]
        assert len(there.peers) == 1


async def test_a_silent_destination_does_not_hold_up_another(client: Client) -> None:
    async with Destination(say_nothing) as silent, Destination(answering(OK)) as healthy:
        waiting = [asyncio.create_task(client.send(silent.request(), SOON)) for _ in range(50)]
        response = await client.send(healthy.request(), LATER)

        assert isinstance(response, HttpResponse)
        assert not any(task.done() for task in waiting)
        await asyncio.gather(*waiting)
