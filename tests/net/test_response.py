"""Bytes to an answer, without a socket: however the bytes are cut, the same answer comes out."""

import itertools
import time
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.net.response import BODY_LIMIT, HEAD_LIMIT, ResponseReader

Answer = tuple[int, bytes, bool, bool]


def read(pieces: Iterable[bytes], *, then_close: bool = False) -> Answer | str | None:
    """Return (status, body, truncated, reusable), or the problem, or None while it is open."""
    reader = ResponseReader()
    decided = any(reader.feed(piece) for piece in pieces if piece)
    if not decided and then_close:
        reader.end(clean=True)
    if reader.problem is not None:
        return reader.problem
    if not reader.has_head or not (decided or then_close):
        return None
    return reader.status, reader.body, reader.truncated, reader.reusable


WELL_FORMED = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok", False, True)),
    (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", (200, b"", False, True)),
    (b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (200, b"", False, True)),
    (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", False, True)),
    (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", (204, b"", False, True)),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", (304, b"", False, True)),  # RD-05
    (b"HTTP/1.1 300 Choose\r\nContent-Length: 0\r\n\r\n", (300, b"", False, True)),  # RD-05
    (b"HTTP/1.1 302 Found\r\nLocation:\r\nContent-Length: 0\r\n\r\n", (302, b"", False, True)),  # RD-05
    (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", (999, b"", False, True)),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: z\r\n\r\n",
        (200, b"abcde", False, True),
    ),
    (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", (200, b"ok", False, False)),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", (200, b"ok", False, False)),
    (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", (200, b"ok", False, True)),
    (
        b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\nHTTP/1.1 201 C\r\nContent-Length: 0\r\n\r\n",
        (201, b"", False, True),
    ),
    (  # RB-13: an offer to upgrade is no upgrade
        b"HTTP/1.1 200 OK\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
        (200, b"", False, True),
    ),
    (b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n", (101, b"", False, False)),
    (b"HTTP/1.1 101 Switching\r\n\r\n", (101, b"", False, False)),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n" + b"x" * 65536, (200, b"x" * 65536, False, True)),
]

# RB-09: the status counts, the socket has lost its trust.
DISPUTED = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX-Folded: one\r\n two\r\nContent-Length: 2\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
]

MALFORMED = [
    (b"SSH-2.0-OpenSSH_9.6\r\n", "does not begin with an HTTP/1.1 status line: 'SSH-2.0"),
    (b"220 mail ESMTP\r\n", "does not begin"),
    (b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "does not begin"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "does not begin"),
    (b"HTTP/1.1 099 OK\r\n\r\n", "does not begin"),
    (b"HTTP/1.1 OK\r\n\r\n", "does not begin"),
    (b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n", "does not begin"),
    (b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n", "cannot be read: 'no colon here'"),
    (b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n", "cannot be read"),
    (b"HTTP/1.1 200 OK\r\nX: a\r\n \x00b\r\n\r\n", "cannot be read"),  # folded
    (b"HTTP/1.1 200 OK\r\n folded onto nothing\r\n\r\n", "cannot be read"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * HEAD_LIMIT + b"\r\n\r\n", "longer than 64 KiB"),
    (b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 20_000, "longer than 64 KiB"),
    (b"HTTP/1.1 200 " + b"a" * HEAD_LIMIT, "longer than 64 KiB"),
    (b"\r\n" * HEAD_LIMIT, "longer than 64 KiB"),
    (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 101, "more than 100 interim answers"),  # RB-05
]


@pytest.mark.parametrize(("raw", "answer"), WELL_FORMED)
def test_an_answer_ends_where_its_head_says(raw: bytes, answer: Answer) -> None:
    assert read([raw]) == answer
    assert read([raw[:-1]]) is None


@pytest.mark.parametrize("raw", DISPUTED)
def test_a_head_with_a_dispute_about_its_end_gives_its_status_and_ends_the_socket(raw: bytes) -> None:
    answer = read([raw + b"ok"])

    assert isinstance(answer, tuple)
    assert (answer[0], *answer[2:]) == (200, True, False)


@pytest.mark.parametrize(("raw", "problem"), MALFORMED)
def test_what_is_no_answer_is_called_by_its_name(raw: bytes, problem: str) -> None:
    found = read([raw])

    assert isinstance(found, str)
    assert problem in found


@given(
    st.sampled_from([raw for raw, _ in (*WELL_FORMED, *MALFORMED)] + DISPUTED),
    st.lists(st.integers(0, 300), max_size=6),
)
def test_it_does_not_matter_how_the_bytes_are_cut(raw: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(raw)]
    pieces = [raw[start:end] for start, end in itertools.pairwise(edges)]

    in_pieces = read(pieces)
    whole = read([raw])

    assert type(in_pieces) is type(whole)
    if isinstance(whole, tuple):
        assert in_pieces == whole


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_no_bytes_make_the_reader_raise(head: bytes, rest: bytes) -> None:
    read([b"HTTP/1.1 200 OK\r\n" + head, rest], then_close=True)
    read([head, rest], then_close=True)


@given(st.binary(min_size=1, max_size=50).filter(lambda extra: extra.strip(b"\r\n") != b""))
def test_whatever_follows_an_answer_forbids_another_exchange(extra: bytes) -> None:
    answer = read([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + extra])

    assert answer == (200, b"ok", False, False)


@given(st.binary(max_size=200))
def test_garbage_in_the_body_never_takes_the_status_back(garbage: bytes) -> None:
    chunked = read([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", garbage], then_close=True)

    assert isinstance(chunked, tuple)
    assert chunked[0] == 200


def test_a_body_without_length_ends_with_the_socket() -> None:
    raw = b"HTTP/1.1 200 OK\r\n\r\nhello"

    assert read([raw]) is None
    assert read([raw], then_close=True) == (200, b"hello", False, False)


@pytest.mark.parametrize("header", [b"Content-Length: 9", b"Transfer-Encoding: chunked"])
def test_a_body_that_ends_too_early_is_truncated(header: bytes) -> None:
    answer = read([b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n"], then_close=True)

    assert answer == (200, b"", True, False)


@pytest.mark.parametrize("length", [b"Content-Length: 100000000", b"X: y"])
def test_a_body_over_the_limit_is_cut_there(length: bytes) -> None:
    answer = read([b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n", b"x" * 50_000, b"x" * 50_000])

    assert answer == (200, b"x" * BODY_LIMIT, True, False)


def test_chunk_framing_without_content_is_not_read_for_ever() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
    pieces = 0
    while not reader.feed(b"x" * 10_000):
        pieces += 1

    assert pieces < 200
    assert reader.truncated


def test_header_values_are_latin_1_and_trimmed() -> None:
    reader = ResponseReader()
    reader.feed(
        b"HTTP/1.1 200 OK\r\nRetry-After:  3600 \t\r\nX: Z\xfcrich\r\nX: b\r\nContent-Length: 0\r\n\r\n"
    )

    assert reader.headers == (("Retry-After", "3600"), ("X", "Zürich"), ("X", "b"), ("Content-Length", "0"))


def test_trailers_are_no_headers() -> None:
    reader = ResponseReader()
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nSet-Cookie: x\r\n\r\n")

    assert reader.headers == (("Transfer-Encoding", "chunked"),)


def test_one_reader_reads_one_answer_after_the_other() -> None:
    reader = ResponseReader()
    for status in (200, 404, 100, 204):
        reader.restart()
        interim = b"HTTP/1.1 100 C\r\n\r\n" if status == 100 else b""
        final = 200 if status == 100 else status
        assert reader.feed(interim + b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % final)
        assert reader.status == final
        assert reader.reusable


# Heads that the strict parser leaves to the lenient one, each with a drip of further bytes. Reading any of them took
# half a minute once, in which the loop stood still for everybody.
EXPENSIVE = {
    "a long value": (b"HTTP/1.1 200 OK\nX: ", b"a"),
    "blanks before a control character": (b"HTTP/1.1 200 OK\nX:" + b" " * 60_000 + b"\x01\n\n", b"a"),
    "tabs before a control character": (b"HTTP/1.1 200 OK\nX:" + b"\t " * 30_000 + b"\x01\n\n", b"a"),
    "blanks before no colon": (b"HTTP/1.1 200 OK\nX" + b" " * 60_000 + b"\n\n", b"a"),
    "blanks before no status": (b"HTTP/1.1" + b" " * 60_000 + b"x\n", b"a"),
    "empty lines first": (b"\r\n" * 30_000 + b"HTTP/1.1 200 OK\nX: ", b"a"),
    "short lines": (b"HTTP/1.1 200 OK\n" + b"X:\n" * 19_000, b"X:\n"),
    "short lines cut anywhere": (b"HTTP/1.1 200 OK\n" + b"X:\n" * 20_000 + b"X: ", b"a"),
    "folded lines": (b"HTTP/1.1 200 OK\nX:" + b"\n a" * 20_000 + b"\n", b" a\n"),
    "interim answers": (b"HTTP/1.1 103 E\n\n" * 99 + b"HTTP/1.1 200 OK\nX: ", b"a"),
}


@pytest.mark.parametrize(("begin", "drip"), EXPENSIVE.values(), ids=EXPENSIVE)
async def test_no_head_costs_more_than_its_length(begin: bytes, drip: bytes) -> None:
    reader = ResponseReader()
    started = time.process_time()
    decided = reader.feed(begin)
    while not decided:
        decided = reader.feed(drip)

    assert time.process_time() - started < 5
    assert reader.problem is not None


@pytest.mark.parametrize("end", [b"\n\n", b"\n\r\n", b"\r\n\r\n"])
def test_the_end_of_a_lenient_head_is_found_wherever_it_is_cut(end: bytes) -> None:
    raw = b"\r\nHTTP/1.1 103 E" + end + b"HTTP/1.1 200 OK\nX: a\r\n  b\nContent-Length: 2" + end + b"ok"
    for cut in range(len(raw)):
        answer = read([raw[:cut], raw[cut:]], then_close=True)
        assert isinstance(answer, tuple)
        assert answer[0] == 200
    assert read([raw[at : at + 1] for at in range(len(raw))], then_close=True) == (200, b"", True, False)
