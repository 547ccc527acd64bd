"""The forms a message is sent in: whole, as metadata, as decoded payload alone; with and without downlink address."""

import html
import json
import re
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.lrc import report, uplink
from tests.e2e.sink import Sink
from tests.e2e.visitor import Visitor

from longwire.core import json_text

LINKS = ("downlinkUrl", "downlinkURL")


def road_with(api: Api, sink: Sink, dev_eui: str, **configuration: Any) -> Road:
    return build_road(api, connection_document(sink.url(), **configuration), [dev_eui])


def sent(road: Road, sink: Sink, dev_eui: str, **members: Any) -> Any:
    road.send(uplink(dev_eui, 1, **members))
    (got,) = sink.wait_for(1)
    return json.loads(got.body)


def test_the_metadata_form_is_the_roots_content_at_top_level(api: Api, sink: Sink, dev_eui: str) -> None:
    road = road_with(api, sink, dev_eui, sendMetadata=True)
    content = uplink(dev_eui, 1).document["DevEUI_uplink"]
    body = sent(road, sink, dev_eui)
    links = dict.fromkeys(LINKS, road.connection["downlinkUrl"])
    assert body == content | links
    assert list(body) == [*content, *LINKS]


def test_the_metadata_form_sends_only_uplinks_and_filters_the_rest(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = road_with(api, sink, dev_eui, sendMetadata=True)
    assert road.ingest("", report("DevEUI_notification", dev_eui, Type="join")).status == 200
    (filtered,) = road.wait_for_outcomes("FILTERED")
    assert filtered["reason"] == "sendMetadata: only DevEUI_uplink is sent, not DevEUI_notification"
    assert filtered["attemptCount"] == 0
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("FILTERED", "DELIVERED")
    assert len(sink.requests) == 1


@pytest.mark.parametrize("payload", [{"temperature": 21.50}, [1, 2], "on", 7, False])
def test_the_raw_decoded_form_is_the_content_of_payload_alone(
    api: Api, sink: Sink, dev_eui: str, payload: Any
) -> None:
    road = road_with(api, sink, dev_eui, sendRawDecodedFormat=True)
    assert sent(road, sink, dev_eui, payload=payload) == payload


@pytest.mark.parametrize("members", [{}, {"payload": None}])
def test_the_raw_decoded_form_is_the_whole_body_where_nothing_is_decoded(
    api: Api, sink: Sink, dev_eui: str, members: Json
) -> None:
    road = road_with(api, sink, dev_eui, sendRawDecodedFormat=True)
    body = sent(road, sink, dev_eui, **members)
    assert body["DevEUI_uplink"]["DevEUI"] == dev_eui
    assert body["DevEUI_uplink"]["downlinkUrl"] == road.connection["downlinkUrl"]


def test_metadata_wins_over_raw_decoded(api: Api, sink: Sink, dev_eui: str) -> None:
    road = road_with(api, sink, dev_eui, sendMetadata=True, sendRawDecodedFormat=True)
    body = sent(road, sink, dev_eui, payload={"t": 1})
    assert (body["DevEUI"], body["payload"]) == (dev_eui, {"t": 1})


@pytest.mark.parametrize("form", [{}, {"sendMetadata": True}])
def test_without_downlinks_there_is_no_address(api: Api, sink: Sink, dev_eui: str, form: Json) -> None:
    road = road_with(api, sink, dev_eui, downlinkEnabled=False, **form)
    body = sent(road, sink, dev_eui)
    content = body if form else body["DevEUI_uplink"]
    assert content == uplink(dev_eui, 1).document["DevEUI_uplink"]


def test_white_space_before_the_message_does_not_matter(api: Api, sink: Sink, dev_eui: str) -> None:
    road = road_with(api, sink, dev_eui, sendMetadata=True, downlinkEnabled=False)
    document = uplink(dev_eui, 1).document
    body = b"\n " + json.dumps(document, indent=1).encode() + b"\n"
    assert road.ingest("", body).status == 200
    (got,) = sink.wait_for(1)
    assert json.loads(got.body) == document["DevEUI_uplink"]


def test_the_members_are_shown_with_their_defaults_and_as_set(api: Api, sink: Sink) -> None:
    defaults = {"sendMetadata": False, "sendRawDecodedFormat": False, "downlinkEnabled": True}
    created = api.create("/connections", connection_document(sink.url(), active=False))
    assert {name: created["configuration"][name] for name in defaults} == defaults
    others = {name: not value for name, value in defaults.items()}
    changed = api.patch(f"/connections/{created['id']}", {"configuration": others}).json()
    assert {name: changed["configuration"][name] for name in others} == others


ODD_VALUES = [
    "1e999",
    "-1E400",
    "1e-999",
    "-0",
    "21.50",
    "1" * 400,
    "1" * 5000,
    r'"\ud83d\ude00\u0000\u202e"',
    "[" * 60 + "]" * 60,
]


@pytest.mark.parametrize("written", ODD_VALUES, ids=lambda text: text[:10])
@pytest.mark.parametrize("form", ["", "sendMetadata", "sendRawDecodedFormat"])
def test_the_page_of_a_delivery_shows_every_value_as_it_is_written(
    api: Api, sink: Sink, dev_eui: str, form: str, written: str
) -> None:
    road = road_with(api, sink, dev_eui, **({form: True} if form else {}))
    body = f'{{"DevEUI_uplink":{{"DevEUI":"{dev_eui}","FCntUp":1,"payload":{written}}}}}'
    assert road.ingest("", body.encode()).status == 200
    (delivery,) = road.wait_for_outcomes("DELIVERED")
    (got,) = sink.wait_for(1)
    page = html.unescape(Visitor(api).see(f"/ui/deliveries/{delivery['id']}"))
    shown = re.findall(r"<pre[^>]*>(.*?)</pre>", page, re.DOTALL)
    assert [json_text.compact(text.encode()) for text in shown[:1]] == [got.body.decode()]
    assert json_text.compact(shown[1].encode()) == body
    assert written in json_text.compact(shown[1].encode())
