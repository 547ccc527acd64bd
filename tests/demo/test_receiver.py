"""The receiver takes and shows any request within its limits, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import pytest_asyncio
from tests.demo.raw_client import HOST, ask, get, post, talk_to

from longwire.core.errors import Misconfigured
from longwire.demo.received import Received, Shelf
from longwire.demo.receiver import Receiver, ReceiverOptions
from longwire.demo.request_parser import MAX_BODY_BYTES, MAX_HEAD_BYTES

T0 = datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.fixture
def received() -> list[Received]:
    return []


@pytest_asyncio.fixture
async def receiver(received: list[Received]) -> AsyncIterator[Receiver]:
    async with Receiver(ReceiverOptions(), lambda: T0, received.append) as running:
        yield running


async def test_a_request_is_answered_and_told_as_it_came(
    receiver: Receiver, received: list[Received]
) -> None:
    reply = await ask(
        receiver.url, post("/things/7?a=%20b", b'{"x":1}', "X-Ort: Zürich\r\nx-a: 1\r\n".encode())
    )

    assert (reply.status, reply.body) == (200, b'{"received":1}')
    assert received == [
        Received(
            id=1,
            received_at=T0,
            method="POST",
            path="/things/7?a=%20b",
            headers=(("Host", "127.0.0.1"), ("X-Ort", "Zürich"), ("x-a", "1"), ("Content-Length", "7")),
            body=b'{"x":1}',
        )
    ]
    assert received[0].header("X-A") == "1"
    assert received[0].header("X-B") is None


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_any_method_and_path_is_received(
    receiver: Receiver, received: list[Received], method: str
) -> None:
    reply = await ask(receiver.url, f"{method} /any/where HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert reply.status == 200
    assert [(request.method, request.path) for request in received] == [(method, "/any/where")]


async def test_the_answer_to_head_has_no_body(receiver: Receiver) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await talk.read_reply(has_body=False)).status == 200
        talk.send(get("/b"))
        assert (await talk.read_reply()).body == b'{"received":2}'


async def test_two_pipelined_requests_are_answered_in_order(
    receiver: Receiver, received: list[Received]
) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(post("/1", b"one"), post("/2", b"two"))
        assert [(await talk.read_reply()).body for _ in range(2)] == [b'{"received":1}', b'{"received":2}']
    assert [request.body for request in received] == [b"one", b"two"]


async def test_a_connection_is_kept_until_somebody_wants_it_closed(receiver: Receiver) -> None:
    async with talk_to(receiver.url) as talk:
        for _ in range(3):
            talk.send(post("/", b"x"))
            assert "Connection: keep-alive" in (await talk.read_reply()).head
        talk.send(post("/", b"x", b"Connection: close\r\n"))
        assert "Connection: close" in (await talk.read_reply()).head
        assert await talk.is_closed()


async def test_http_1_0_is_answered_and_closed(receiver: Receiver) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(b"POST /old HTTP/1.0\r\nContent-Length: 2\r\n\r\nok")
        assert (await talk.read_reply()).status == 200
        assert await talk.is_closed()


async def test_chunks_and_a_body_in_pieces_are_put_together(
    receiver: Receiver, received: list[Received]
) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(b"POST /c HTTP/1.1\r\n", HOST)
        await talk.writer.drain()
        talk.send(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        assert (await talk.read_reply()).status == 200
    assert received[0].body == b"abcde"


async def test_a_client_that_expects_100_gets_it(receiver: Receiver, received: list[Received]) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(b"POST /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert (await talk.read_reply()).status == 100
        talk.send(b"ok")
        assert (await talk.read_reply()).status == 200
    assert received[0].body == b"ok"


async def test_a_wish_to_upgrade_is_answered_and_closed(receiver: Receiver) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert (await talk.read_reply()).status == 200
        assert await talk.is_closed()


async def test_a_body_at_the_limit_is_received(receiver: Receiver, received: list[Received]) -> None:
    reply = await ask(receiver.url, post("/big", b"x" * MAX_BODY_BYTES))
    assert reply.status == 200
    assert len(received[0].body) == MAX_BODY_BYTES


ENDLESS_CHUNK = (
    b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n300000\r\n" + b"x" * 0x300000
)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (post("/big", b"x" * (MAX_BODY_BYTES + 1)), 413),
        (ENDLESS_CHUNK, 413),
        (get("/", b"X: 1\r\n" * 20_000), 431),
        (get("/", b"X: " + b"1" * (2 * MAX_HEAD_BYTES + 9)), 431),
        (get("/" + "u" * (MAX_HEAD_BYTES + 1)), 431),
        (b"\r\n" * 2 * MAX_HEAD_BYTES, 431),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"NOT A REQUEST\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
    ],
    ids=["body", "chunks", "headers", "header", "url", "empty lines", "tls", "words", "length"],
)
async def test_what_is_no_request_or_too_large_is_turned_away(
    receiver: Receiver, received: list[Received], request_bytes: bytes, status: int
) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(request_bytes)
        reply = await talk.read_reply()
        talk.writer.write_eof()
        assert await talk.is_closed()
    assert reply.status == status
    assert "error" in msgspec.json.decode(reply.body)
    assert received == []


async def test_a_request_before_a_bad_one_is_still_answered(receiver: Receiver) -> None:
    async with talk_to(receiver.url) as talk:
        talk.send(post("/1", b"x"), b"BAD\r\n\r\n")
        assert [(await talk.read_reply()).status for _ in range(2)] == [200, 400]


async def test_the_page_shows_requests_escaped_newest_first(receiver: Receiver) -> None:
    await ask(receiver.url, post("/first", b"<script>alert(1)</script>", b"X-A: </pre><i>\r\n"))
    await ask(receiver.url, post("/second", b"\xff\x00" * 4000))

    reply = await ask(receiver.url, get("/"))

    page = reply.body.decode()
    assert reply.status == 200
    assert "Content-Type: text/html; charset=utf-8" in reply.head
    assert "default-src 'none'" in reply.head
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "X-A: &lt;/pre&gt;&lt;i&gt;" in page
    assert page.index("/second") < page.index("/first")
    assert "and 3904 bytes more" in page


async def test_the_page_says_when_there_is_nothing_yet(receiver: Receiver) -> None:
    assert b"Nothing received yet" in (await ask(receiver.url, get("/"))).body


async def test_scripts_read_what_came_after_an_id(receiver: Receiver) -> None:
    for body in (b"one", b'{"two":2}', b"\xff\xfe"):
        await ask(receiver.url, post("/x", body))

    reply = await ask(receiver.url, get("/_requests?after=1"))

    second, third = msgspec.json.decode(reply.body)
    assert second == {
        "id": 2,
        "receivedAt": "2026-11-24T08:00:00.000+00:00",
        "method": "POST",
        "path": "/x",
        "headers": [["Host", "127.0.0.1"], ["Content-Length", "9"]],
        "body": '{"two":2}',
    }
    assert (third["id"], third["bodyBase64"]) == (3, "//4=")


@pytest.mark.parametrize("after", ["x", "-1", "1" * 30, "%E2%91%A0"])
async def test_an_id_that_is_none_is_refused(receiver: Receiver, after: str) -> None:
    reply = await ask(receiver.url, get(f"/_requests?after={after}"))
    assert reply.status == 400
    assert b"expected the id of a request" in reply.body


@pytest.mark.parametrize("host", [b"Host: evil.example\r\n", b"Host: 10.0.0.1:80\r\n", b"Host: [\r\n", b""])
async def test_the_pages_are_not_shown_under_a_foreign_name(
    receiver: Receiver, received: list[Received], host: bytes
) -> None:
    reply = await ask(receiver.url, get("/_requests", host))
    assert reply.body == b'{"received":1}'
    assert received[0].path == "/_requests"


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.org"])
def test_only_loopback_is_listened_on_by_default(host: str) -> None:
    with pytest.raises(Misconfigured, match="loopback only"):
        Receiver(ReceiverOptions(host=host), lambda: T0, lambda _: None)


async def test_other_addresses_need_a_permission() -> None:
    options = ReceiverOptions(host="0.0.0.0", allow_remote=True)
    async with Receiver(options, lambda: T0, lambda _: None) as receiver:
        port = receiver.url.rpartition(":")[2]
        reply = await ask(f"http://127.0.0.1:{port}", get("/_requests", b"Host: bin.lan\r\n"))
    assert reply.body == b"[]"


async def test_localhost_is_one_address() -> None:
    async with Receiver(ReceiverOptions(host="localhost"), lambda: T0, lambda _: None) as receiver:
        port = receiver.url.rpartition(":")[2]
        assert (await ask(f"http://127.0.0.1:{port}", post("/x", b""))).status == 200


async def test_an_idle_connection_is_closed() -> None:
    options = ReceiverOptions(idle_timeout=timedelta(milliseconds=50))
    async with Receiver(options, lambda: T0, lambda _: None) as receiver, talk_to(receiver.url) as talk:
        assert await talk.is_closed()


async def test_connections_over_the_limit_are_closed() -> None:
    options = ReceiverOptions(max_connections=1)
    async with Receiver(options, lambda: T0, lambda _: None) as receiver, talk_to(receiver.url) as first:
        first.send(post("/1", b""))
        await first.read_reply()
        async with talk_to(receiver.url) as second:
            assert await second.is_closed()


async def test_an_error_of_the_listener_is_raised_when_the_receiver_stops() -> None:
    def fail(_: Received) -> None:
        raise LookupError("a bug of the caller")

    receiver = Receiver(ReceiverOptions(), lambda: T0, fail)
    await receiver.start()
    async with talk_to(receiver.url) as talk:
        talk.send(post("/x", b""))
        assert await talk.is_closed()
    with pytest.raises(LookupError, match="a bug of the caller"):
        await receiver.stop()


async def test_stopping_twice_is_stopping_once_and_the_port_is_free() -> None:
    receiver = Receiver(ReceiverOptions(), lambda: T0, lambda _: None)
    await receiver.start()
    url = receiver.url
    await receiver.stop()
    await receiver.stop()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))


def shelf_entry(number: int, size: int) -> Received:
    return Received(number, T0, "POST", "/", (), b"x" * size)


def test_the_shelf_keeps_the_latest_by_number_and_by_bytes() -> None:
    by_number = Shelf(max_requests=3, max_bytes=10_000)
    by_bytes = Shelf(max_requests=100, max_bytes=10_000)
    for number in range(1, 11):
        by_number.keep(shelf_entry(number, 10))
        by_bytes.keep(shelf_entry(number, 4000))
    assert [kept.id for kept in by_number.after(0)] == [8, 9, 10]
    assert [kept.id for kept in by_bytes.after(0)] == [9, 10]
    assert [kept.id for kept in by_number.after(9)] == [10]
    by_bytes.keep(shelf_entry(11, 20_000))
    assert by_bytes.after(0) == ()


async def test_the_page_has_switches_and_shows_json_on_several_lines(receiver: Receiver) -> None:
    await ask(receiver.url, post("/up", b'{"DevEUI_uplink":{"n":1.50}}'))

    reply = await ask(receiver.url, post("/_mode", b"mode=fail"))

    page = reply.body.decode()
    assert (reply.status, 'value="fail" aria-pressed="true"' in page) == (200, True)
    assert "&quot;DevEUI_uplink&quot;: {\n    &quot;n&quot;: 1.50" in page
    assert (await ask(receiver.url, post("/up", b"x"))).status == 500
    assert (await ask(receiver.url, post("/_mode", b"mode=what"))).status == 400
