"""Configured headers and patterns that would break the request (cases HI-*): seen in the bytes a destination gets."""

from typing import Any

import pytest
from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import Received, Sink

OURS = ("webhook-id", "webhook-timestamp", "webhook-signature", "Longwire-Attempt", "longwire-test")
FRAMING = (
    "Host",
    "Content-Length",
    "content-length",
    "content_length",
    "Transfer-Encoding",
    "Connection",
    "Keep-Alive",
    "TE",
    "Trailer",
    "Upgrade",
    "Expect",
    "Proxy-Authorization",
    "Proxy-Connection",
    "Content-Encoding",
)


def save(api: Api, sink: Sink, name: str, value: str) -> Any:
    return api.call("POST", "/connections", connection_document(sink.url(), headers={name: value}))


def deliver(
    api: Api, sink: Sink, dev_eui: str, members: dict[str, Any], path: str = "/hook", **headers: str
) -> Received:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    road = build_road(api, connection_document(sink.url(path), headers=named), [dev_eui])
    road.send(uplink(dev_eui, 1, **members))
    (got,) = sink.wait_for(1)
    return got


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\0b", "a\rb"])
def test_hi_01_a_configured_value_with_a_break_is_refused_by_name(api: Api, sink: Sink, value: str) -> None:
    refused = save(api, sink, "X-Thing", value)

    assert refused.status == 400, refused
    assert "configuration.headers.X-Thing" in refused.json()["message"]


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\0b", "a\rb"])
def test_hi_01_a_value_of_a_message_ends_no_header(api: Api, sink: Sink, dev_eui: str, value: str) -> None:
    got = deliver(api, sink, dev_eui, {"Name": value}, X_Thing="{Name}")

    assert got.all("X-Evil") == []
    assert got.header("X-Thing") == value.translate({ord(each): None for each in "\r\n\0"})


@pytest.mark.parametrize("value", ["a\u2028b", "a\u0085b", "Zürich", "東京", "😀"])
def test_hi_03_other_text_goes_as_utf_8(api: Api, sink: Sink, dev_eui: str, value: str) -> None:
    got = deliver(api, sink, dev_eui, {"Name": value}, X_Thing="{Name}", X_Fixed=value)

    assert got.header("X-Thing") == got.header("X-Fixed") == value


@pytest.mark.parametrize(
    "value", ["x?y=1#z", "a b", "%2e%2e", "@127.0.0.1:9/", "//evil", "a/../../admin", "\r\nX-Evil: 1"]
)
def test_hi_05_a_value_in_the_url_is_one_segment(api: Api, sink: Sink, dev_eui: str, value: str) -> None:
    got = deliver(api, sink, dev_eui, {"Name": value}, "/d/{Name}/end?q={Name}")

    path, _, query = got.target.partition("?")
    assert path.startswith("/d/")
    assert path.endswith("/end")
    assert path.count("/") == 3
    assert query.count("=") == 1
    assert got.all("X-Evil") == []
    assert got.header("Host") == f"127.0.0.1:{sink.address[1]}"


@pytest.mark.parametrize("value", ["..", "."])
def test_hi_05_a_value_that_would_climb_fails_its_message(
    api: Api, sink: Sink, dev_eui: str, value: str
) -> None:
    road = build_road(api, connection_document(sink.url("/d/{Name}/end")), [dev_eui])
    road.send(uplink(dev_eui, 1, Name=value))

    (failed,) = road.wait_for_outcomes("FAILED")
    assert "destinationURL" in failed["reason"]
    assert sink.requests == []


@pytest.mark.parametrize("name", FRAMING)
def test_hi_07_a_header_that_frames_the_request_is_refused_by_name(api: Api, sink: Sink, name: str) -> None:
    for spelled in {name, name.upper(), name.lower()}:
        refused = save(api, sink, spelled, "1")
        assert refused.status == 400, f"{spelled}: {refused}"
        assert spelled in refused.json()["message"]


def test_hi_07_a_request_has_one_length_and_it_is_right(api: Api, sink: Sink, dev_eui: str) -> None:
    got = deliver(api, sink, dev_eui, {}, User_Agent="x", Content_Type="text/plain", X_Length="9")

    assert int(got.header("Content-Length")) == len(got.body)
    assert got.all("Transfer-Encoding") == []
    assert (got.header("User-Agent"), got.header("Content-Type")) == ("x", "text/plain")


@pytest.mark.parametrize("name", OURS)
def test_hi_09_our_own_headers_cannot_be_configured(api: Api, sink: Sink, name: str) -> None:
    assert save(api, sink, name, "forged").status == 400


VALUES = {
    "Object": {"a": [1, "x"]},
    "Array": [1, None, True],
    "Null": None,
    "Yes": True,
    "Number": -97.5,
}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{Missing}", ""),
        ("{Object}", '{"a":[1,"x"]}'),
        ("{Array}", "[1,null,true]"),
        ("{Null}", ""),
        ("{Yes}", "true"),
        ("{Number}", "-97.5"),
        ("{Object.a}", '[1,"x"]'),
    ],
)
def test_hi_11_what_a_pattern_finds_becomes_documented_text(
    api: Api, sink: Sink, dev_eui: str, pattern: str, text: str
) -> None:
    assert deliver(api, sink, dev_eui, VALUES, X_Value=pattern).header("X-Value") == text
