"""The sender of the fleet reads every kind of answer that a server may give, and ends what it cannot read."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from longwire.demo.post_client import PostClient, UnansweredError, parse_target
from longwire.demo.received import Received
from longwire.demo.receiver import Receiver, ReceiverOptions

SECOND = timedelta(seconds=1)


@asynccontextmanager
async def server_that_says(answer: bytes) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in?a=1"
    server.close()


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 503),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n", 204),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200),
    ],
    ids=["length", "chunks", "after 100", "until the end"],
)
async def test_an_answer_is_read(answer: bytes, status: int) -> None:
    async with server_that_says(answer) as url, PostClient(parse_target(url), 1, SECOND) as client:
        assert await client.post("b=2", b"{}") == status


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"", "connection closed before the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-", "connection closed before the answer"),
        (b"SSH-2.0-x\r\n", "Expected HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 2_000_000, "too long"),
    ],
    ids=["nothing", "half a head", "not HTTP", "endless"],
)
async def test_what_is_no_answer_is_told(answer: bytes, detail: str) -> None:
    async with server_that_says(answer) as url, PostClient(parse_target(url), 1, SECOND) as client:
        with pytest.raises(UnansweredError, match=detail):
            await client.post("", b"{}")


async def test_https_is_verified() -> None:
    authority = trustme.CA()
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    received: list[Received] = []

    async with Receiver(
        ReceiverOptions(tls=server_tls), lambda: datetime.now(UTC), received.append
    ) as receiver:
        target = parse_target(f"{receiver.url}/in")
        async with PostClient(target, 2, SECOND, trusting) as client:
            assert await client.post("a=1", b"{}") == 200
        async with PostClient(target, 2, SECOND) as client:
            with pytest.raises(UnansweredError, match="certificate verify failed"):
                await client.post("a=2", b"{}")

    assert [request.path for request in received] == ["/in?a=1"]


def test_a_url_leads_to_host_port_and_path() -> None:
    target = parse_target("https://[::1]/x/y?q=1#part")
    assert (target.endpoint.host, target.endpoint.port) == ("::1", 443)
    assert target.with_query("r=2") == "/x/y?q=1&r=2"
    assert parse_target("http://h:81").with_query("") == "/"
