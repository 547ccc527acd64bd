"""A downlink on its way to a ThingPark LRC, byte for byte, and the LRC's answers (specification, section 9)."""

import hashlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.core.downlink import Accepted, Again, Credentials, Downlink, Rejected
from longwire.core.http import Cause, Endpoint, HttpResponse, TransportFailure
from longwire.core.message import DevEui
from longwire.sources.thingpark_downlink import Lrc, build_downlink, read_downlink_answer

NOW = datetime(2026, 3, 14, 9, 26, 54, 100_000, tzinfo=UTC)
LRC = Lrc(Endpoint("https", "lrc.example", 443), "/thingpark/lrc/rest/downlink")
KEY = "46ab678cd45df4a4a7e4b375eacd096a"
SAMPLES = Path(__file__).parent.parent / "samples" / "lrc_events.jsonl"
PLAIN = Downlink(DevEui("A81758FFFE06F23E"), 1, "00", "4434704901C7450B", NOW + timedelta(hours=1))
SIGNED = replace(PLAIN, credentials=Credentials("TWA_100002164.1105.AS", KEY))


def sample() -> dict[str, str]:
    rows = (json.loads(line) for line in SAMPLES.read_text().splitlines())
    return next(row for row in rows if row["direction"] == "AS->LRC")


def answer(status: int, body: str) -> HttpResponse:
    return HttpResponse(status, (), body.encode(), truncated=False, remote_address="")


def test_the_request_of_the_documentation_byte_for_byte() -> None:
    expected = sample()
    downlink = replace(SIGNED, time="2026-03-14T10:26:54.100+01:00", confirmed=True, flush=True)

    request = build_downlink(downlink, LRC, NOW)

    assert request.target == f"{expected['path']}?{expected['query_on_wire']}"
    assert request.method == expected["method"]
    assert dict(request.headers) == {"Content-Type": b"application/x-www-form-urlencoded"}
    assert request.body == b""


def test_what_was_not_given_is_not_sent_and_the_time_is_now() -> None:
    request = build_downlink(PLAIN, LRC, NOW)

    assert request.target == (
        "/thingpark/lrc/rest/downlink?DevEUI=A81758FFFE06F23E&FPort=1&Payload=00"
        "&CorrelationID=4434704901C7450B&Time=2026-03-14T09:26:54.100%2B00:00"
    )


def test_a_validity_that_was_given_shrinks_while_the_downlink_waits() -> None:
    downlink = replace(PLAIN, expires_at=NOW + timedelta(seconds=90), is_validity_given=True)

    assert "&ValidityTime=90&" in build_downlink(downlink, LRC, NOW).target
    assert "&ValidityTime=1&" in build_downlink(downlink, LRC, NOW + timedelta(seconds=89.5)).target


@given(
    as_id=st.from_regex(r"[!-%'-~]{1,40}", fullmatch=True),
    counter=st.none() | st.integers(0, 2**32 - 1),
    flush=st.none() | st.booleans(),
)
def test_the_token_signs_what_the_lrc_decodes(as_id: str, counter: int | None, *, flush: bool | None) -> None:
    downlink = replace(PLAIN, credentials=Credentials(as_id, KEY), f_cnt_dn=counter, flush=flush)

    target = build_downlink(downlink, LRC, NOW).target

    query, _, token = target.partition("?")[2].rpartition("&Token=")
    assert token == hashlib.sha256((unquote(query) + KEY).encode()).hexdigest()
    assert unquote(dict(pair.split("=", 1) for pair in query.split("&"))["AS_ID"]) == as_id


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        (200, "<html><body>Request queued by LRC</body></html>", Accepted()),
        (200, "", Accepted()),
        (200, "<html><body>350 Invalid DevEUI</body></html>", Rejected("Invalid DevEUI")),
        (350, "<html><body>Invalid DevEUI</body></html>", Rejected("Invalid DevEUI")),
        (
            351,
            "<html><body>Downlink counter value already used. Expected=1238</body></html>",
            Rejected("Downlink counter value already used. Expected=1238"),
        ),
        (403, "", Rejected("the network server answered 403")),
        (400, "a &lt;b&gt;\n  c", Rejected("a <b> c")),
        (503, "busy", Again("the network server answered 503")),
    ],
)
def test_the_lrcs_answer_is_read(status: int, body: str, verdict: object) -> None:
    assert read_downlink_answer(answer(status, body), PLAIN) == verdict


def test_a_refused_socket_is_tried_again() -> None:
    assert read_downlink_answer(TransportFailure(Cause.REFUSED, "x"), PLAIN) == Again("refused: x")


def test_an_answer_made_to_be_read_for_long_is_not() -> None:
    began = time.process_time()

    verdict = read_downlink_answer(answer(350, "<" * 65_536), PLAIN)

    assert verdict == Rejected("<" * 500)
    assert time.process_time() - began < 1
