"""The short way of plain ingest requests: it must look like the long way, whatever comes before, behind or amid."""

import contextlib
import json
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Self

import pytest
from tests.e2e.api_client import Api, create_network_server
from tests.e2e.longwire_process import OWNER_KEY, Longwire
from tests.e2e.lrc import compact, uplink
from tests.e2e.waiting import wait_until

Maker = Callable[[], Longwire]

PATIENCE_S = 15.0
HURRIED = "from longwire.web import protocol; protocol.REQUEST_TIMEOUT_S = 0.3; from longwire.cli import main; main()"


class Line:
    """A socket to the server, on which answers are read one by one."""

    def __init__(self, longwire: Longwire) -> None:
        self.socket = socket.create_connection(("127.0.0.1", longwire.port), timeout=PATIENCE_S)
        self._file = self.socket.makefile("rb")

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of the next answer."""
        status = int(self._file.readline().split(b" ")[1])
        headers: dict[str, str] = {}
        while (text := self._file.readline().strip().decode()) != "":
            name, _, value = text.partition(": ")
            headers[name] = value
        return status, headers, self._file.read(int(headers.get("content-length", 0)))

    def is_ended(self) -> bool:
        """Return whether the server closes the connection without another byte."""
        return self._file.read(1) == b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def target(api: Api) -> str:
    return f"/ingest/{create_network_server(api)['id']}"


@pytest.fixture
def line(shared: Longwire) -> Iterator[Line]:
    with Line(shared) as opened:
        yield opened


def request(target: str, body: bytes, *fields: str, version: str = "1.1") -> bytes:
    lines = [f"POST {target} HTTP/{version}", "Host: x", "Content-Type: application/json", *fields]
    if not any(field.startswith("Transfer-Encoding") for field in fields):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def api_request(name: str) -> bytes:
    lines = [f"GET /iot-flow/v1/connections/{name} HTTP/1.1", "Host: x", f"Authorization: Bearer {OWNER_KEY}"]
    return "\r\n".join([*lines, "", ""]).encode()


def body_of(dev_eui: str, counter: int = 1) -> bytes:
    return compact(uplink(dev_eui, counter).document)


def wrong_body(mark: str) -> bytes:
    return compact({"DevEUI_uplink": {"DevEUI": mark}})


@pytest.mark.parametrize("kinds", list(product("IA", repeat=2)), ids="".join)
@pytest.mark.parametrize("at_once", [True, False])
def test_pipelined_requests_are_answered_in_their_order(
    line: Line, target: str, dev_eui: str, kinds: tuple[str, str], *, at_once: bool
) -> None:
    requests: list[bytes] = []
    for number, kind in enumerate(kinds * 3):
        requests.append(
            request(target, wrong_body(f"no {number}")) if kind == "I" else api_request(f"no-{number}")
        )
        requests.append(
            request(target, body_of(dev_eui, number)) if kind == "I" else api_request(f"no+{number}")
        )
    line.send(*([b"".join(requests)] if at_once else requests))

    for number, kind in enumerate(kinds * 3):
        first, second = line.answer(), line.answer()
        if kind == "I":
            assert (first[0], second[0]) == (400, 200)
            assert f"no {number}" in json.loads(first[2])["message"]
            assert second[2] == b"{}"
        else:
            assert (first[0], second[0]) == (404, 404)


@pytest.mark.parametrize("cuts", [1, 7, 200])
def test_a_request_in_pieces_is_one_request(line: Line, target: str, dev_eui: str, cuts: int) -> None:
    whole = request(target, body_of(dev_eui))
    size = len(whole) // cuts + 1
    line.send(*(whole[at : at + size] for at in range(0, len(whole), size)))
    assert line.answer()[0] == 200


def test_many_requests_on_one_connection(line: Line, target: str, dev_eui: str) -> None:
    for counter in range(50):
        line.send(request(target, body_of(dev_eui, counter)))
        status, headers, body = line.answer()
        assert (status, body, headers["content-type"]) == (200, b"{}", "application/json")
        assert headers["x-correlation-id"]


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ((), "1.0"),
        (("Connection: close",), "1.1"),
        (("Connection: keep-alive",), "1.1"),
        (("X-Padding: " + "x" * 60_000,), "1.1"),
    ],
)
def test_unusual_requests_are_taken_too(
    line: Line, target: str, dev_eui: str, fields: tuple[str, ...], version: str
) -> None:
    line.send(request(target, body_of(dev_eui), *fields, version=version))
    assert line.answer()[0] == 200
    if version == "1.0" or "Connection: close" in fields:
        assert line.is_ended()


def test_a_body_in_chunks_is_taken(line: Line, target: str, dev_eui: str) -> None:
    body = body_of(dev_eui)
    line.send(request(target, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), "Transfer-Encoding: chunked"))
    assert line.answer()[0] == 200


def test_who_expects_to_be_asked_for_the_body_is_asked(line: Line, target: str, dev_eui: str) -> None:
    body = body_of(dev_eui)
    whole = request(target, body, "Expect: 100-continue")
    line.send(whole[: -len(body)])
    assert line.answer()[0] == 100
    line.send(body)
    assert line.answer()[0] == 200


@pytest.mark.parametrize("spare", [0, 1, 5000, 190_000])
def test_the_size_decides_about_the_way_and_not_about_the_answer(
    line: Line, target: str, dev_eui: str, spare: int
) -> None:
    padded = uplink(dev_eui, 1).document
    padded["DevEUI_uplink"]["CustomerData"] = "x" * (64 * 1024 - len(compact(padded)) - 30 + spare)
    line.send(request(target, compact(padded)))
    assert line.answer()[0] == 200


def test_errors_have_the_same_shape_on_both_ways(line: Line, target: str) -> None:
    told = []
    for fields in ((), ("Expect: nothing",)):
        line.send(request(target, b"{}", *fields))
        status, headers, body = line.answer()
        error = json.loads(body)
        assert error.pop("correlationId") == headers.pop("x-correlation-id")
        told.append((status, error, sorted(headers)))
    assert told[0] == told[1]
    assert told[0][0] == 400


def test_what_a_caller_sent_before_it_left_is_kept(shared: Longwire, target: str, dev_eui: str) -> None:
    with Line(shared) as line:
        line.send(request(target, body_of(dev_eui)))
    wait_until("the message is in the log", lambda: _is_logged(shared.api, dev_eui))


def _is_logged(api: Api, dev_eui: str) -> bool:
    return any(each["devEUI"] == dev_eui for each in api.get("/deliveries?perPage=100"))


def test_sigterm_within_a_commit_lets_the_answer_come(longwire: Maker, dev_eui: str) -> None:
    server = longwire().start()
    target = f"/ingest/{create_network_server(server.api)['id']}"
    with Line(server) as line, contextlib.closing(sqlite3.connect(server.data / "longwire.db")) as other:
        line.send(request(target, body_of(dev_eui, 1)))
        assert line.answer()[0] == 200
        other.execute("BEGIN IMMEDIATE")
        line.send(request(target, body_of(dev_eui, 2)))
        time.sleep(0.1)  # until it is read; were it not, the test would only show less
        server.process.send_signal(signal.SIGTERM)
        wait_until("nobody is let in any more", lambda: not _is_open(server))
        other.execute("ROLLBACK")
        status, headers, _ = line.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert line.is_ended()
    assert server.wait_for_end() == 0


def _is_open(server: Longwire) -> bool:
    try:
        socket.create_connection(("127.0.0.1", server.port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.fixture
def hurried(longwire: Maker) -> Longwire:
    """Give a server that waits a third of a second where others wait thirty."""
    server = longwire()
    server.command = [sys.executable, "-c", HURRIED, "serve"]
    return server.start()


@pytest.mark.parametrize("begin", [b"", b"POST /ing", b"GET /healthz HTTP/1.1\r\nX: "])
def test_a_head_that_does_not_come_in_time_ends_the_connection(hurried: Longwire, begin: bytes) -> None:
    with Line(hurried) as line:
        line.send(begin)
        assert line.is_ended()


def test_a_body_that_does_not_come_in_time_is_a_408(hurried: Longwire, dev_eui: str) -> None:
    target = f"/ingest/{create_network_server(hurried.api)['id']}"
    with Line(hurried) as line:
        line.send(request(target, body_of(dev_eui, 1)))
        assert line.answer()[0] == 200
        line.send(request(target, body_of(dev_eui, 2))[:-10])
        status, headers, _ = line.answer()
        assert (status, headers["connection"]) == (408, "close")
        assert line.is_ended()


def test_a_connection_may_be_idle_between_two_requests(hurried: Longwire, dev_eui: str) -> None:
    target = f"/ingest/{create_network_server(hurried.api)['id']}"
    with Line(hurried) as idle, Line(hurried) as late:
        idle.send(request(target, body_of(dev_eui, 1)))
        assert idle.answer()[0] == 200
        late.send(b"GET")
        assert late.is_ended()  # so the deadline has passed for both
        idle.send(request(target, body_of(dev_eui, 2)))
        assert idle.answer()[0] == 200
