"""Hostile senders at the ingest door (cases IN-*): what they may cost, and what they may not make us believe."""

import contextlib
import json
import resource
import socket
import sqlite3
import sys
from collections.abc import Callable, Iterator

import pytest
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_KEY, compact, query_for, signed, uplink
from tests.e2e.sink import Sink
from tests.e2e.test_hostile_bystander import MIB, memory_of
from tests.e2e.test_raw_requests import CHUNK, again
from tests.e2e.waiting import wait_until

Maker = Callable[[], Longwire]

SLOW = 60
PIPELINED = 10_000
HURRIED = (
    "from longwire.web import body, protocol; protocol.REQUEST_TIMEOUT_S = body.BODY_TIMEOUT_S = 2.0; "
    "from longwire.cli import main; main()"
)


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    """Give a road whose network server has a key."""
    return build_road(api, connection_document(sink.url()), [dev_eui], AS_KEY)


@contextlib.contextmanager
def lines(longwire: Longwire, count: int) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", longwire.port), timeout=30))
            for _ in range(count)
        ]


def head(target: str, *fields: str) -> bytes:
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


def test_in_01_endless_bodies_cost_no_memory_and_disturb_nobody(
    longwire: Maker, sink: Sink, dev_eui: str
) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 0))
    before = memory_of(server)
    for number in range(1, 9):
        with lines(server, 1) as (line,), contextlib.suppress(OSError):
            line.sendall(head(road.uplink_path, "Transfer-Encoding: chunked"))
            for piece in again(CHUNK):
                line.sendall(piece)
        road.send(uplink(dev_eui, number))

    assert len(sink.wait_for(9)) == 9
    assert memory_of(server) - before < 20 * MIB


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip"])
def test_in_01_a_compressed_body_is_refused_and_not_unpacked(road: Road, coding: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    assert road.api.raw("POST", road.uplink_path, b"\x1f\x8b" + b"\0" * 1000, headers).status == 415


def test_in_03_of_equal_members_token_routing_and_what_is_sent_read_the_last(
    road: Road, sink: Sink, dev_eui: str
) -> None:
    honest = uplink(dev_eui, 1)
    doubled = honest.body.replace(
        b'{"DevEUI_uplink":{', b'{"DevEUI_uplink":{"DevEUI":"00000000000000FF","FCntUp":9,', 1
    )

    assert road.ingest(honest.query, doubled).status == 200

    (got,) = sink.wait_for(1)
    pairs = dict(json.loads(got.body, object_pairs_hook=lambda each: each))["DevEUI_uplink"]
    assert [value for name, value in pairs if name in {"DevEUI", "FCntUp"}] == [dev_eui, 1]
    other = {"DevEUI_uplink": honest.document["DevEUI_uplink"] | {"DevEUI": "00000000000000FF"}}
    assert road.ingest(signed(query_for(dev_eui), other), doubled).status == 403


BODIES = {
    "invalid UTF-8": b'{"DevEUI_uplink":{"DevEUI":"\xff"}}',
    "UTF-16": '{"DevEUI_uplink":{}}'.encode("utf-16"),
    "latin-1": '{"DevEUI_uplink":{"Name":"Zürich"}}'.encode("latin-1"),
    "empty": b"",
    "null": b"null",
    "array": b"[]",
    "string": b'"x"',
    "10,000 uplinks": compact([{"DevEUI_uplink": {"DevEUI": "0059AC0000000001"}}] * 10_000),
    "deep": b'{"DevEUI_uplink":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.parametrize("name", BODIES)
def test_in_05_what_is_no_message_is_refused_with_the_reason(road: Road, name: str) -> None:
    refused = road.ingest("", BODIES[name])

    assert refused.status == 400, refused
    assert refused.json()["message"]
    assert road.deliveries() == []


@pytest.mark.parametrize(
    "body",
    [
        b"<DevEUI_uplink><DevEUI>",
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><DevEUI_uplink>&a;</DevEUI_uplink>',
        b'<!DOCTYPE x [<!ENTITY a "a"><!ENTITY b "&a;&a;">]><DevEUI_uplink>&b;</DevEUI_uplink>',
    ],
)
def test_in_05_xml_that_is_broken_or_has_entities_is_refused(road: Road, body: bytes) -> None:
    refused = road.ingest("", body, "application/xml")

    assert refused.status == 400, refused
    assert b"root:" not in refused.body


def test_in_07_slow_heads_and_bodies_are_ended_and_a_healthy_sender_is_served(
    longwire: Maker, sink: Sink, dev_eui: str
) -> None:
    server = longwire()
    server.command = [sys.executable, "-c", HURRIED, "serve"]
    server.start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    begins = [
        b"POST /ing",
        head(road.uplink_path)[:-2] + b"X-Slow: ",
        head(road.uplink_path, "Content-Length: 1000") + b"{",
        head("/iot-flow/v1/connections", "Content-Length: 1000") + b"{",
        head("/iot-flow/downlinkMessages/x", "Transfer-Encoding: chunked") + b"1\r\n{\r\n",
    ]
    with lines(server, SLOW * len(begins)) as slow:
        for number, line in enumerate(slow):
            line.sendall(begins[number % len(begins)])
        road.send(*(uplink(dev_eui, number) for number in range(20)))
        for line in slow:
            with contextlib.suppress(ConnectionResetError):
                while line.recv(65536):
                    pass  # a 408, or nothing, and then the end
    road.send(uplink(dev_eui, 20))
    assert len(sink.wait_for(21)) == 21


@pytest.mark.parametrize(
    "flaw", ["first digit", "last digit", "cut", "missing", "upper case", "other order", "twice"]
)
def test_in_09_a_forged_token_is_a_403_and_nothing_is_queued(road: Road, dev_eui: str, flaw: str) -> None:
    sent = uplink(dev_eui, 1)
    query, _, token = sent.query.partition("&Token=")
    first, second, *others = query.split("&")
    forged = {
        "first digit": f"{query}&Token={'0' if token[0] != '0' else '1'}{token[1:]}",
        "last digit": f"{query}&Token={token[:-1]}{'0' if token[-1] != '0' else '1'}",
        "cut": f"{query}&Token={token[:-1]}",
        "missing": query,
        "upper case": f"{query}&Token={token.upper()}",
        "other order": f"{'&'.join([second, first, *others])}&Token={token}",
        "twice": f"{query}&Token=0&Token={token}",
    }

    assert road.ingest(forged[flaw], sent.body).status == 403
    assert road.deliveries() == []
    assert road.ingest(sent.query, sent.body).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 2"),
        ("Transfer-Encoding: xchunked",),
        ("Transfer-Encoding: chunked, identity",),
        ("Content-Length: 2", "Content-Length: 40"),
        ("Content-Length: +2",),
        ("Content-Length : 2",),
    ],
    ids=" and ".join,
)
def test_in_11_no_second_request_is_smuggled_in_a_body(
    shared: Longwire, road: Road, dev_eui: str, fields: tuple[str, ...]
) -> None:
    inner = uplink(dev_eui, 1)
    hidden = head(f"{road.uplink_path}?{inner.query}", f"Content-Length: {len(inner.body)}") + inner.body
    got = b""
    with lines(shared, 1) as (line,), contextlib.suppress(ConnectionResetError):
        line.sendall(head(road.uplink_path, *fields) + b"0\r\n\r\n" + hidden)
        while chunk := line.recv(65536):
            got += chunk

    assert got.count(b"HTTP/1.1 ") <= 1
    assert b"HTTP/1.1 200" not in got
    assert road.deliveries() == []


def test_in_11_pipelined_requests_are_answered_one_for_one(shared: Longwire) -> None:
    answered = 0
    with lines(shared, 1) as (line,):
        for _ in range(PIPELINED // 100):
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
            batch = b""
            while batch.count(b'{"status":"ok"}') < 100:
                batch += line.recv(65536)
            answered += batch.count(b"HTTP/1.1 200")
    assert answered == PIPELINED


def test_in_13_while_the_disk_is_full_the_door_says_503_and_nothing_accepted_is_lost(
    longwire: Maker, sink: Sink, dev_eui: str
) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.send(*(uplink(dev_eui, number) for number in range(30)))
    sink.wait_for(30)
    wait_until("all is settled", lambda: {each["outcome"] for each in road.deliveries()} == {"DELIVERED"})
    # No file may grow beyond what the settings and the log need: as good as a full disk for the database.
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (32 * 1024, resource.RLIM_INFINITY))

    refused = road.ingest(uplink(dev_eui, 30).query, uplink(dev_eui, 30).body)
    assert refused.status == 503, refused
    assert refused.headers["retry-after"]
    assert server.api.raw("GET", "/healthz").status == 200

    resource.prlimit(
        server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    accepted = uplink(dev_eui, 31)
    wait_until("it is accepted", lambda: road.ingest(accepted.query, accepted.body).status == 200)
    counters = [json.loads(each.body)["DevEUI_uplink"]["FCntUp"] for each in sink.wait_for(31)]
    assert counters == [*range(30), 31]


def test_in_13_while_the_store_is_locked_the_door_says_503(longwire: Maker, sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    sent = uplink(dev_eui, 1)
    with contextlib.closing(sqlite3.connect(server.data / "longwire.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = road.ingest(sent.query, sent.body)
        other.execute("ROLLBACK")

    assert refused.status == 503, refused
    assert refused.headers["retry-after"]
    wait_until("it is accepted", lambda: road.ingest(sent.query, sent.body).status == 200)
    sink.wait_for(1)
