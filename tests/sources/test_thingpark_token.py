"""ThingPark's Token: who may put a message in (specification, section 8; IN-09)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples
from tests.samples.files import read_lines
from tests.sources.lrc_requests import (
    DEV_EUI,
    KEY,
    OPEN,
    QUERY,
    SIGNING,
    TIME,
    body_of,
    content,
    parse,
    report,
    sign,
    signed,
    uplink,
)

from longwire.core.errors import Forbidden, InvalidInput
from longwire.core.lrc_tunnel import token
from longwire.core.message import ROOTS
from longwire.core.network_server import NetworkServer

VECTOR_KEY = "c6f5e3b263092120b8766b9aed9c41b4"
VECTOR_QUERY = (
    "LrnDevEui=0059AC0000000001&LrnFPort=1&LrnInfos=TWA_100000001.999.AS-1-12345678"
    "&AS_ID=TWA_100000001.999&Time=2018-01-12T10:00:00.000+01:00"
)
VECTORS = [
    (
        "DevEUI_uplink",
        {"FPort": "1", "FCntUp": "1", "payload_hex": "000102030405"},
        "5b7ec8b0b2c250fc792c76348de3b16ff04e27050baf8a37c891dcc85e88b0d4",
    ),
    (
        "DevEUI_downlink_Sent",
        {"FPort": "1", "FCntDn": "1"},
        "345dc204c72a9769441c4700cd0a0fb76c5b356e3931540e891fc7e68f236c98",
    ),
]
EVENTS = [event for event in read_lines("lrc_events.jsonl") if event["direction"] == "LRC->AS"]
SIGNED_EVENTS = [event for event in EVENTS if event["token"]]
STRICT = NetworkServer("LRC", KEY, accept_unsigned_reports=False)
JOIN = content(FPort=None, FCntUp=None, FCntDn=None, payload_hex=None, rawJoinRequest="00010000d07e")


def body(event: dict[str, Any]) -> bytes:
    return json.dumps(event["body"]).encode()


def is_refused(body: bytes, query: str, server: NetworkServer = SIGNING) -> bool:
    try:
        parse(body, query, server)
    except Forbidden as error:
        return str(error) == "Token: missing or wrong for this network server's asKey"
    return False


@pytest.mark.parametrize(("root", "members", "expected"), VECTORS)
def test_the_token_is_that_of_the_specifications_vectors(
    root: str, members: dict[str, str], expected: str
) -> None:
    identity = {"CustomerID": "100000001", "DevEUI": "0059AC0000000001"}
    server = NetworkServer("LRC", VECTOR_KEY, accept_unsigned_reports=False)

    assert token("".join([*identity.values(), *members.values()]), VECTOR_QUERY, VECTOR_KEY) == expected
    for query in (VECTOR_QUERY, VECTOR_QUERY.replace("+", "%2B"), VECTOR_QUERY.replace(":", "%3a")):
        assert parse(body_of(root, identity | members), f"{query}&Token={expected}", server).root == root


@pytest.mark.parametrize("event", EVENTS, ids=[event["id"] for event in EVENTS])
def test_every_recorded_event_is_accepted_as_it_was_sent(event: dict[str, Any]) -> None:
    server = NetworkServer("LRC", event.get("key", KEY), accept_unsigned_reports=True)
    query = event["query"] + (f"&Token={event['token']}" if event["token"] else "")

    message = parse(body(event), query, server)

    assert [message.root] == list(event["body"])
    assert message.body == body(event)


@pytest.mark.parametrize("event", SIGNED_EVENTS, ids=[event["id"] for event in SIGNED_EVENTS])
def test_a_recorded_event_is_refused_when_anything_signed_was_changed(event: dict[str, Any]) -> None:
    query, right, server = event["query"], event["token"], NetworkServer("LRC", event["key"])
    assert not is_refused(body(event), f"{query}&Token={right}", server)

    swapped = "&".join(reversed(query.split("&")))
    for wrong in (
        f"{query}&Token={right.upper()}",
        f"{query}&Token={right[:-1]}",
        f"{query}&Token={right}0",
        f"{query}&Token={'0' * 64}",
        f"{swapped}&Token={right}",
        f"{query}&x=1&Token={right}",
        f"{query.replace('10:26', '10:27')}&Token={right}",
        f"{query.replace('+', '%252B')}&Token={right}",
        f"{query.replace('AS_ID=TWA', 'AS_ID=TWB')}&Token={right}",
    ):
        assert is_refused(body(event), wrong, server)


@pytest.mark.parametrize("event", EVENTS, ids=[event["id"] for event in EVENTS])
def test_an_uplink_must_be_signed_and_a_report_only_where_that_is_configured(event: dict[str, Any]) -> None:
    key = event.get("key", KEY)
    is_uplink = event["body"].get("DevEUI_uplink", {}).get("payload_hex") is not None

    assert is_refused(body(event), event["query"], NetworkServer("LRC", key)) is is_uplink
    assert is_refused(body(event), event["query"], NetworkServer("LRC", key, accept_unsigned_reports=False))
    assert not is_refused(body(event), event["query"], OPEN)


# What is signed


@pytest.mark.parametrize(
    "query",
    [
        QUERY,
        QUERY.replace("+", "%2B"),
        QUERY.replace("+", "%2b"),
        QUERY.replace("TWA_1", "%54WA%5F1"),
        f"{QUERY}&Extra=1",  # an extra parameter is fine when it is signed
        "&".join(reversed(QUERY.split("&"))),  # and so is any order, when it is that which was signed
        f"LrnDevEui={DEV_EUI.lower()}&Time={TIME}",
        "",
    ],
)
def test_the_query_before_the_token_is_signed_as_it_stands_percent_decoded(query: str) -> None:
    assert not is_refused(uplink(), signed(query))


def test_what_follows_the_token_is_not_read() -> None:
    assert not is_refused(uplink(), f"{signed()}&LrnDevEui=0000000000000001&Token=x")
    assert is_refused(uplink(), f"{QUERY}&Token=0{signed().partition('&')[2]}")


@pytest.mark.parametrize(
    "query", ["", QUERY, f"{QUERY}&Token=", "Token=x", f"{QUERY}&token={'0' * 64}", "&Token=é"]
)
def test_without_the_right_token_an_uplink_is_refused(query: str) -> None:
    assert is_refused(uplink(), query)


@pytest.mark.parametrize(
    ("members", "elements"),
    [
        ({}, f"100002164{DEV_EUI}53900100e702"),
        ({"FPort": "5", "FCntUp": "390"}, f"100002164{DEV_EUI}53900100e702"),  # untyped
        ({"FPort": None}, f"100002164{DEV_EUI}03900100e702"),
        ({"FPort": 0}, f"100002164{DEV_EUI}03900100e702"),
        ({"payload_hex": ""}, f"100002164{DEV_EUI}5390"),
        ({"payload_hex": None}, f"100002164{DEV_EUI}5390"),
        ({"CustomerID": None}, f"{DEV_EUI}53900100e702"),
        ({"DevEUI": "a8-17-58-ff-fe-06-f2-3e"}, "100002164a8-17-58-ff-fe-06-f2-3e53900100e702"),  # as written
    ],
)
def test_the_elements_of_an_uplink_are_signed_as_written(members: dict[str, Any], elements: str) -> None:
    assert not is_refused(uplink(**members), signed(QUERY, elements))
    assert is_refused(uplink(**members), signed(QUERY, elements + "0"))


@pytest.mark.parametrize(
    ("root", "members", "elements"),
    [
        ("DevEUI_location", {}, f"100002164{DEV_EUI.lower()}"),
        ("DevEUI_downlink_Sent", {}, f"100002164{DEV_EUI}524"),
        ("DevEUI_downlink_Rejected", {}, f"100002164{DEV_EUI}524"),
        ("DevEUI_notification", {"FPort": None}, f"100002164{DEV_EUI}24"),
        ("DevEUI_notification", {"FPort": None, "FCntDn": None}, f"100002164{DEV_EUI}"),
        ("DevEUI_multicast_summary", {}, f"100002164{DEV_EUI}524"),
        ("DevEUI_alarm", {}, f"100002164{DEV_EUI}524"),
        ("BS_alarm", {"DevEUI": None, "FPort": None, "FCntDn": None}, "100002164"),
    ],
)
def test_the_elements_of_a_report_are_those_of_the_specification(
    root: str, members: dict[str, Any], elements: str
) -> None:
    text = report(root, **members)

    assert not is_refused(text, sign(QUERY, elements), STRICT)
    assert is_refused(text, sign(QUERY, elements + "0"), STRICT)
    assert is_refused(text, QUERY, STRICT)


def test_a_join_report_is_signed_like_a_report() -> None:
    text = body_of("DevEUI_uplink", JOIN)

    assert not is_refused(text, sign(QUERY, f"100002164{DEV_EUI}"), STRICT)
    assert is_refused(text, QUERY, STRICT)
    assert not is_refused(text, QUERY, SIGNING)


@pytest.mark.parametrize(
    "members", [{"payload_hex": "00"}, {"payload_hex": ""}, {"payload_hex": False, "FCntUp": 1}]
)
def test_an_uplink_with_a_join_request_beside_its_payload_is_no_report(members: dict[str, Any]) -> None:
    assert is_refused(body_of("DevEUI_uplink", JOIN | members), QUERY)


@pytest.mark.parametrize("key", [KEY, KEY.upper(), KEY[:16].upper() + KEY[16:]])
def test_the_key_is_tried_as_given_then_in_lower_case(key: str) -> None:
    server = NetworkServer("LRC", key)
    elements = f"100002164{DEV_EUI}53900100e702"

    assert not is_refused(uplink(), sign(QUERY, elements, key), server)
    assert not is_refused(uplink(), sign(QUERY, elements, KEY), server)
    assert is_refused(uplink(), sign(QUERY, elements, KEY[::-1]), server)


@pytest.mark.parametrize("root", sorted(ROOTS - {"DevEUI_uplink"}))
def test_a_report_may_be_unsigned_but_where_its_elements_are_published_not_signed_wrongly(root: str) -> None:
    published = root in {"DevEUI_location", "DevEUI_downlink_Sent"}

    assert not is_refused(report(root), QUERY)
    assert is_refused(report(root), f"{QUERY}&Token={'0' * 64}") is published


def test_of_equal_members_the_token_covers_the_last() -> None:  # IN-03
    text = uplink().replace(b'"FPort":5', b'"FPort":9,"FPort":5')

    assert not is_refused(text, signed())
    message = parse(text, signed(), SIGNING)
    assert json.loads(message.body)["DevEUI_uplink"]["FPort"] == 5
    assert message.body.count(b"FPort") == 1
    named = b'"DevEUI":"%s"' % DEV_EUI.encode()
    other = uplink().replace(named, named + b',"\\u0044evEUI":"0000000000000001"')
    with pytest.raises(InvalidInput, match="LrnDevEui"):
        parse(other, QUERY, OPEN)


@given(st.text(max_size=80) | st.text("0123456789abcdef", min_size=64, max_size=64))
@examples(100)
def test_no_other_token_is_right(text: str) -> None:
    right = signed().rpartition("=")[2]
    assert is_refused(uplink(), f"{QUERY}&Token={text}") or text == right
