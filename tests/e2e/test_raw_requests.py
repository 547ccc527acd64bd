"""Requests that no HTTP library would send: an answer or an end of the connection, soon, and the server lives."""

import itertools
import json
import socket
import time
from collections.abc import Iterator

import pytest
from tests.e2e.api_client import Api, create_network_server
from tests.e2e.longwire_process import Longwire

PATIENCE_S = 10.0
ENOUGH_BYTES = 64 * 1024 * 1024
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"


@pytest.fixture(params=["ingest", "connections"])
def target(request: pytest.FixtureRequest, api: Api) -> str:
    if request.param == "ingest":
        return f"/ingest/{create_network_server(api)['id']}"
    return "/iot-flow/v1/connections"


def head(target: str, *fields: str) -> bytes:
    key = "Authorization: Bearer owner-key-of-the-tests-0123456789"
    lines = [f"POST {target} HTTP/1.1", "Host: x", key, "Content-Type: application/json", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def answer_to(longwire: Longwire, *pieces: bytes, endless: bytes = b"") -> bytes:
    """Return all that comes back until the server closes; it must close, or answer, in time."""
    got = b""
    with socket.create_connection(("127.0.0.1", longwire.port), timeout=PATIENCE_S) as line:
        try:
            for piece in itertools.chain(pieces, again(endless)):
                line.sendall(piece)
            line.shutdown(socket.SHUT_WR)
            while chunk := line.recv(65536):
                got += chunk
        except (BrokenPipeError, ConnectionResetError):
            return got
    return got


def again(piece: bytes) -> Iterator[bytes]:
    """Repeat a piece far beyond every limit, but not for ever: a server that takes it must survive the test."""
    if piece:
        yield from itertools.repeat(piece, ENOUGH_BYTES // len(piece))
        raise AssertionError(f"the server took {ENOUGH_BYTES} bytes and went on")


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def test_a_body_announced_as_endless_is_refused_before_it_is_read(shared: Longwire, target: str) -> None:
    began = time.monotonic()
    answer = answer_to(shared, head(target, "Content-Length: 1000000000000"))
    assert status_of(answer) == 413
    assert time.monotonic() - began < 5


def test_an_endless_body_in_chunks_is_cut_off(shared: Longwire, target: str) -> None:
    answer = answer_to(shared, head(target, "Transfer-Encoding: chunked"), endless=CHUNK)
    assert answer == b"" or status_of(answer) == 413


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: -1",),
        ("Content-Length: x",),
        ("Transfer-Encoding: xchunked",),
        ("Broken header",),
        (" folded: x",),
    ],
)
def test_unclear_framing_is_refused_and_the_connection_ends(
    shared: Longwire, target: str, fields: tuple[str, ...]
) -> None:
    answer = answer_to(shared, head(target, *fields) + b"{}")
    assert answer.count(b"HTTP/1.1 ") <= 1, "what follows is not read as another request"
    assert answer == b"" or status_of(answer) in {400, 411, 501}


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"\0" * 100, b"G" * 100_000])
def test_what_is_not_http_is_refused(shared: Longwire, nonsense: bytes) -> None:
    answer = answer_to(shared, nonsense)
    assert answer == b"" or status_of(answer) == 400


def test_what_is_not_http_is_told_in_the_shape_of_the_api(shared: Longwire) -> None:
    head, _, body = answer_to(shared, b"GET\r\n\r\n").partition(b"\r\n\r\n")
    error = json.loads(body)
    assert b"content-type: application/json" in head
    assert f"x-correlation-id: {error['correlationId']}".encode() in head
    assert (error["code"], error["data"]) == ("api-4001", {"field": "request"})


def test_headers_without_an_end_are_cut_off(shared: Longwire) -> None:
    answer = answer_to(shared, b"GET /healthz HTTP/1.1\r\n", endless=b"X-A: " + b"x" * 8000 + b"\r\n")
    assert answer == b"" or status_of(answer) in {400, 431}


def test_a_caller_that_leaves_before_its_answer_disturbs_nobody(shared: Longwire, target: str) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", shared.port)) as line:
            line.sendall(head(target, "Content-Length: 2") + b"{}")
    assert shared.api.raw("GET", "/healthz").status == 200
