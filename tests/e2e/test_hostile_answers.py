"""What hostile destinations answer: bodies, headers and framing (security cases RB)."""

import functools
import gzip
import itertools
import json
import socket
import threading
import time
import zlib
from contextlib import ExitStack
from itertools import pairwise
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import Reply, Sink, reset
from tests.e2e.test_hostile_bystander import (
    MIB,
    RawDestination,
    Script,
    always,
    answering,
    attempts_of,
    check_product_is_up,
    cpu_seconds_of,
    flood,
    flood_with,
    memory_of,
    more_devices,
    read_request,
)
from tests.e2e.waiting import wait_until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def first_attempt(road: Road, *, timeout_s: float = 10.0) -> Json:
    """Wait until a request has been answered, or not, and return its attempt row."""
    return wait_until("an attempt row", lambda: attempts_of(road)[:1], timeout_s=timeout_s)[0]


def hostile_road(api: Api, there: RawDestination, dev_eui: str, **configuration: Any) -> Road:
    road = build_road(api, connection_document(there.url(), **configuration), [dev_eui])
    road.send(uplink(dev_eui, 1))
    return road


def test_rb_01_an_endless_body_is_cut_and_costs_no_memory(
    shared: Longwire, api: Api, dev_euis: list[str]
) -> None:
    with RawDestination(flood) as there:
        road = hostile_road(api, there, dev_euis[0])
        road.wait_for_outcomes("DELIVERED")
        before = memory_of(shared)
        road.send(*(uplink(dev_euis[0], number) for number in range(2, 22)))
        road.wait_for_outcomes(*["DELIVERED"] * 21, timeout_s=20)
        assert memory_of(shared) - before < 20 * MIB
        assert all(each["durationMs"] < 10_000 for each in attempts_of(road))
        assert there.accepted >= 21
    check_product_is_up(api, dev_euis[1])


def test_rb_01_the_log_says_that_the_body_was_cut(api: Api, dev_eui: str) -> None:
    def endless(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in itertools.repeat(b"4000\r\n" + b"y" * 0x4000 + b"\r\n"):
            peer.sendall(piece)

    with RawDestination(endless) as there:
        road = hostile_road(api, there, dev_eui)
        road.wait_for_outcomes("LOST")
        (attempt,) = attempts_of(road)
        assert (attempt["status"], attempt["truncated"]) == (500, True)
        assert attempt["responseBody"] == "y" * 4096


@functools.cache
def bombs() -> dict[str, tuple[str, bytes]]:
    """Return the bombs by name: Content-Encoding and body, up to 10 MiB that would become 10 GiB."""
    member = gzip.compress(b"\0" * 10 * MIB)
    return {
        "gzip": ("gzip", member * 1000),
        "deflate": ("deflate", zlib.compress(b"\0" * 100 * MIB)),
        "br": ("br", b"\x5b\xff\xff\xff" + b"\0" * MIB),
        "nested": ("gzip, gzip", gzip.compress(gzip.compress(b"\0" * 10 * MIB))),
        "a hundred times": (", ".join(["gzip"] * 100), member),
    }


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "nested", "a hundred times"])
def test_rb_03_a_compressed_body_is_not_decompressed(
    shared: Longwire, api: Api, dev_eui: str, name: str, status: int
) -> None:
    encoding, body = bombs()[name]
    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"

    def bomb(peer: socket.socket) -> None:
        while read_request(peer):
            peer.sendall(head.encode() + body)

    with RawDestination(bomb) as there:
        memory, cpu = memory_of(shared), cpu_seconds_of(shared)
        road = hostile_road(api, there, dev_eui)
        road.wait_for_outcomes("DELIVERED" if status == 200 else "LOST")
        assert memory_of(shared) - memory < 20 * MIB
        assert cpu_seconds_of(shared) - cpu < 2
        (attempt,) = attempts_of(road)
        if status == 500:
            assert attempt["responseBody"] == body[:4096].decode(errors="replace")
            assert attempt["truncated"] == (len(body) > 64 * 1024)


@pytest.mark.parametrize("interim", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_rb_05_interim_answers_without_end_are_no_answer(
    shared: Longwire, api: Api, dev_euis: list[str], interim: str
) -> None:
    with RawDestination(flood_with(interim.encode())) as there:
        cpu = cpu_seconds_of(shared)
        road = hostile_road(api, there, dev_euis[0])
        attempt = first_attempt(road)
        assert (attempt["status"], attempt["cause"]) == (None, "malformed-response")
        assert "interim" in attempt["detail"]
        assert cpu_seconds_of(shared) - cpu < 2
        road.wait_for_outcomes("QUEUED")
        assert road.wait_for_state("CLOSED")["stateReason"].startswith("malformed-response: ")
        check_product_is_up(api, dev_euis[1])


@pytest.mark.parametrize("piece", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X-Slow: 1\r\n"])
def test_rb_05_slow_bytes_do_not_move_the_deadline(api: Api, dev_eui: str, piece: bytes) -> None:
    def slow(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(
            b"HTTP/1.1 100 Continue\r\n\r\n" if piece.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n"
        )
        peer.settimeout(0.1)
        while True:
            peer.sendall(piece)
            try:
                if not peer.recv(1):
                    return
            except TimeoutError:
                continue

    with RawDestination(slow) as there:
        road = hostile_road(api, there, dev_eui, requestTimeout="1s")
        attempt = first_attempt(road)
        assert attempt["cause"] == "timeout"
        assert 900 < attempt["durationMs"] < 2000
        road.wait_for_outcomes("QUEUED")


def test_rb_05_switching_protocols_is_a_failure(api: Api, dev_eui: str) -> None:
    switch = (
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x05hello"
    )
    with RawDestination(answering(switch)) as there:
        road = hostile_road(api, there, dev_eui)
        (lost,) = road.wait_for_outcomes("LOST")
        assert lost["lastStatus"] == 101
        road.send(uplink(dev_eui, 2))
        road.wait_for_outcomes("LOST", "LOST")
        assert there.accepted >= 2


def close_at_once(peer: socket.socket) -> None:
    read_request(peer)


def close_in_the_head(peer: socket.socket) -> None:
    read_request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-")


def reset_after_request(peer: socket.socket) -> None:
    read_request(peer)
    reset(peer)


def half_close(peer: socket.socket) -> None:
    read_request(peer)
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(65536):
        pass


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        pytest.param(close_at_once, "closed the connection before it answered", id="close"),
        pytest.param(close_in_the_head, "closed the connection in the middle of the header", id="mid-header"),
        pytest.param(reset_after_request, "reset the connection before it answered", id="reset"),
        pytest.param(half_close, "closed the connection before it answered", id="half-close"),
    ],
)
def test_rb_07_an_end_without_an_answer_is_a_reset_and_the_message_is_kept(
    api: Api, dev_eui: str, script: Script, detail: str
) -> None:
    with RawDestination(script) as there:
        road = hostile_road(api, there, dev_eui)
        attempt = first_attempt(road)
        assert (attempt["status"], attempt["cause"]) == (None, "reset")
        assert detail in attempt["detail"]
        road.wait_for_state("CLOSED")
        road.wait_for_outcomes("QUEUED")
        there.script = answering(OK)
        assert api.call("POST", f"/connections/{road.connection_id}/restart").status == 202
        (delivered,) = road.wait_for_outcomes("DELIVERED", timeout_s=15)
        assert delivered["attemptCount"] == len(attempts_of(road)) >= 2


def test_rb_07_a_refused_connection_is_called_refused(api: Api, dev_eui: str) -> None:
    with Sink() as closed:
        url = closed.url()
    road = build_road(api, connection_document(url), [dev_eui])
    road.send(uplink(dev_eui, 1))
    assert road.wait_for_state("CLOSED")["stateReason"].startswith("refused: ")
    (waiting,) = road.wait_for_outcomes("QUEUED")
    assert waiting["attemptCount"] == 0


def test_rb_07_a_destination_that_never_reads_runs_into_the_deadline(api: Api, dev_eui: str) -> None:
    def never_read(_: socket.socket) -> None:
        done.wait(20)

    done = threading.Event()
    with RawDestination(never_read, receive_buffer=4096) as there:
        road = build_road(api, connection_document(there.url(), requestTimeout="1s"), [dev_eui])
        road.send(uplink(dev_eui, 1, filling="x" * 250_000))
        attempt = first_attempt(road)
        assert attempt["cause"] == "timeout"
        assert attempt["durationMs"] < 2000
        done.set()


def answer_twice(peer: socket.socket) -> None:
    """Send with each answer one more that nobody asked for."""
    while read_request(peer):
        peer.sendall(OK + b"HTTP/1.1 500 Smuggled\r\nContent-Length: 0\r\n\r\n")


FRAMINGS = {
    "longer": b"Content-Length: 99\r\n\r\nok",
    "shorter": b"Content-Length: 1\r\n\r\nok",
    "two lengths": b"Content-Length: 2\r\nContent-Length: 9\r\n\r\nok",
    "length and chunks": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nok",
    "negative": b"Content-Length: -1\r\n\r\nok",
}


def test_rb_09_an_answer_that_nobody_asked_for_is_never_taken(api: Api, dev_eui: str) -> None:
    with RawDestination(answer_twice) as there:
        road = hostile_road(api, there, dev_eui)
        road.send(*(uplink(dev_eui, number) for number in range(2, 7)))
        found = road.wait_for_outcomes(*["DELIVERED"] * 6)
        assert [(each["lastStatus"], each["attemptCount"]) for each in found] == [(200, 1)] * 6
        assert there.accepted >= 6


@pytest.mark.parametrize("name", FRAMINGS)
def test_rb_09_a_disputed_length_ends_the_socket_and_the_status_counts(
    api: Api, dev_eui: str, name: str
) -> None:
    with RawDestination(answering(b"HTTP/1.1 200 OK\r\n" + FRAMINGS[name])) as there:
        road = hostile_road(api, there, dev_eui, requestTimeout="1s")
        road.send(uplink(dev_eui, 2))
        found = road.wait_for_outcomes("DELIVERED", "DELIVERED")
        assert [each["attemptCount"] for each in found] == [1, 1]
        assert there.accepted >= 2


RETRY_AFTER = [
    ("3600",),
    ("Wed, 21 Oct 2099 07:28:00 GMT",),
    ("-1",),
    ("1e9",),
    ("garbage \xff",),
    ("1", "86400"),
]


def test_rb_11_retry_after_is_shown_and_not_obeyed(api: Api, dev_eui: str) -> None:
    with ExitStack() as stack:
        roads = []
        for values, device in zip(RETRY_AFTER, more_devices(dev_eui), strict=False):
            sink = stack.enter_context(Sink())
            sink.answer = always(Reply(503, tuple(("Retry-After", value) for value in values)))
            road = build_road(api, connection_document(sink.url(), strictMode=True), [device])
            road.send(uplink(device, 1))
            roads.append((values, road, sink))
        for values, road, sink in roads:
            (rejected,) = road.wait_for_outcomes("REJECTED", timeout_s=15)
            times = [each.at for each in sink.requests]
            assert len(times) == 4
            assert all(1.95 < later - earlier < 3.0 for earlier, later in pairwise(times))
            attempts = road.details(rejected)["attempts"]
            assert all(values[-1][:7] in each["responseHeaders"]["Retry-After"] for each in attempts)


def test_rb_13_nothing_of_an_answer_is_kept(api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = always(
        Reply(
            200,
            (
                ("Set-Cookie", "session=evil; Path=/"),
                ("Strict-Transport-Security", "max-age=31536000"),
                ("Alt-Svc", 'h2=":443"; ma=86400'),
                ("Clear-Site-Data", '"*"'),
                ("Upgrade", "h2c"),
                ("Connection", "upgrade, keep-alive"),
            ),
        )
    )
    first, second = itertools.islice(more_devices(dev_eui), 2)
    for device in (first, second):
        road = build_road(api, connection_document(sink.url()), [device])
        road.send(uplink(device, 1), uplink(device, 2))
        road.wait_for_outcomes("DELIVERED", "DELIVERED")
    names = [{name.lower() for name, _ in each.headers} for each in sink.requests]
    assert len(names) == 4
    assert all(each == names[0] for each in names)
    assert not names[0] & {"cookie", "upgrade", "http2-settings", "referer"}
    assert "evil" not in json.dumps([each.headers for each in sink.requests])


@pytest.mark.parametrize("size", [10, 250_000])
def test_rb_15_an_answer_before_the_body_was_read_counts_once(api: Api, dev_eui: str, size: int) -> None:
    def early(peer: socket.socket) -> None:
        if peer.recv(1):
            peer.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            peer.shutdown(socket.SHUT_WR)
            asked.append(time.monotonic())
            while peer.recv(65536):
                pass

    asked: list[float] = []
    with RawDestination(early) as there:
        road = build_road(api, connection_document(there.url()), [dev_eui])
        road.send(uplink(dev_eui, 1, filling="x" * size))
        (delivered,) = road.wait_for_outcomes("DELIVERED")
        assert (delivered["attemptCount"], delivered["lastStatus"]) == (1, 202)
        assert len(asked) == 1
