"""The door for network servers: the Token, the same message twice, what is refused, and where messages go."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.e2e.api_client import (
    Answer,
    Api,
    Json,
    Road,
    build_road,
    connection_document,
    create_network_server,
    key_matchers,
)
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_KEY, compact, query_for, report, signed, uplink
from tests.e2e.sink import Sink
from tests.e2e.waiting import wait_until
from tests.samples.lrc_xml import as_untyped, as_xml

EVENTS: list[Json] = [
    json.loads(line) for line in (Path(__file__).parent / "lrc_events.jsonl").read_text().splitlines()
]
FROM_LRC = [event for event in EVENTS if event["direction"] == "LRC->AS"]
KIB_256 = 256 * 1024
KEY_OF_EVENTS = "46ab678cd45df4a4a7e4b375eacd096a"


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    """A road from a network server that signs."""
    return build_road(api, connection_document(sink.url()), [dev_eui], AS_KEY)


def with_dashes(dev_eui: str) -> str:
    return "-".join(dev_eui[at : at + 2] for at in range(0, 16, 2)).lower()


def refused(road: Road, answer: Answer, status: int) -> Json:
    """Check the error's shape, and that nothing was queued."""
    assert answer.status == status, answer
    error: Json = answer.json()
    assert set(error) == {"code", "message", "correlationId", "data"}
    assert error["correlationId"] == answer.headers["x-correlation-id"]
    assert road.deliveries() == []
    return error


def in_form(form: str, document: Json) -> tuple[bytes, str]:
    """Return the body and its media type."""
    if form == "xml":
        return as_xml(document), "application/xml"
    return compact(document if form == "json" else as_untyped(document)), "application/json"


@pytest.mark.parametrize("event", FROM_LRC, ids=[event["id"] for event in FROM_LRC])
@pytest.mark.parametrize("form", ["json", "untyped", "xml"])
def test_every_message_that_an_lrc_sends_arrives(api: Api, sink: Sink, event: Json, form: str) -> None:
    ((root, content),) = event["body"].items()
    road = build_road(api, connection_document(sink.url(), active=True), [content["DevEUI"]], KEY_OF_EVENTS)
    query = event["query"] + (f"&Token={event['token']}" if event["token"] else "")
    try:
        assert road.ingest(query.replace("+", "%2B"), *in_form(form, event["body"])).status == 200
        (delivery,) = road.wait_for_outcomes("DELIVERED")
        assert delivery["kind"] == root
        got = json.loads(sink.requests[0].body)
        assert [got[root].pop(name) for name in ("downlinkUrl", "downlinkURL")]
        assert got == (event["body"] if form == "json" else as_untyped(event["body"]))
    finally:
        assert api.call("DELETE", f"/flows/{road.flow_id}").status == 204


@pytest.mark.parametrize("plus", ["+", "%2B"])
def test_the_token_covers_the_query_without_its_encoding(road: Road, dev_eui: str, plus: str) -> None:
    sent = uplink(dev_eui, 1)
    query = signed(query_for(dev_eui).replace("%2B", plus), sent.document)
    assert road.ingest(query, sent.body).status == 200


def test_the_key_is_tried_as_given_and_in_lower_case(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    road = build_road(api, connection_document(sink.url()), dev_euis, AS_KEY.upper())
    for number, key in enumerate((AS_KEY, AS_KEY.upper())):
        sent = uplink(dev_euis[number], 1)
        query = signed(query_for(sent.dev_eui), sent.document, key)
        assert road.ingest(query, sent.body).status == 200


def test_a_token_covers_extra_query_parameters(road: Road, dev_eui: str) -> None:
    sent = uplink(dev_eui, 1)
    assert road.ingest(signed(query_for(dev_eui) + "&Extra=1", sent.document), sent.body).status == 200


TOKEN_FLAWS = ["forged", "missing", "empty", "cut", "upper case", "other query", "other body"]


@pytest.mark.parametrize("flaw", TOKEN_FLAWS)
def test_an_uplink_with_a_wrong_token_is_refused(road: Road, dev_eui: str, flaw: str) -> None:
    sent = uplink(dev_eui, 1)
    plain, _, token = sent.query.partition("&Token=")
    body = uplink(dev_eui, 2).body if flaw == "other body" else sent.body
    queries = {
        "forged": f"{plain}&Token={'0' * 64}",
        "missing": plain,
        "empty": f"{plain}&Token=",
        "cut": f"{plain}&Token={token[:-1]}",
        "upper case": f"{plain}&Token={token.upper()}",
        "other query": f"{plain}&Extra=1&Token={token}",
        "other body": sent.query,
    }
    refused(road, road.ingest(queries[flaw], body), 403)


def test_unsigned_uplinks_are_accepted_where_no_key_is_set(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    assert road.ingest(query_for(dev_eui), uplink(dev_eui, 1).body).status == 200
    assert road.ingest("", uplink(dev_eui, 2).body).status == 200
    road.wait_for_outcomes("DELIVERED", "DELIVERED")


@pytest.mark.parametrize(
    ("root", "members"),
    [
        ("DevEUI_notification", {"Type": "join", "FCntDn": 0}),
        ("DevEUI_multicast_summary", {"FPort": 2, "FCntDn": 11}),
        ("DevEUI_downlink_Rejected", {"FPort": 2, "DeliveryStatus": 350}),
        ("DevEUI_alarm", {"AlarmID": 1}),
        ("DevEUI_uplink", {"rawJoinRequest": "00010000d07ed5b3"}),
    ],
)
@pytest.mark.parametrize("token", ["", f"&Token={'0' * 64}"])
def test_reports_of_undocumented_roots_are_accepted_whatever_their_token(
    road: Road, dev_eui: str, root: str, members: Json, token: str
) -> None:
    answer = road.ingest(query_for(dev_eui) + token, report(root, dev_eui, **members))
    assert answer.status == 200, answer
    (delivery,) = road.wait_for_outcomes("DELIVERED")
    assert delivery["kind"] == root


@pytest.mark.parametrize(
    ("root", "members"),
    [
        ("DevEUI_location", {"DevLAT": 48.8}),
        ("DevEUI_downlink_Sent", {"FPort": 1, "FCntDn": 7, "DeliveryStatus": 1}),
    ],
)
def test_reports_with_documented_elements_are_unsigned_or_signed_rightly(
    road: Road, dev_eui: str, root: str, members: Json
) -> None:
    body = report(root, dev_eui, **members)
    query = query_for(dev_eui)
    refused(road, road.ingest(f"{query}&Token={'0' * 64}", body), 403)
    assert road.ingest(query, body).status == 200
    assert road.ingest(signed(query, json.loads(body)), body).status == 200


def test_unsigned_reports_can_be_refused(api: Api, sink: Sink, dev_eui: str) -> None:
    configuration = {"asKey": AS_KEY, "acceptUnsignedReports": False}
    server = api.create("/networkServers", {"name": "x", "type": "thingpark", "configuration": configuration})
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road = replace(road, uplink_path=urlsplit(server["uplinkUrl"]).path)
    refused(road, road.ingest(query_for(dev_eui), report("DevEUI_notification", dev_eui, Type="join")), 403)
    road.send(uplink(dev_eui, 1))


def test_an_uplink_whose_time_deviates_too_far_is_refused(api: Api, sink: Sink, dev_eui: str) -> None:
    configuration = {"asKey": AS_KEY, "maxTimeDeviation": "60s"}
    server = api.create("/networkServers", {"name": "x", "type": "thingpark", "configuration": configuration})
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road = replace(road, uplink_path=urlsplit(server["uplinkUrl"]).path)
    sent = uplink(dev_eui, 1)
    refused(road, road.ingest(sent.query, sent.body), 403)
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+", "%2B")
    fresh = query_for(dev_eui).partition("&Time=")[0] + f"&Time={now}"
    assert road.ingest(signed(fresh, sent.document), sent.body).status == 200


def test_lrn_dev_eui_must_name_the_device_of_the_body(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    one, other, _ = dev_euis
    road = build_road(api, connection_document(sink.url()), dev_euis)
    refused(road, road.ingest(query_for(other), uplink(one, 1).body), 400)
    assert road.ingest(query_for(with_dashes(one)), uplink(one, 1).body).status == 200


def test_the_same_message_again_is_delivered_once(road: Road, sink: Sink, dev_eui: str) -> None:
    sent = uplink(dev_eui, 1)
    later = signed(query_for(dev_eui).replace("53.700", "54.900"), sent.document)
    assert [road.ingest(query, sent.body).status for query in (sent.query, sent.query, later)] == [200] * 3
    road.send(uplink(dev_eui, 2))
    road.wait_for_outcomes("DELIVERED", "DELIVERED")
    assert len(sink.requests) == 2


@pytest.mark.parametrize("change", [{"FCntUp": 2}, {"Time": "2026-03-14T11:00:00.000+01:00"}])
def test_another_counter_or_time_is_another_message(api: Api, sink: Sink, dev_eui: str, change: Json) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 1, **change))
    road.wait_for_outcomes("DELIVERED", "DELIVERED")


def test_the_same_message_of_another_network_server_is_another(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    other = urlsplit(create_network_server(api)["uplinkUrl"]).path
    road.send(uplink(dev_eui, 1))
    assert api.raw("POST", other, uplink(dev_eui, 1).body, {"Content-Type": "application/json"}).status == 200
    road.wait_for_outcomes("DELIVERED", "DELIVERED")


@pytest.mark.parametrize("below", ["", "/", "/up", "/a/b/c"])
def test_any_path_below_is_the_same_door(road: Road, dev_eui: str, below: str) -> None:
    sent = uplink(dev_eui, 1)
    target = f"{road.uplink_path}{below}?{sent.query}"
    assert road.api.raw("POST", target, sent.body, {"Content-Type": "application/json"}).status == 200


def test_json_with_a_charset_is_json(road: Road, dev_eui: str) -> None:
    sent = uplink(dev_eui, 1)
    assert road.ingest(sent.query, sent.body, "application/json; charset=utf-8").status == 200


BAD_BODIES: dict[str, bytes] = {
    "empty": b"",
    "not JSON": b"{",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"x"',
    "no root": b"{}",
    "unknown root": b'{"Unknown":{"DevEUI":"0059AC0000000001"}}',
    "root is a list": b'{"DevEUI_uplink":[]}',
    "two roots": compact({"DevEUI_uplink": {"DevEUI": "0" * 16}, "DevEUI_location": {"DevEUI": "0" * 16}}),
    "no DevEUI": b'{"DevEUI_uplink":{"FCntUp":1}}',
    "bad DevEUI": b'{"DevEUI_uplink":{"DevEUI":"0059AC000000000G","FCntUp":1}}',
    "number as DevEUI": b'{"DevEUI_uplink":{"DevEUI":1,"FCntUp":1}}',
    "invalid UTF-8": b'{"DevEUI_uplink":{"DevEUI":"0059AC0000000001","x":"\xff"}}',
    "UTF-16": '{"DevEUI_uplink":{}}'.encode("utf-16"),
    "trailing text": b'{"DevEUI_uplink":{"DevEUI":"0059AC0000000001"}} x',
    "NaN": b'{"DevEUI_uplink":{"DevEUI":"0059AC0000000001","x":NaN}}',
}


@pytest.mark.parametrize("flaw", BAD_BODIES)
def test_a_body_that_can_never_be_accepted_is_a_400(api: Api, sink: Sink, dev_eui: str, flaw: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    before = api.get("/deliveries?perPage=1")
    assert refused(road, road.ingest("", BAD_BODIES[flaw]), 400)["message"]
    assert api.get("/deliveries?perPage=1") == before


def nested(depth: int, dev_eui: str) -> bytes:
    """Return an uplink whose brackets are nested so deep; document and root are the first two."""
    inner = b"[" * (depth - 2) + b"]" * (depth - 2)
    return b'{"DevEUI_uplink":{"DevEUI":"' + dev_eui.encode() + b'","FCntUp":1,"x":' + inner + b"}}"


@pytest.mark.parametrize(("depth", "status"), [(64, 200), (65, 400), (100_000, 400)])
def test_json_is_read_to_a_depth_of_64(api: Api, sink: Sink, dev_eui: str, depth: int, status: int) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    assert road.ingest("", nested(depth, dev_eui)).status == status


@pytest.mark.parametrize(("size", "status"), [(KIB_256, 200), (KIB_256 + 1, 413), (4 * KIB_256 + 1, 413)])
def test_a_message_may_have_256_kib(api: Api, sink: Sink, dev_eui: str, size: int, status: int) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    bare = len(uplink(dev_eui, 1, x="").body)
    body = uplink(dev_eui, 1, x="x" * (size - bare)).body
    assert len(body) == size
    answer = road.ingest("", body)
    assert answer.status == status, answer


def test_an_unknown_network_server_is_a_404(api: Api, dev_eui: str) -> None:
    for known_by_nobody in ("2b0d7b3d-6a26-4f0b-8df4-3a3c3fae4f11", "x", "..%2f..", "%00"):
        body = uplink(dev_eui, 1).body
        answer = api.raw("POST", f"/ingest/{known_by_nobody}", body, {"Content-Type": "application/json"})
        assert answer.status == 404, answer
        assert answer.json()["correlationId"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_door_takes_only_posts(road: Road, method: str) -> None:
    answer = road.api.raw(method, road.uplink_path)
    assert answer.status == 405, answer
    assert answer.json()["correlationId"]


def test_a_deleted_network_server_is_gone(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    assert api.call("DELETE", f"/networkServers/{road.network_server_id}").status == 204
    assert api.call("GET", f"/networkServers/{road.network_server_id}").status == 404
    assert road.ingest("", uplink(dev_eui, 1).body).status == 404


def test_a_network_server_in_use_is_deleted_only_by_force(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    assert api.call("DELETE", f"/networkServers/{road.network_server_id}").status == 409
    assert api.call("DELETE", f"/networkServers/{road.network_server_id}?force=true").status == 204


def test_the_tunnel_key_is_masked(api: Api) -> None:
    created = create_network_server(api, AS_KEY)
    for shown in (created, api.get(f"/networkServers/{created['id']}"), api.get("/networkServers")[0]):
        assert shown["id"] == created["id"]
        assert shown["configuration"]["asKey"] == "*****"


def test_a_message_without_a_route_is_kept_in_the_log(shared: Longwire, dev_eui: str) -> None:
    api = shared.api
    path = urlsplit(create_network_server(api)["uplinkUrl"]).path
    assert api.raw("POST", path, uplink(dev_eui, 1).body, {"Content-Type": "application/json"}).status == 200

    def look() -> Any:
        return [each for each in api.get("/deliveries?perPage=100") if each["devEUI"] == dev_eui]

    (filtered,) = wait_until("the message is in the log", look)
    assert (filtered["outcome"], filtered["connectionId"]) == ("FILTERED", None)
    assert filtered["reason"]
    assert api.get(f"/deliveries/{filtered['id']}")["attempts"] == []


def test_a_flow_without_matchers_takes_what_no_other_matches(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    own, free, _ = dev_euis
    with Sink() as for_the_rest:
        one = build_road(api, connection_document(sink.url()), [own])
        rest = build_road(api, connection_document(for_the_rest.url()), None)
        try:
            one.send(uplink(own, 1), uplink(free, 1))
            one.wait_for_outcomes("DELIVERED")
            rest.wait_for_outcomes("DELIVERED")
            alarm = compact({"BS_alarm": {"LrrID": "100022AD", "AlarmType": 1}})
            assert one.ingest("", alarm).status == 200
            assert len(for_the_rest.wait_for(2)) == 2
            assert json.loads(for_the_rest.requests[1].body)["BS_alarm"]["LrrID"] == "100022AD"
            assert len(sink.requests) == 1
        finally:
            assert api.call("DELETE", f"/flows/{rest.flow_id}").status == 204


def test_a_message_goes_once_to_each_connection(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    with Sink() as second:
        road = build_road(api, connection_document(sink.url()), [dev_euis[0]])
        other = api.create("/connections", connection_document(second.url()))["id"]
        both = [{"connectionId": road.connection_id}, {"connectionId": other}]
        matchers = key_matchers([with_dashes(dev_euis[0]), dev_euis[1]])
        api.create("/flows", {"name": "both", "matchers": matchers, "connectors": both})
        road.send(uplink(dev_euis[0], 1), uplink(dev_euis[1], 1))
        road.wait_for_outcomes("DELIVERED", "DELIVERED")
        assert len(second.wait_for(2)) == 2
        ids = {each.message_id for each in (*sink.requests, *second.requests)}
        assert len(ids) == 4, "an id is stable per message and connection"


def test_two_flows_with_the_same_matchers_are_a_conflict(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    connectors = [{"connectionId": road.connection_id}]
    again = {"name": "again", "matchers": key_matchers([dev_eui]), "connectors": connectors}
    assert api.call("POST", "/flows", again).status == 409
