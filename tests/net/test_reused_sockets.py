"""When an idle socket is taken again, and when never: the keep-alive race, and answers to nothing."""

import asyncio
import socket
import threading
import time
from datetime import timedelta

import pytest
from tests.net.destination import OK, Destination, Peer

from longwire.core.http import Cause, Endpoint, HttpRequest, HttpResponse, TransportFailure
from longwire.net.client import Client

SOON = timedelta(seconds=0.3)
LATER = timedelta(seconds=20)


async def test_an_idle_socket_closed_by_the_destination_is_not_used(client: Client) -> None:
    async def once(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)

    async with Destination(once) as there:
        for _ in range(3):
            assert isinstance(await client.send(there.request(), LATER), HttpResponse)
            await asyncio.sleep(0.02)

        assert len(there.peers) == 3


@pytest.mark.parametrize("way", ["close", "reset"])
async def test_a_reused_socket_that_dies_before_any_byte_is_told_apart(client: Client, way: str) -> None:
    async def die_at_the_second(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.read_request()
        if way == "reset":
            peer.reset()

    async with Destination(die_at_the_second) as there:
        await client.send(there.request(), LATER)
        failure = await client.send(there.request(), LATER)
        again = await client.send(there.request(), LATER, fresh=True)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.RESET
    assert failure.on_reused_socket
    assert isinstance(again, HttpResponse)


async def test_a_reused_socket_that_times_out_is_an_ordinary_timeout(client: Client) -> None:
    async def answer_once(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.wait_until_gone()

    async with Destination(answer_once) as there:
        await client.send(there.request(), LATER)
        failure = await client.send(there.request(), SOON)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TIMEOUT
    assert not failure.on_reused_socket


async def test_a_reused_socket_that_dies_within_the_header_is_an_ordinary_reset(client: Client) -> None:
    async def begin_to_answer(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(OK)
        await peer.read_request()
        await peer.send(b"HTTP/1.1 2")

    async with Destination(begin_to_answer) as there:
        await client.send(there.request(), LATER)
        failure = await client.send(there.request(), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.RESET
    assert not failure.on_reused_socket


# RB-09: an answer belongs to its own request


@pytest.mark.parametrize("pause_s", [None, 0.0, 0.05])
async def test_a_second_answer_is_never_taken_for_the_next_one(client: Client, pause_s: float | None) -> None:
    extra = b"HTTP/1.1 500 Not Yours\r\nContent-Length: 0\r\n\r\n"

    async def answer_twice(peer: Peer) -> None:
        while await peer.read_request():
            if pause_s is None:
                await peer.send(OK + extra)
                continue
            await peer.send(OK)
            await asyncio.sleep(pause_s)
            await peer.send(extra)

    async with Destination(answer_twice) as there:
        for _ in range(5):
            response = await client.send(there.request(), LATER)
            assert isinstance(response, HttpResponse)
            assert response.status == 200
            await asyncio.sleep(0.1)

        assert len(there.peers) == 5


async def test_a_second_answer_that_the_loop_has_not_read_yet_is_noticed(client: Client) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    received: list[bytes] = []

    def serve() -> None:
        for status in (b"200 First", b"202 Second"):
            accepted, _ = listener.accept()
            received.append(accepted.recv(4096))
            accepted.sendall(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)
            time.sleep(0.05)
            accepted.sendall(b"HTTP/1.1 500 Not Yours\r\nContent-Length: 0\r\n\r\n")
            threads.append(accepted)

    threads: list[socket.socket] = []
    server = threading.Thread(target=serve)
    server.start()
    endpoint = Endpoint("http", "127.0.0.1", listener.getsockname()[1])
    request = HttpRequest(endpoint, "POST", "/", (), b"")
    first = await client.send(request, LATER)
    time.sleep(0.2)  # noqa: ASYNC251 (the loop must not run while the second answer comes)
    second = await client.send(request, LATER)
    server.join()
    for accepted in (*threads, listener):
        accepted.close()

    assert [r.status for r in (first, second) if isinstance(r, HttpResponse)] == [200, 202]
    assert len(received) == 2


async def test_an_answer_before_the_request_was_written_counts_once(client: Client) -> None:  # RB-15
    async def answer_at_once(peer: Peer) -> None:
        await peer.send(b"HTTP/1.1 202 Early\r\nContent-Length: 0\r\n\r\n")
        await asyncio.sleep(0.1)

    async with Destination(answer_at_once) as there:
        response = await client.send(there.request(b"x" * 20_000_000), LATER)

        assert isinstance(response, HttpResponse)
        assert response.status == 202
        assert len(there.peers) == 1
        await client.send(there.request(), LATER)
        assert len(there.peers) == 2
