"""The request a destination receives: what is sent, in which order, and what cannot be rendered (specification, 6)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire import __version__
from longwire.core.configuration import parse_connection
from longwire.core.http import Endpoint, HttpRequest
from longwire.core.json_text import quote
from longwire.core.message import ROOTS
from longwire.core.request import CannotRender, Prepared, Sending, Target, build_request

NOW = datetime(2026, 3, 14, 10, 26, 53, 999_999, tzinfo=UTC)
DOWNLINK_URL = "http://localhost:8080/iot-flow/downlinkMessages/0b2e"
BODY = b'{"DevEUI_uplink":{"DevEUI":"70B3D5E75E000001","FPort":5,"LrrSNR":-7.250,"Name":"Z\xc3\xbcrich"}}'
OWN = [
    ("Content-Type", b"application/json"),
    ("User-Agent", f"Longwire/{__version__}".encode()),
    ("webhook-id", b"msg_1"),
    ("webhook-timestamp", b"1773484013"),
    ("Longwire-Attempt", b"2"),
]


def build(
    body: bytes = BODY, url: str = "https://sink/up", headers: dict[str, str] | None = None, **others: Any
) -> Prepared | CannotRender:
    configuration = {"destinationURL": url, "headers": headers or {}, **others}
    connection = parse_connection({"connectorId": "actility-http-iot", "configuration": configuration})
    return build_request(Target(connection.configuration, DOWNLINK_URL), body, Sending("msg_1", 2, NOW))


def built(*arguments: Any, **named: Any) -> HttpRequest:
    prepared = build(*arguments, **named)
    assert isinstance(prepared, Prepared)
    return prepared.request


def refused(*arguments: Any, **named: Any) -> str:
    request = build(*arguments, **named)
    assert isinstance(request, CannotRender)
    return request.reason


def test_a_message_is_posted_to_the_destination_with_our_headers_first() -> None:
    request = built(headers={"X-DevEUI": "{DevEUI}", "x-building": "BuildingA", "Accept": "*/*"})

    assert (request.method, request.endpoint, request.target) == (
        "POST",
        Endpoint("https", "sink", 443),
        "/up",
    )
    assert list(request.headers) == [
        *OWN,
        ("X-DevEUI", b"70B3D5E75E000001"),
        ("x-building", b"BuildingA"),
        ("Accept", b"*/*"),
    ]


def test_placeholders_without_a_value_are_named_with_their_place() -> None:
    url = "http://sink/{Missing}?a={DevEUI}&b={$..nope}"
    headers = {
        "X-A": "{Name}{Time|x.y}",
        "X-B": "b",
        "X-C": "{Missing|'c'}",
        "X-Key": "{$..k[?(@ == 'secret')]}",
    }

    prepared = build(url=url, headers=headers)

    assert isinstance(prepared, Prepared)
    assert prepared.empty == (
        "destinationURL: {Missing}",
        "destinationURL: {$..nope}",
        "headers.X-A: {Time|x.y}",
        "headers.X-Key",
    )
    assert prepared.request.target == "/?a=70B3D5E75E000001&b="


@pytest.mark.parametrize("header", ["{$..*..*..*}", "{$.DevEUI_uplink.x[?(@ in $.DevEUI_uplink.x)]}"])
def test_patterns_that_take_too_much_work_cannot_be_rendered(header: str) -> None:  # AP-13
    body = b'{"DevEUI_uplink":{"x":[%s1]}}' % (b"[1,2]," * 30_000)

    reason = "its patterns take more than 50000 steps on this message"
    assert refused(body, headers={"X-A": header}) == f"headers.X-A: {reason}"
    assert refused(body, "http://sink/?q=" + header) == f"destinationURL: {reason}"


@pytest.mark.parametrize("name", ["Content-Type", "content-type", "CONTENT-TYPE"])
def test_the_content_type_may_be_overridden(name: str) -> None:
    request = built(headers={"X-A": "a", name: "application/vnd.uplink+json"})

    assert list(request.headers) == [*OWN[1:], ("X-A", b"a"), (name, b"application/vnd.uplink+json")]


def test_the_user_agent_may_be_overridden() -> None:
    assert list(built(headers={"user-agent": "x"}).headers) == [OWN[0], *OWN[2:], ("user-agent", b"x")]


@pytest.mark.parametrize("root", sorted(ROOTS))
def test_patterns_are_filled_in_from_every_root(root: str) -> None:
    body = b'{"%s":{"DevEUI":"A/B","n":1.50}}' % root.encode()
    request = built(body, "http://sink/{DevEUI}?n={n}", {"X-A": "{DevEUI}|{n}|{Missing}"})

    assert request.target == "/A%2FB?n=1.50"
    assert request.headers[-1] == ("X-A", b"A/B|1.50|")
    assert request.body.startswith(body[:-2] + b",")


def test_the_body_is_as_received_with_the_downlink_address_at_the_end() -> None:
    url = quote(DOWNLINK_URL)

    assert built().body == BODY[:-2] + b',"downlinkUrl":' + url + b',"downlinkURL":' + url + b"}}"
    assert built(b'{"BS_alarm":{}}').body == (
        b'{"BS_alarm":{"downlinkUrl":' + url + b',"downlinkURL":' + url + b"}}"
    )


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ("Zürich", "Zürich".encode()),
        ("東京 😀", "東京 😀".encode()),
        ("a\r\nX-Evil: 1", b"aX-Evil: 1"),
        ("a\0b\rc\nd", b"abcd"),
        (" a ", b" a "),
        ("a\u2028b\u0085", "a\u2028b\u0085".encode()),
    ],
)
def test_a_header_is_sent_as_utf_8_without_cr_lf_and_nul(value: str, sent: bytes) -> None:  # HI-01, HI-03
    body = b'{"DevEUI_uplink":{"Name":' + quote(value) + b"}}"

    assert built(body, headers={"X-A": "<{Name}>"}).headers[-1] == ("X-A", b"<" + sent + b">")


def named(name: str) -> bytes:
    return b'{"DevEUI_uplink":{"Name":' + quote(name) + b"}}"


def test_a_header_over_8_kib_once_rendered_cannot_be_sent() -> None:
    assert built(named("x" * 8192), headers={"X-A": "{Name}"}).headers[-1] == ("X-A", b"x" * 8192)
    for name, headers in [("x" * 8193, {"X-A": "{Name}"}), ("é" * 4097, {"X-A": "{Name}"})]:
        assert refused(named(name), headers=headers) == "headers.X-A: longer than 8192 bytes once rendered"
    assert refused(named("x" * 4097), headers={"X-A": "a", "X-B": "{Name}{Name}"}).startswith("headers.X-B: ")


def test_a_url_over_8_kib_once_rendered_cannot_be_sent() -> None:
    assert built(named("x" * 8191), "http://sink/{Name}").target == "/" + "x" * 8191
    for name in ("x" * 8192, "é" * 1366):
        assert refused(named(name), "http://sink/{Name}") == (
            "destinationURL: longer than 8192 bytes once rendered"
        )


@pytest.mark.parametrize("name", [".", ".."])
def test_a_value_that_would_change_the_depth_of_the_path_cannot_be_sent(name: str) -> None:  # HI-05
    body = b'{"DevEUI_uplink":{"Name":"' + name.encode() + b'"}}'

    assert refused(body, "http://sink/{Name}/up").startswith("destinationURL: a value would change the depth")
    assert built(body, "http://sink/up?n={Name}").target == f"/up?n={name}"


@pytest.mark.parametrize(
    ("raw", "header", "target"),
    [
        ("null", b"", "/"),
        ("1e400", b"1e400", "/1e400"),
        ("-0.0", b"-0.0", "/-0.0"),
        ("true", b"true", "/true"),
        ("[1, 2]", b"[1,2]", "/%5B1%2C2%5D"),
        ('{"a": "b c"}', b'{"a":"b c"}', "/%7B%22a%22%3A%22b%20c%22%7D"),
        ('"\\u0000\\n"', b"", "/%00%0A"),
        ('""', b"", "/"),
    ],
)
def test_any_json_value_can_stand_in_a_header_and_a_url(
    raw: str, header: bytes, target: str
) -> None:  # HI-11
    request = built(b'{"DevEUI_uplink":{"v":%s}}' % raw.encode(), "http://sink/{v}", {"X-A": "{v}"})

    assert (request.headers[-1][1], request.target) == (header, target)


def test_a_body_whose_members_nobody_asks_for_is_not_changed_by_patterns() -> None:
    request = built(b'{"DevEUI_uplink":{"a":1 , "a2" : "x"}}', "http://sink/{{a}}", {"X-A": "a{{}}"})

    assert request.target == "/%7Ba%7D"
    assert request.headers[-1] == ("X-A", b"a{}")


@given(st.text(max_size=30), st.text(max_size=10))
@examples(100)
def test_no_value_can_add_a_header_or_a_request_line(name: str, other: str) -> None:  # HI-05
    body = b'{"DevEUI_uplink":{"Name":' + quote(name) + b',"Other":' + quote(other) + b"}}"
    headers = {"X-A": "{Name}", "X-B": "{$..Other}", "X-C": "{$.DevEUI_uplink.*}"}
    prepared = build(body, "http://sink/d/{$..Name}?o={Other}", headers)

    if isinstance(prepared, CannotRender):
        assert name in {".", ".."}
        return
    request = prepared.request
    assert [each for each, _ in request.headers] == [each for each, _ in OWN] + ["X-A", "X-B", "X-C"]
    assert all(not set(b"\r\n\0").intersection(value) for _, value in request.headers)
    assert request.target.isascii()
    assert set(" \r\n\0#").isdisjoint(request.target)
    assert request.endpoint == Endpoint("http", "sink", 80)
