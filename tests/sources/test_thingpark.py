"""ThingPark: bodies of the LRC tunnel in, messages out (specification, sections 6 and 8)."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples
from tests.samples.json_texts import RootText, root_texts
from tests.sources.lrc_requests import (
    DEV_EUI,
    NOW,
    OPEN,
    SIGNING,
    body_of,
    content,
    parse,
    report,
    signed,
    uplink,
)

from longwire.core.errors import Forbidden, InvalidInput, LongwireError, TooLarge, UnsupportedMediaType
from longwire.core.json_text import read_roots
from longwire.core.message import MAX_MESSAGE_BYTES, ROOTS, Message

TIMED = replace(OPEN, max_time_deviation=timedelta(minutes=1))


def test_an_uplink_becomes_a_message_with_its_envelope() -> None:
    message = parse(uplink(), signed(), SIGNING)

    assert message == Message(
        network_server_id="ns-1",
        root="DevEUI_uplink",
        dev_eui=DEV_EUI,  # type: ignore[arg-type]
        order_key=DEV_EUI,
        f_cnt=390,
        body=uplink(),
        fingerprint=message.fingerprint,
        received_at=NOW,
        aged_from=message.aged_from,
    )


@pytest.mark.parametrize("text", [uplink(), json.dumps({"DevEUI_uplink": content()}, indent=2).encode()])
def test_a_body_is_kept_byte_for_byte(text: bytes) -> None:
    assert parse(text).body == text


@pytest.mark.parametrize(
    ("time", "age"),
    [
        ("2026-03-14T10:26:53.589+01:00", timedelta(milliseconds=411)),
        ("2026-03-14T09:26:44", timedelta(seconds=10)),  # without zone: UTC
        ("2026-03-14T09:26:54Z", timedelta(0)),
        ("2026-03-14T11:26:54Z", timedelta(0)),  # a clock ahead of ours makes nothing younger
        ("2026-03-13T09:26:54+00:00", timedelta(days=1)),
        ("yesterday", timedelta(0)),
        ("", timedelta(0)),
        (None, timedelta(0)),
        (1773480414, timedelta(0)),
        ({}, timedelta(0)),
        ("0001-01-01T00:00:00+23:59", timedelta(0)),  # before the first year in UTC
        ("9999-12-31T23:59:59-23:59", timedelta(0)),
    ],
)
def test_a_message_is_as_old_as_the_earlier_of_its_time_and_its_receipt(time: Any, age: timedelta) -> None:
    message = parse(uplink(Time=time))

    assert message.received_at - message.aged_from == age
    assert message.aged_from.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("root", "f_cnt"),
    [
        ("DevEUI_uplink", None),
        ("DevEUI_downlink_Sent", 24),
        ("DevEUI_downlink_Rejected", 24),
        ("DevEUI_multicast_summary", 24),
        ("DevEUI_location", None),
        ("DevEUI_notification", None),
        ("DevEUI_alarm", None),
        ("BS_alarm", None),
    ],
)
def test_the_counter_of_a_root_is_the_one_it_counts_by(root: str, f_cnt: int | None) -> None:
    assert parse(report(root)).f_cnt == f_cnt


@pytest.mark.parametrize(
    ("written", "f_cnt"),
    [
        (0, 0),
        ("7", 7),
        (4294967295, 4294967295),
        ("", None),
        (None, None),
        (-1, None),
        (1.5, None),
        ("x", None),
        ("１", None),  # noqa: RUF001 - a digit, but none of ours
        (10**30, None),
        ([], None),
        (True, None),
    ],
)
def test_a_counter_that_is_none_is_left_out_and_the_message_goes_on(written: Any, f_cnt: int | None) -> None:
    text = body_of("DevEUI_uplink", {"DevEUI": DEV_EUI, "FCntUp": written})

    assert parse(text).f_cnt == f_cnt


def test_a_gateways_alarm_has_no_device_and_its_order_is_the_gateways() -> None:
    message = parse(body_of("BS_alarm", {"Lrrid": "100022AD", "DevEUI": "whatever", "Time": "x"}))

    assert (message.dev_eui, message.order_key) == (None, "BS_alarm:100022AD")
    assert parse(b'{"BS_alarm":{}}').order_key == "BS_alarm:"


def test_a_gateways_name_may_be_as_long_as_it_likes_but_what_the_lanes_hold_of_it_is_short() -> None:
    one, other = (parse(body_of("BS_alarm", {"Lrrid": "x" * 100_000 + end})) for end in "ab")

    assert one.order_key == other.order_key
    assert len(one.order_key) < 100


# What can never be accepted


@pytest.mark.parametrize(
    ("dev_eui", "words"),
    [
        (None, "DevEUI_uplink.DevEUI: required"),
        (1, "DevEUI_uplink.DevEUI: expected a string"),
        ([DEV_EUI], "DevEUI_uplink.DevEUI: expected a string"),
        ("", "DevEUI_uplink.DevEUI: expected 16 hexadecimal digits"),
        ("A81758", "DevEUI_uplink.DevEUI: expected 16 hexadecimal digits, got 'A81758'"),
        ("A81758FFFE06F23G", "DevEUI_uplink.DevEUI: expected 16 hexadecimal digits"),
    ],
)
def test_without_a_dev_eui_a_message_is_refused(dev_eui: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        parse(uplink(DevEUI=dev_eui))
    with pytest.raises(InvalidInput, match="expected a string"):
        parse(uplink().replace(f'"{DEV_EUI}"'.encode(), b"null"))


@pytest.mark.parametrize("root", ["DevEUI_Uplink", "DevEUI_downlink", "", "x" * 500, "bs_alarm"])
def test_an_unknown_root_is_refused_by_name(root: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse(body_of(root, content()))

    assert error.value.field == "body"
    assert f"unknown root member {root[:100]!r}" in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"[" + b",".join([uplink()] * 3) + b"]",
        b'{"DevEUI_uplink":[]}',
        uplink()[:-1],
        uplink() + b"x",
        uplink(Name="\xe9").replace("\xe9".encode(), b"\xe9"),
        uplink().decode().encode("utf-16"),
        uplink(x=[[[[]]]]).replace(b"[[[[]]]]", b"[" * 63 + b"]" * 63),
        b"LrnDevEui=1",
    ],
)
def test_what_is_not_one_root_in_json_is_refused(body: bytes) -> None:  # IN-05
    with pytest.raises(InvalidInput) as error:
        parse(body)

    assert error.value.field == "body"


def test_a_message_has_at_most_256_kib() -> None:
    filled = MAX_MESSAGE_BYTES - len(uplink(x=""))

    assert len(parse(uplink(x="x" * filled)).body) == MAX_MESSAGE_BYTES
    with pytest.raises(TooLarge, match="a message may have 262144 bytes, this one has 262145"):
        parse(uplink(x="x" * (filled + 1)))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "APPLICATION/JSON",
        " application/json ; charset=utf-8",
        'application/json; charset="UTF-8"',
        "",
    ],
)
def test_json_in_utf_8_is_read(media_type: str) -> None:
    assert parse(uplink(), media_type=media_type).body == uplink()


@pytest.mark.parametrize(
    ("media_type", "words"),
    [
        ("text/plain", "expected application/json or application/xml in UTF-8, got 'text/plain'"),
        ("application/x-www-form-urlencoded", "expected application/json"),
        ("application/json; charset=latin-1", "in UTF-8"),
        ("application/json; charset=utf-16", "in UTF-8"),
        ("application/jsonp", "expected application/json"),
        ("x" * 5000, "expected application/json"),
    ],
)
def test_another_media_type_is_refused_with_what_to_change(media_type: str, words: str) -> None:  # IN-05
    with pytest.raises(UnsupportedMediaType, match=words) as error:
        parse(uplink(), media_type=media_type)
    assert len(str(error.value)) < 200


# What the query must agree with


@pytest.mark.parametrize(
    ("named", "accepted"),
    [
        (DEV_EUI, True),
        (DEV_EUI.lower(), True),
        ("A8-17-58-FF-FE-06-F2-3E", True),
        ("A8%3A17%3A58%3AFF%3AFE%3A06%3AF2%3A3E", True),
        ("0000000000000001", False),
        ("", False),
        ("x", False),
        (f"{DEV_EUI}%26", False),
    ],
)
def test_lrn_dev_eui_must_name_the_device_of_the_body(named: str, *, accepted: bool) -> None:
    query = f"LrnFPort=5&LrnDevEui={named}"
    if accepted:
        assert parse(uplink(), query).dev_eui == DEV_EUI
        return
    with pytest.raises(InvalidInput) as error:
        parse(uplink(), query)
    assert error.value.field == "LrnDevEui"


@pytest.mark.parametrize("root", ["DevEUI_multicast_summary", "BS_alarm"])
def test_a_message_of_no_single_device_is_not_compared(root: str) -> None:
    assert parse(report(root), "LrnDevEui=0000000000000001").root == root


def test_without_lrn_dev_eui_there_is_nothing_to_compare() -> None:
    assert parse(uplink(), "Time=x").dev_eui == DEV_EUI


@pytest.mark.parametrize(
    ("time", "verdict"),
    [
        ("2026-03-14T09:26:54Z", None),
        ("2026-03-14T10:26:54.000+01:00", None),
        ("2026-03-14T10:26:54.000%2B01:00", None),
        ("2026-03-14T09:27:54", None),  # without zone: UTC
        ("2026-03-14T09:25:54Z", None),
        ("2026-03-14T09:27:54.001Z", Forbidden),
        ("2026-03-14T09:25:53.999Z", Forbidden),
        ("2026-03-14T10:26:54Z", Forbidden),
        ("0001-01-01T00:00:00%2B23:59", Forbidden),
        ("9999-12-31T23:59:59-23:59", Forbidden),
        ("", InvalidInput),
        ("yesterday", InvalidInput),
        ("1773480414", InvalidInput),
    ],
)
def test_the_time_of_the_query_may_deviate_by_no_more_than_is_configured(
    time: str, verdict: type[LongwireError] | None
) -> None:  # IN-09
    query = f"LrnDevEui={DEV_EUI}&Time={time}"

    assert parse(uplink(), query).dev_eui == DEV_EUI
    if verdict is None:
        assert parse(uplink(), query, TIMED).dev_eui == DEV_EUI
        return
    with pytest.raises(verdict, match=r"^Time: "):
        parse(uplink(), query, TIMED)


def test_a_configured_deviation_needs_a_time() -> None:
    with pytest.raises(InvalidInput, match=r"^Time: expected an ISO 8601 time"):
        parse(uplink(), "", TIMED)


# What is taken out


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ('"DevEUI":"D","downlinkUrl":"x"', '"DevEUI":"D"'),
        ('"downlinkURL":"x","DevEUI":"D"', '"DevEUI":"D"'),
        ('"downlinkUrl":{"a":[1]},"DevEUI":"D","downlinkURL":null,"n":1.50', '"DevEUI":"D","n":1.50'),
        ('"downlink\\u0055rl":"x","DevEUI":"D"', '"DevEUI":"D"'),
        ('"downlinkUrl":"x","downlinkUrl":"y","DevEUI":"D"', '"DevEUI":"D"'),
        (
            '"DevEUI":"D","x":{"downlinkUrl":"x"},"DownlinkUrl":1',
            '"DevEUI":"D","x":{"downlinkUrl":"x"},"DownlinkUrl":1',
        ),
    ],
)
def test_a_senders_own_downlink_address_is_removed(members: str, expected: str) -> None:  # IN-15
    text = f'{{"DevEUI_uplink":{{{members}}}}}'.replace('"D"', f'"{DEV_EUI}"')

    message = parse(text.encode())

    assert message.body.decode() == f'{{"DevEUI_uplink":{{{expected}}}}}'.replace('"D"', f'"{DEV_EUI}"')


def test_a_senders_own_payload_and_points_stay() -> None:
    text = uplink(payload={"t": 1.50}, points={"t": {}}, payload_hex="00")

    assert parse(text).body == text


@given(root_texts(), st.sampled_from([*sorted(ROOTS), "x"]), st.text("&=%Token3AD", max_size=12))
@examples(150)
def test_whatever_comes_it_is_a_message_or_refused(sample: RootText, root: str, query: str) -> None:
    _, _, members = read_roots(sample.body)
    inner = b",".join(
        [
            b'"DevEUI":"%s"' % DEV_EUI.encode(),
            *(json.dumps(n).encode() + b":" + bytes(r) for n, r in members.items()),
        ]
    )
    for server in (OPEN, SIGNING, TIMED):
        try:
            message = parse(b'{"' + root.encode() + b'":{' + inner + b"}}", query, server)
        except LongwireError:
            continue
        assert message.root == root
        assert read_roots(message.body)[0] == message.body
