"""What an application may ask for with a downlink, and what follows from an answer (specification, section 9)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.core.downlink import (
    Again,
    Credentials,
    Downlink,
    Rejected,
    judge_common,
    parse_downlink,
    wait_after,
)
from longwire.core.errors import InvalidInput, TooLarge
from longwire.core.fields import InvalidDocument
from longwire.core.http import Cause, HttpResponse, TransportFailure

NOW = datetime(2026, 3, 14, 9, 26, 54, tzinfo=UTC)
S = timedelta(seconds=1)
OURS = "00112233AABBCCDD"


def parse(default_port: int | None = None, **members: Any) -> Downlink:
    """Parse the smallest downlink with some members changed; None leaves one out."""
    usual = {"DevEUI": "A81758FFFE06F23E", "FPort": 1, "payload_hex": "00"}
    given_members = {name: value for name, value in (usual | members).items() if value is not None}
    body = {"DevEUI_downlink": given_members}
    return parse_downlink(body, NOW, default_port=default_port, new_correlation_id=OURS)


def field_of(error: InvalidInput) -> str | None:
    return error.field


def test_the_smallest_downlink_gets_our_correlation_id_and_an_hour() -> None:
    assert parse() == Downlink("A81758FFFE06F23E", 1, "00", OURS, NOW + 3600 * S)  # type: ignore[arg-type]


def test_every_member_is_read_and_numbers_may_be_strings() -> None:
    found = parse(
        DevEUI="a8-17-58-ff-fe-06-f2-3e",
        FPort="7",
        payload_hex="0A0b",
        Time="2026-03-14T10:26:54.100+01:00",
        FCntDn="1238",
        AFCntDn=12,
        ValidityTime="120",
        AS_ID="TWA_100002164.1105.AS",
        AS_KEY="46ab678cd45df4a4a7e4b375eacd096a",
        CorrelationID="4434704901C7450B",
    )

    assert found == Downlink(
        dev_eui="A81758FFFE06F23E",  # type: ignore[arg-type]
        f_port=7,
        payload_hex="0A0b",
        correlation_id="4434704901C7450B",
        expires_at=NOW + 120 * S,
        credentials=Credentials("TWA_100002164.1105.AS", "46ab678cd45df4a4a7e4b375eacd096a"),
        is_validity_given=True,
        time="2026-03-14T10:26:54.100+01:00",
        f_cnt_dn=1238,
        af_cnt_dn=12,
    )


def test_flags_may_be_numbers_strings_and_booleans_and_a_foreign_token_is_replaced() -> None:
    found = parse(Confirmed="1", FlushDownlinkQueue=True, RetryIneligibleGateways="false", Token="x" * 64)

    assert (found.confirmed, found.flush, found.retry_ineligible_gateways) == (True, True, False)


def test_a_validity_may_be_a_time() -> None:
    assert parse(ValidityTime="2026-03-14T10:30:00+01:00").expires_at == NOW + 186 * S


def test_without_fport_the_connections_port_is_used() -> None:
    assert parse(default_port=9, FPort=None).f_port == 9


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("DevEUI", None),
        ("DevEUI", "xyz"),
        ("DevEUI", 5),
        ("FPort", None),
        ("FPort", 0),
        ("FPort", 225),
        ("FPort", 256),
        ("FPort", "one"),
        ("FPort", 1.5),
        ("FPort", True),
        ("FPort", "1" * 5000),
        ("payload_hex", None),
        ("payload_hex", "0"),
        ("payload_hex", "0g"),
        ("payload_hex", 10),
        ("Time", "yesterday"),
        ("Confirmed", 2),
        ("Confirmed", []),
        ("FCntDn", -1),
        ("FCntDn", 2**32),
        ("AFCntDn", "x"),
        ("ValidityTime", 0),
        ("ValidityTime", "0"),
        ("ValidityTime", 7 * 86400 + 1),
        ("ValidityTime", 10**400),
        ("ValidityTime", "2026-03-14T09:26:54Z"),
        ("ValidityTime", "soon"),
        ("ValidityTime", {}),
        ("FlushDownlinkQueue", "yes"),
        ("AS_ID", "a&Token=b"),
        ("AS_ID", ""),
        ("AS_KEY", "short"),
        ("CorrelationID", "4434704901C7450"),
        ("RetryIneligibleGateways", None.__class__.__name__),
        ("payload", {"on": True}),
        ("DriverCfg", {}),
        ("Fport", 1),
    ],
)
def test_what_is_wrong_is_refused_by_its_name(member: str, value: Any) -> None:
    with pytest.raises(InvalidDocument) as refused:
        parse(**{member: value})

    fields = {problem.field for problem in refused.value.problems}
    assert f"DevEUI_downlink.{member}" in fields


def test_a_missing_root_and_a_wrong_one_are_refused_by_name() -> None:
    bodies: list[Any] = [{}, {"DevEUI_uplink": {}}, [], "x", None, {"DevEUI_downlink": []}]
    for body in bodies:
        with pytest.raises(InvalidDocument, match=r"DevEUI_downlink|body"):
            parse_downlink(body, NOW, default_port=1, new_correlation_id=OURS)


def test_a_payload_of_242_bytes_is_the_longest() -> None:
    assert parse(payload_hex="00" * 242).payload_hex == "00" * 242
    with pytest.raises(TooLarge, match="242"):
        parse(payload_hex="00" * 243)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_whatever_the_value_a_member_is_read_or_refused(value: Any) -> None:
    for member in ("DevEUI", "FPort", "payload_hex", "ValidityTime", "Time", "Confirmed", "FCntDn", "AS_ID"):
        try:
            found = parse(**{member: value})
        except (InvalidDocument, TooLarge):
            continue
        assert 1 <= found.f_port <= 224
        assert NOW < found.expires_at <= NOW + timedelta(days=7)


NO_COUNTER = parse()
WITH_COUNTER = parse(FCntDn=5)


@pytest.mark.parametrize(
    ("failure", "downlink", "is_repeated"),
    [
        (TransportFailure(Cause.REFUSED, ""), NO_COUNTER, True),
        (TransportFailure(Cause.DNS, ""), NO_COUNTER, True),
        (TransportFailure(Cause.TIMEOUT, "while connecting"), NO_COUNTER, True),
        (TransportFailure(Cause.TIMEOUT, "no answer", request_written=True), NO_COUNTER, False),
        (TransportFailure(Cause.RESET, "", request_written=True), NO_COUNTER, False),
        (TransportFailure(Cause.MALFORMED_RESPONSE, "", request_written=True), NO_COUNTER, False),
        (TransportFailure(Cause.TIMEOUT, "no answer", request_written=True), WITH_COUNTER, True),
    ],
)
def test_an_actuator_never_acts_twice(
    failure: TransportFailure, downlink: Downlink, *, is_repeated: bool
) -> None:
    verdict = judge_common(failure, downlink)

    assert isinstance(verdict, Again if is_repeated else Rejected)
    if isinstance(verdict, Rejected):
        assert verdict.cause == "no answer; may have been sent"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 599])
def test_what_the_network_server_cannot_take_now_is_tried_again(status: int) -> None:
    response = HttpResponse(status, (), b"", truncated=False, remote_address="")

    assert isinstance(judge_common(response, NO_COUNTER), Again)


@pytest.mark.parametrize("status", [200, 350, 400, 403, 404])
def test_what_the_network_server_says_otherwise_has_to_be_read(status: int) -> None:
    assert judge_common(HttpResponse(status, (), b"", truncated=False, remote_address=""), NO_COUNTER) is None


def test_the_waits_double_to_a_minute() -> None:
    assert [wait_after(n) // S for n in range(1, 10)] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert wait_after(10**9) == 60 * S
