"""What a destination receives is what the recorded requests of the connector say, byte for byte (section 6)."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest
from tests.e2e.api_client import Json, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import compact, query_for, token, uplink
from tests.e2e.sink import Received, Sink
from tests.samples.files import read_lines

HEADERS = {"X-Thing": "{DevEUI}", "X-Site": "BuildingA"}
EVENTS = [each for each in read_lines("lrc_events.jsonl") if each["direction"] == "LRC->AS"]
ROWS = [each for each in read_lines("connector_out.jsonl") if "payloadDecodedError" not in str(each["body"])]
KEY = "46ab678cd45df4a4a7e4b375eacd096a"
AS_ID = "TWA_100002164.1105.AS"
REPORT = ("CustomerID", "DevEUI", "FPort", "FCntDn")
NAMES = ["LrnDevEui", "LrnFPort", "LrnInfos", "AS_ID", "Time", "Token"]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Longwire]:
    """Give a Longwire of these tests alone: all recorded messages are of one device."""
    with Longwire(tmp_path_factory.mktemp("connector-out")).start() as started:
        yield started


@pytest.fixture
def make_road(process: Longwire, sink: Sink) -> Iterator[Callable[..., Road]]:
    """Give a maker of the road that every device takes; it is gone after the test."""
    made: list[Road] = []

    def make(path: str = "/hook", **configuration: Any) -> Road:
        made.append(build_road(process.api, connection_document(sink.url(path), **configuration), None, KEY))
        return made[-1]

    yield make
    for each in made:
        process.api.call("DELETE", f"/flows/{each.flow_id}")
        process.api.call("DELETE", f"/connections/{each.connection_id}")


def send(road: Road, document: Json) -> None:
    """Send a message with the Token it was recorded with, where there is one."""
    event = next((each for each in EVENTS if each["body"] == document), None)
    query = event["query"].replace("+", "%2B") if event else ""
    if event and event["token"]:
        query += f"&Token={event['token']}"
    answer = road.ingest(query, compact(document))
    assert answer.status == 200, answer


def received(sink: Sink) -> Received:
    (got,) = sink.wait_for(1)
    return got


@pytest.mark.parametrize("row", ROWS, ids=[each["id"] for each in ROWS])
def test_a_recorded_request_arrives_as_it_was_recorded(
    make_road: Callable[..., Road], sink: Sink, row: Json
) -> None:
    ((root, content),) = row["body"].items()
    plain = {name: value for name, value in content.items() if name != "downlinkUrl"}
    road = make_road(headers=HEADERS, **row["options"])

    send(road, {root: plain})

    got, url = received(sink), road.connection["downlinkUrl"]
    assert got.method == row["method"]
    # The multicast row was recorded with a device of the group in X-Thing; a pattern reads the message (section 7).
    headers = row["headers"] | {"X-Thing": content.get("DevEUI", "")}
    assert {name: got.header(name) for name in headers} == headers
    assert got.body == compact({root: plain | {"downlinkUrl": url, "downlinkURL": url}})


def covered(root: str, content: Json) -> str:
    """Return what the Token covers of a body."""
    if root == "DevEUI_uplink" and "payload_hex" in content:
        names: tuple[str, ...] = ("CustomerID", "DevEUI", "FPort", "FCntUp", "payload_hex")
        return "".join(str(content[name]) for name in names)
    return "".join(str(content.get(name, "")) for name in REPORT)


def parameters(got: Received) -> dict[str, str]:
    pairs = (each.partition("=") for each in got.target.partition("?")[2].split("&"))
    return {name: unquote(value) for name, _, value in pairs}


@pytest.mark.parametrize("event", EVENTS, ids=[each["id"] for each in EVENTS])
def test_with_lrc_compliance_it_is_delivered_as_the_lrc_delivers(
    make_road: Callable[..., Road], sink: Sink, event: Json
) -> None:
    ((root, content),) = event["body"].items()
    secret = {"tunnelInterfaceAuthenticationKey": KEY, "downlinkAsId": AS_ID}
    road = make_road(lrcCompliance=True, downlinkEnabled=False, **secret)

    send(road, event["body"])

    got = received(sink)
    query = parameters(got)
    assert list(query) == NAMES
    assert query["LrnDevEui"] == content["DevEUI"]
    assert query["LrnFPort"] == str(content.get("FPort", 0))
    assert query["AS_ID"] == AS_ID
    assert query["LrnInfos"] == f"{AS_ID}-1-{got.message_id}"
    before, _, given = got.target.partition("?")[2].partition("&Token=")
    assert given == token(covered(root, content), before, KEY)
    assert got.body == compact(event["body"])
    shown = road.connection["configuration"]
    assert (shown["lrcCompliance"], shown["tunnelInterfaceAuthenticationKey"]) == (True, "*****")


def test_the_token_covers_a_query_of_the_destination_too(make_road: Callable[..., Road], sink: Sink) -> None:
    sent = uplink("0059AC00000000F1", 1)
    road = make_road("/hook?site={DevEUI}", lrcCompliance=True, tunnelInterfaceAuthenticationKey=KEY)
    assert road.ingest(signed_for(sent.dev_eui, sent.document), sent.body).status == 200

    got = received(sink)

    assert list(parameters(got)) == ["site", *NAMES]
    before, _, given = got.target.partition("?")[2].partition("&Token=")
    assert unquote(before).startswith("site=0059AC00000000F1&LrnDevEui=0059AC00000000F1&")
    assert given == token(covered("DevEUI_uplink", sent.document["DevEUI_uplink"]), before, KEY)


def test_without_a_key_it_is_delivered_unsigned_and_says_who_we_are(
    make_road: Callable[..., Road], sink: Sink
) -> None:
    sent = uplink("0059AC00000000F2", 1)
    road = make_road(lrcCompliance=True)
    assert road.ingest(signed_for(sent.dev_eui, sent.document), sent.body).status == 200

    query = parameters(received(sink))

    assert list(query) == NAMES[:-1]
    assert query["AS_ID"] == "Longwire"


def test_another_longwire_takes_it_for_an_lrc(
    process: Longwire, longwire: Callable[..., Longwire], sink: Sink
) -> None:
    other = longwire().start()
    last = build_road(other.api, connection_document(sink.url()), None, KEY)
    url = f"http://127.0.0.1:{other.port}{last.uplink_path}"
    tunnel: Json = {"lrcCompliance": True, "tunnelInterfaceAuthenticationKey": KEY}
    road = build_road(process.api, connection_document(url, **tunnel), ["0059AC00000000F3"], KEY)
    sent = uplink("0059AC00000000F3", 1)

    assert road.ingest(signed_for(sent.dev_eui, sent.document), sent.body).status == 200

    links = dict.fromkeys(("downlinkUrl", "downlinkURL"), last.connection["downlinkUrl"])
    assert received(sink).body == compact({"DevEUI_uplink": sent.document["DevEUI_uplink"] | links})
    road.wait_for_outcomes("DELIVERED")
    wrong: Json = {"lrcCompliance": True, "tunnelInterfaceAuthenticationKey": "0" * 32}
    assert road.put(connection_document(url, **wrong)).status == 200
    later = uplink("0059AC00000000F3", 2)
    assert road.ingest(signed_for(later.dev_eui, later.document), later.body).status == 200
    assert road.wait_for_outcomes("DELIVERED", "LOST")[1]["lastStatus"] == 403


def signed_for(dev_eui: str, document: dict[str, dict[str, Any]]) -> str:
    """Return the query of an uplink, signed with the network server's key."""
    query = query_for(dev_eui)
    return f"{query}&Token={token(covered('DevEUI_uplink', document['DevEUI_uplink']), query, KEY)}"
