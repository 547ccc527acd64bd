"""What the destination receives: the sender's bytes, our headers, and the values of the patterns."""

import json
from typing import Any
from urllib.parse import unquote

import pytest
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import Received, Sink


def deliver(api: Api, sink: Sink, dev_eui: str, body: bytes, **configuration: Any) -> tuple[Road, Received]:
    road = build_road(api, connection_document(sink.url(), **configuration), [dev_eui])
    answer = road.ingest("", body)
    assert answer.status == 200, answer
    road.wait_for_outcomes("DELIVERED")
    (got,) = sink.requests
    return road, got


def raw_uplink(dev_eui: str, members: str) -> bytes:
    return f'{{"DevEUI_uplink":{{"DevEUI":"{dev_eui}","FCntUp":1{members}}}}}'.encode()


@pytest.mark.parametrize(
    "members",
    [
        ',"a":-97.000,"b":5e-06,"c":1E+2,"d":0.10,"e":12345678901234567890123,"f":"007"',
        ',"z":1,"a":2,"m":{"z":1,"a":[3,2,1]}',
        ',"deep":{"x":1,"x":2}',
        ',"text":"Z\\u00fcrich \\/ \\"x\\" ü 東京 😀"',
        ',"n":null,"t":true,"f":false,"o":{},"l":[]',
    ],
    ids=["numbers", "order", "duplicates deeper down", "escapes", "literals"],
)
def test_members_order_and_spelling_are_kept_byte_for_byte(
    api: Api, sink: Sink, dev_eui: str, members: str
) -> None:
    sent = raw_uplink(dev_eui, members)
    road, got = deliver(api, sink, dev_eui, sent)
    url = road.connection["downlinkUrl"]
    assert got.body == sent[:-2] + f',"downlinkUrl":"{url}","downlinkURL":"{url}"}}}}'.encode()


def test_white_space_of_the_sender_changes_no_value(api: Api, sink: Sink, dev_eui: str) -> None:
    document = uplink(dev_eui, 1).document
    _, got = deliver(api, sink, dev_eui, b"\r\n " + json.dumps(document, indent=2).encode() + b"\n")
    content = json.loads(got.body)["DevEUI_uplink"]
    assert list(content)[-2:] == ["downlinkUrl", "downlinkURL"]
    assert list(content.items())[:-2] == list(document["DevEUI_uplink"].items())


def test_of_equal_members_of_the_root_the_last_wins(api: Api, sink: Sink, dev_eui: str) -> None:
    body = raw_uplink("0000000000000000", f',"DevEUI":"{dev_eui}","x":1,"x":"kept"')
    _, got = deliver(api, sink, dev_eui, body, headers={"X-Thing": "{DevEUI}", "X-X": "{x}"})
    pairs: list[tuple[str, Any]] = json.loads(got.body, object_pairs_hook=lambda each: each)[0][1]
    assert [value for name, value in pairs if name in {"DevEUI", "x"}] == [dev_eui, "kept"]
    assert (got.header("X-Thing"), got.header("X-X")) == (dev_eui, "kept")


def test_of_equal_roots_the_last_wins(api: Api, sink: Sink, dev_eui: str) -> None:
    first = raw_uplink("0000000000000000", "")
    _, got = deliver(api, sink, dev_eui, first[:-1] + b"," + raw_uplink(dev_eui, "")[1:])
    assert got.body.count(b"DevEUI_uplink") == 1
    assert json.loads(got.body)["DevEUI_uplink"]["DevEUI"] == dev_eui


def test_a_downlink_url_of_the_sender_is_replaced_by_ours(api: Api, sink: Sink, dev_eui: str) -> None:
    body = raw_uplink(dev_eui, ',"downlinkUrl":"http://evil/","downlinkURL":"http://evil/","payload":{"t":1}')
    road, got = deliver(api, sink, dev_eui, body)
    assert b"evil" not in got.body
    content = json.loads(got.body)["DevEUI_uplink"]
    assert content["downlinkUrl"] == content["downlinkURL"] == road.connection["downlinkUrl"]
    assert content["payload"] == {"t": 1}


VALUES = (
    ',"text":"Zürich","number":-97.00,"big":1e400,"yes":true,"no":false,"nothing":null,"empty":""'
    ',"CustomerData":{"name":"Fridge 12","tags":["a","b"]},"one":["x"],"dashed-name":"d"'
)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("{text}", "Zürich"),
        ("{number}", "-97.00"),
        ("{big}", "1e400"),
        ("{yes}/{no}", "true/false"),
        ("{nothing}", ""),
        ("{missing}", ""),
        ("{empty}", ""),
        ("{CustomerData.name}", "Fridge 12"),
        ("{CustomerData.missing.deeper}", ""),
        ("{text.deeper}", ""),
        ("{CustomerData.tags}", '["a","b"]'),
        ("{CustomerData}", '{"name":"Fridge 12","tags":["a","b"]}'),
        ("{missing|text}", "Zürich"),
        ("{nothing|text}", "Zürich"),
        ("{missing|'none'}", "none"),
        ("{text|'none'}", "Zürich"),
        ("{'a|b}c'}", "a|b}c"),
        ("{dashed-name}", "d"),
        ("{{text}}", "{text}"),
        ("a{text}b{number}c", "aZürichb-97.00c"),
        ("{{{text}}}", "{Zürich}"),
        ("{$.DevEUI_uplink.number}", "-97.00"),
        ("{$..big}", "1e400"),
        ("{$..tags[?(@ =~ /B|b/)]}", "b"),
        ("{$..tags[*]}", "a,b"),
        ("{$..tags.length()}", "2"),
        ("{$..CustomerData['name','tags']}", '{"name":"Fridge 12","tags":["a","b"]}'),
        ("{$..nothing|$..missing|$['DevEUI_uplink'][\"dashed-name\"]}", "d"),
        ("{DevEUI}", None),
    ],
)
def test_a_pattern_in_a_header_is_rendered(
    api: Api, sink: Sink, dev_eui: str, pattern: str, expected: str | None
) -> None:
    _, got = deliver(api, sink, dev_eui, raw_uplink(dev_eui, VALUES), headers={"X-Value": pattern})
    assert got.header("X-Value") == (dev_eui if expected is None else expected)


@pytest.mark.parametrize("evil", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\0b", "a\rb"])
def test_a_value_cannot_break_out_of_its_header(api: Api, sink: Sink, dev_eui: str, evil: str) -> None:
    body = raw_uplink(dev_eui, f',"v":{json.dumps(evil)}')
    _, got = deliver(api, sink, dev_eui, body, headers={"X-Value": "{v}"})
    assert got.all("X-Evil") == []
    assert got.header("X-Value") == evil.replace("\r", "").replace("\n", "").replace("\0", "")


def test_a_header_over_8_kib_after_rendering_fails_with_the_reason(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url(), headers={"X-Value": "{v}"}), [dev_eui])
    assert road.ingest("", raw_uplink(dev_eui, f',"v":"{"x" * 9000}"')).status == 200
    road.send(uplink(dev_eui, 2))
    failed, _ = road.wait_for_outcomes("FAILED", "DELIVERED")
    assert "X-Value" in failed["reason"]
    assert len(sink.requests) == 1


@pytest.mark.parametrize("pattern", ["{$..*..*..*..*}", "{$..v[?($..v == $..v)]}", "{$..v[?(@ in $..v[*])]}"])
def test_a_pattern_that_takes_too_much_work_fails_its_message_and_harms_nobody(
    api: Api, sink: Sink, dev_eui: str, pattern: str
) -> None:  # AP-13
    road = build_road(api, connection_document(sink.url(), headers={"X-Value": pattern}), [dev_eui])
    assert road.ingest("", raw_uplink(dev_eui, f',"v":[{",".join(["[1,2,3]"] * 20_000)}]')).status == 200
    assert road.ingest("", raw_uplink(dev_eui, ',"v":[1],"FCntUp":2')).status == 200
    failed, _ = road.wait_for_outcomes("FAILED", "DELIVERED")
    assert failed["reason"] == "headers.X-Value: its patterns take more than 50000 steps on this message"


def test_the_content_type_may_be_overridden(api: Api, sink: Sink, dev_eui: str) -> None:
    headers = {"content-type": "application/vnd.acme+json"}
    _, got = deliver(api, sink, dev_eui, raw_uplink(dev_eui, ""), headers=headers)
    assert got.header("Content-Type") == "application/vnd.acme+json"


def test_non_ascii_header_values_go_as_utf_8(api: Api, sink: Sink, dev_eui: str) -> None:
    _, got = deliver(api, sink, dev_eui, raw_uplink(dev_eui, ""), headers={"X-Place": "Zürich 東京"})
    assert got.header("X-Place") == "Zürich 東京"


def test_path_and_query_of_the_destination_are_kept_as_written(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url("/a%20b/c?x=1&y=%C3%BC")), [dev_eui])
    road.send(uplink(dev_eui, 1))
    assert sink.wait_for(1)[0].target == "/a%20b/c?x=1&y=%C3%BC"


def test_a_space_in_the_destination_goes_encoded(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url("/a b")), [dev_eui])
    road.send(uplink(dev_eui, 1))
    assert sink.wait_for(1)[0].target == "/a%20b"


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("plain", "plain"),
        ("../../admin", "..%2F..%2Fadmin"),
        ("x?y=1#z&w", "x%3Fy%3D1%23z%26w"),
        ("a b", "a%20b"),
        ("%2e%2e", "%252e%252e"),
        ("@127.0.0.1:9/", "%40127.0.0.1%3A9%2F"),
        ("//evil", "%2F%2Fevil"),
        ("Zürich", "Z%C3%BCrich"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil%3A%201"),
    ],
)
def test_a_value_in_the_url_is_one_segment_and_never_more(
    api: Api, sink: Sink, dev_eui: str, value: str, encoded: str
) -> None:  # HI-05
    road = build_road(api, connection_document(sink.url("/d/{$..v}/end?q={$..[?(@.v)].v}")), [dev_eui])
    assert road.ingest("", raw_uplink(dev_eui, f',"v":{json.dumps(value)}')).status == 200
    (got,) = sink.wait_for(1)
    path, _, query = got.target.partition("?")
    assert unquote(path).removesuffix("/end").removeprefix("/d/") == value
    assert path.count("/") == 3
    assert path.upper() == f"/d/{encoded}/end".upper()
    assert unquote(query) == f"q={value}"
    assert not set("&#") & set(query)


@pytest.mark.parametrize("value", [".", ".."])
def test_a_value_that_would_change_the_depth_of_the_path_fails(
    api: Api, sink: Sink, dev_eui: str, value: str
) -> None:
    road = build_road(api, connection_document(sink.url("/d/{v}/end")), [dev_eui])
    assert road.ingest("", raw_uplink(dev_eui, f',"v":"{value}"')).status == 200
    (failed,) = road.wait_for_outcomes("FAILED")
    assert "destinationURL" in failed["reason"]
    assert sink.requests == []


def test_a_destination_without_a_path_gets_a_slash(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url("")), [dev_eui])
    road.send(uplink(dev_eui, 1))
    assert sink.wait_for(1)[0].target == "/"
