"""Requests and sockets: what is written, which socket is used again, which never."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
from tests.net.destination import OK, Destination, Peer, answering, echo, say_nothing

from longwire.core.http import Cause, Endpoint, HttpResponse, TransportFailure
from longwire.net.client import Client

SOON = timedelta(seconds=0.3)
LATER = timedelta(seconds=20)


async def test_a_request_goes_out_as_given_with_host_first_and_its_length_last(client: Client) -> None:
    async with Destination(answering(OK)) as there:
        response = await client.send(there.request(b'{"a":1}'), LATER)

        assert response == HttpResponse(
            200, (("Content-Length", "2"),), b"ok", truncated=False, remote_address=f"127.0.0.1:{there.port}"
        )
        assert there.requests == [
            b"POST /in?a=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
            b'X-Kept-As-Given: Z\xfcrich\r\nContent-Length: 7\r\n\r\n{"a":1}' % there.port
        ]


async def test_requests_one_after_the_other_share_a_socket(client: Client) -> None:
    async with Destination(echo) as there:
        for number in range(5):
            response = await client.send(there.request(b"%d" % number), LATER)
            assert isinstance(response, HttpResponse)
            assert response.body == b"%d" % number

        assert len(there.peers) == 1


async def test_requests_at_the_same_time_have_a_socket_each(client: Client) -> None:
    async with Destination(echo) as there:
        requests = [there.request(b"%d" % number) for number in range(20)]
        responses = await asyncio.gather(*(client.send(request, LATER) for request in requests))

        assert [response.body for response in responses if isinstance(response, HttpResponse)] == [
            b"%d" % number for number in range(20)
        ]
        assert len(there.peers) == 20


async def test_the_socket_used_last_is_used_first(client: Client) -> None:
    async with Destination(echo) as there:
        await asyncio.gather(*(client.send(there.request(), LATER) for _ in range(2)))
        for _ in range(3):
            await client.send(there.request(), LATER)

        assert sorted(len(peer.requests) for peer in there.peers) == [1, 4]


async def test_fresh_never_takes_an_idle_socket_and_its_own_is_kept(client: Client) -> None:
    async with Destination(echo) as there:
        await client.send(there.request(), LATER)
        await client.send(there.request(), LATER, fresh=True)
        await client.send(there.request(), LATER)

        assert [len(peer.requests) for peer in there.peers] == [1, 2]


async def test_a_large_body_arrives_whole(client: Client) -> None:
    async with Destination(echo) as there:
        await client.send(there.request(b"x" * 1_000_000), LATER)

        assert there.requests[0].endswith(b"\r\n\r\n" + b"x" * 1_000_000)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_every_kind_of_host_is_reached(client: Client, host: str) -> None:
    async with Destination(answering(OK), host="::1" if host == "::1" else "127.0.0.1") as there:
        response = await client.send(there.request(host=host), LATER)

        assert isinstance(response, HttpResponse)
        shown = f"[{host}]" if ":" in host else host
        assert f"\r\nHost: {shown}:{there.port}\r\n".encode() in there.requests[0]


async def test_a_refused_connection_says_so(client: Client) -> None:
    async with Destination(answering(OK)) as there:
        pass
    failure = await client.send(there.request(), LATER)

    assert failure == TransportFailure(
        Cause.REFUSED, f"127.0.0.1:{there.port} refused the connection", f"127.0.0.1:{there.port}"
    )


# RB-07


async def test_a_socket_closed_before_any_byte_is_a_reset(client: Client) -> None:
    async def close(peer: Peer) -> None:
        await peer.read_request()

    async with Destination(close) as there:
        failure = await client.send(there.request(), LATER)

    assert failure == TransportFailure(
        Cause.RESET,
        "the destination closed the connection before it answered",
        f"127.0.0.1:{there.port}",
        request_written=True,
    )


async def test_a_socket_reset_after_accept_is_a_reset(client: Client) -> None:
    async def reset(peer: Peer) -> None:
        await peer.read_request()
        peer.reset()

    async with Destination(reset) as there:
        failure = await client.send(there.request(), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.RESET
    assert not failure.on_reused_socket


async def test_a_socket_closed_within_the_header_is_a_reset_there(client: Client) -> None:
    async def close(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-")

    async with Destination(close) as there:
        failure = await client.send(there.request(), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.RESET
    assert "in the middle of the header" in failure.detail


async def test_a_half_close_before_the_answer_is_a_reset(client: Client) -> None:
    async def half_close(peer: Peer) -> None:
        await peer.read_request()
        await peer.end()
        await peer.wait_until_gone()

    async with Destination(half_close) as there:
        failure = await client.send(there.request(), LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.RESET


async def test_a_destination_that_says_nothing_is_a_timeout(client: Client) -> None:
    async with Destination(say_nothing) as there:
        failure = await client.send(there.request(), SOON)

        assert failure == TransportFailure(
            Cause.TIMEOUT, "no answer in time", f"127.0.0.1:{there.port}", request_written=True
        )
        async with asyncio.timeout(5):
            await there.peers[0].gone.wait()


async def test_a_destination_that_never_reads_is_a_timeout(client: Client) -> None:
    async def never_read(peer: Peer) -> None:
        await peer.gone.wait()

    async with Destination(never_read) as there:
        failure = await client.send(there.request(b"x" * 50_000_000), SOON)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TIMEOUT
    assert "did not take the whole request" in failure.detail


async def test_a_header_that_does_not_end_in_time_is_a_timeout(client: Client) -> None:
    async def drip(peer: Peer) -> None:
        await peer.read_request()
        for byte in OK[:30]:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.03)

    async with Destination(drip) as there:
        failure = await client.send(there.request(), SOON)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TIMEOUT
    assert "not complete in time" in failure.detail


@pytest.fixture
def full_listener() -> Iterator[Endpoint]:
    """A destination whose queue of connections is full: the next one gets no answer to its SYN."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(16):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield Endpoint("http", "127.0.0.1", address[1])


async def test_a_connection_that_nobody_accepts_is_a_timeout(client: Client, full_listener: Endpoint) -> None:
    failure = await client.probe(full_listener, SOON)

    assert failure is not None
    assert failure.cause is Cause.TIMEOUT
    assert "did not accept the connection in time" in failure.detail


async def test_a_request_can_be_cancelled_while_it_is_dialled(
    client: Client, full_listener: Endpoint
) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await client.probe(full_listener, LATER)


# Cancelling, probing, forgetting, closing


async def test_a_cancelled_request_drops_its_socket(client: Client) -> None:
    async with Destination(say_nothing) as there:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.send(there.request(), LATER)

        async with asyncio.timeout(5):
            await there.peers[0].gone.wait()


async def test_a_probe_sends_nothing_and_leaves_its_socket_for_the_request(client: Client) -> None:
    async with Destination(echo) as there:
        assert await client.probe(there.endpoint, LATER) is None
        await asyncio.sleep(0.05)
        assert there.requests == []
        await client.send(there.request(), LATER)

        assert len(there.peers) == 1


async def test_a_probe_of_a_closed_port_says_why(client: Client) -> None:
    async with Destination(echo) as there:
        pass
    failure = await client.probe(there.endpoint, LATER)

    assert failure is not None
    assert failure.cause is Cause.REFUSED


async def test_a_forgotten_destination_is_dialled_anew(client: Client) -> None:
    async with Destination(echo) as there:
        await client.send(there.request(), LATER)
        client.forget(there.endpoint)
        await client.send(there.request(), LATER)

        assert len(there.peers) == 2


async def test_a_socket_in_use_while_its_destination_is_forgotten_does_not_come_back(client: Client) -> None:
    async def slow(peer: Peer) -> None:
        while await peer.read_request():
            await asyncio.sleep(0.1)
            await peer.send(OK)

    async with Destination(slow) as there:
        sending = asyncio.create_task(client.send(there.request(), LATER))
        await asyncio.sleep(0.05)
        client.forget(there.endpoint)
        assert isinstance(await sending, HttpResponse)
        await client.send(there.request(), LATER)

        assert len(there.peers) == 2


async def test_closing_ends_what_is_under_way_with_a_failure(client: Client) -> None:
    async with Destination(say_nothing) as there:
        sending = asyncio.create_task(client.send(there.request(), LATER))
        await asyncio.sleep(0.05)
        await client.close()
        failure = await sending

    assert failure == TransportFailure(
        Cause.RESET, "Longwire is stopping", f"127.0.0.1:{there.port}", request_written=True
    )


async def test_closing_does_not_take_an_answer_back_that_has_begun(client: Client) -> None:
    async def begin_to_answer(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel")
        await peer.wait_until_gone()

    async with Destination(begin_to_answer) as there:
        sending = asyncio.create_task(client.send(there.request(), LATER))
        await asyncio.sleep(0.05)
        await client.close()
        response = await sending

    assert isinstance(response, HttpResponse)
    assert (response.status, response.truncated) == (200, True)


async def test_an_idle_socket_is_closed_after_its_time(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longwire.net.connection.IDLE_LIMIT_S", 0.1)

    async def answer_and_watch(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.wait_until_gone()

    async with Destination(answer_and_watch) as there:
        await client.send(there.request(), SOON)
        async with asyncio.timeout(5):
            await there.peers[0].gone.wait()
