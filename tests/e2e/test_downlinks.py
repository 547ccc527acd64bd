"""Downlinks from the application to the network server and back, through the public doors (section 9)."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.e2e.api_client import Answer, Api, Json, connection_document, key_matchers
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_ID, AS_KEY, CUSTOMER, compact, query_for, signed, uplink
from tests.e2e.sink import OK, Received, Reply, Sink
from tests.e2e.waiting import wait_until

REFUSAL = "Downlink counter value already used. Expected=1238"


@dataclass(frozen=True, slots=True)
class World:
    """A connection to a receiver, and an LRC that takes downlinks; a device is routed to the connection."""

    api: Api
    receiver: Sink
    lrc: Sink
    connection_id: str
    network_server_id: str
    dev_eui: str

    def send_uplink(self, f_cnt: int = 1) -> dict[str, Any]:
        """Send an uplink, and return what the receiver got of it."""
        message = uplink(self.dev_eui, f_cnt)
        before = len(self.receiver.requests)
        target = f"/ingest/{self.network_server_id}?{message.query}"
        self.api.raw("POST", target, message.body, {"Content-Type": "application/json"})
        wait_until("the uplink at the receiver", lambda: len(self.receiver.requests) > before)
        content: dict[str, Any] = json.loads(self.receiver.requests[-1].body)["DevEUI_uplink"]
        return content

    def post(self, url: str, body: bytes, content_type: str = "application/json") -> Answer:
        return self.api.raw("POST", urlsplit(url).path, body, {"Content-Type": content_type})

    def send(self, url: str, **members: Any) -> Answer:
        content = {"DevEUI": self.dev_eui, "FPort": 1, "payload_hex": "00ff", **members}
        return self.post(url, json.dumps({"DevEUI_downlink": content}).encode())

    def report(self, root: str, **members: Any) -> None:
        """Send a signed report of the LRC."""
        content = {"Time": "2026-03-14T10:27:00.000+01:00", "DevEUI": self.dev_eui, "CustomerID": CUSTOMER}
        document = {root: content | members}
        target = f"/ingest/{self.network_server_id}?{signed(query_for(self.dev_eui), document)}"
        answer = self.api.raw("POST", target, compact(document), {"Content-Type": "application/json"})
        assert answer.status == 200, answer

    def wait_for_status(self, correlation_id: str, status: str) -> Json:
        def look() -> Json | None:
            found = self.api.get(f"/downlinks?devEUI={self.dev_eui}")
            match = [each for each in found if each["correlationId"] == correlation_id]
            return match[0] if match and match[0]["status"] == status else None

        return wait_until(f"downlink {correlation_id} to be {status}", look)

    def wait_for_root(self, root: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            bodies = [json.loads(each.body) for each in self.receiver.requests]
            return next((body[root] for body in bodies if root in body), None)

        return wait_until(f"{root} at the receiver", look)

    @property
    def url(self) -> str:
        return str(self.api.get(f"/connections/{self.connection_id}")["downlinkUrl"])


@pytest.fixture
def make_world(api: Api, dev_eui: str) -> Iterator[Callable[..., World]]:
    sinks: list[Sink] = []

    def make(server: Api = api, **configuration: Any) -> World:
        receiver, lrc = Sink(), Sink()
        sinks.extend((receiver, lrc))
        configured = {"asKey": AS_KEY, "asId": AS_ID, "lrcUrl": lrc.url("/thingpark/lrc/rest/downlink")}
        network_server = server.create(
            "/networkServers", {"name": "LRC", "type": "thingpark", "configuration": configured}
        )
        connection = server.create("/connections", connection_document(receiver.url(), **configuration))
        flow = {"matchers": key_matchers([dev_eui]), "connectors": [{"connectionId": connection["id"]}]}
        server.create("/flows", flow)
        return World(server, receiver, lrc, connection["id"], network_server["id"], dev_eui)

    yield make
    for each in sinks:
        each.__exit__()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def query_of(request: Received) -> dict[str, str]:
    """Return the parameters of a downlink at the LRC, after checking its Token."""
    query = request.target.partition("?")[2]
    before, _, token = query.rpartition("&Token=")
    assert token == hashlib.sha256((unquote(before) + AS_KEY).encode()).hexdigest()
    return {name: values[0] for name, values in parse_qs(before, keep_blank_values=True).items()}


def test_the_whole_round_trip(world: World) -> None:
    received = world.send_uplink()
    assert received["downlinkURL"] == received["downlinkUrl"] == world.url

    answer = world.send(received["downlinkURL"], Confirmed=1)

    assert answer.status == 200
    correlation_id = answer.json()["correlationId"]
    assert answer.json() == {"correlationId": correlation_id, "status": "QUEUED"}
    wait_until("the downlink at the LRC", lambda: world.lrc.requests)
    got = query_of(world.lrc.requests[0])
    assert world.lrc.requests[0].target.startswith("/thingpark/lrc/rest/downlink?DevEUI=")
    assert {
        name: got[name] for name in ("DevEUI", "FPort", "Payload", "Confirmed", "CorrelationID", "AS_ID")
    } == {
        "DevEUI": world.dev_eui,
        "FPort": "1",
        "Payload": "00ff",
        "Confirmed": "1",
        "CorrelationID": correlation_id,
        "AS_ID": AS_ID,
    }
    world.wait_for_status(correlation_id, "ACCEPTED")

    world.report("DevEUI_downlink_Sent", FPort=1, FCntDn=25, DeliveryStatus=1, CorrelationID=correlation_id)

    sent = world.wait_for_root("DevEUI_downlink_Sent")
    assert sent["CorrelationID"] == correlation_id
    row = world.wait_for_status(correlation_id, "SENT")
    assert (row["attempts"], row["fPort"], row["payloadHex"], row["confirmed"]) == (1, 1, "00ff", True)


def test_a_refusal_of_the_lrc_comes_back_as_a_message(world: World) -> None:
    page = f"<html><body>{REFUSAL}</body></html>".encode()
    world.lrc.answer = lambda _: Reply(351, body=page)
    url = world.send_uplink()["downlinkURL"]

    correlation_id = world.send(url, CorrelationID="4434704901C7450B").json()["correlationId"]

    rejected = world.wait_for_root("DevEUI_downlink_Rejected")
    assert rejected.pop("Time")
    assert rejected == {
        "DevEUI": world.dev_eui,
        "FPort": 1,
        "DeliveryStatus": 350,
        "DownlinkRejectionCause": REFUSAL,
        "CustomerID": CUSTOMER,
        "CorrelationID": "4434704901C7450B",
        "downlinkUrl": url,
        "downlinkURL": url,
    }
    assert world.wait_for_status(correlation_id, "REJECTED")["cause"] == REFUSAL


def test_a_report_that_a_gateway_failed_is_the_cause_and_not_the_end(world: World) -> None:
    url = world.send_uplink()["downlinkURL"]
    correlation_id = world.send(url).json()["correlationId"]
    world.wait_for_status(correlation_id, "ACCEPTED")

    world.report(
        "DevEUI_downlink_Sent",
        FPort=1,
        FCntDn=25,
        DeliveryStatus=0,
        DeliveryFailedCause1="B0",
        DeliveryFailedCause2="00",
        CorrelationID=correlation_id,
    )

    wait_until(
        "the cause",
        lambda: "B0" in (world.wait_for_status(correlation_id, "ACCEPTED")["cause"] or ""),
    )


def test_the_connections_port_and_key_are_used_where_the_body_has_none(
    make_world: Callable[..., World],
) -> None:
    world = make_world(downlinkPort="7", downlinkAsId="TWA_2.1.AS", downlinkAsKey=AS_KEY)
    url = world.send_uplink()["downlinkURL"]
    shown = world.api.get(f"/connections/{world.connection_id}")["configuration"]
    assert (shown["downlinkPort"], shown["downlinkAsId"], shown["downlinkAsKey"]) == (
        7,
        "TWA_2.1.AS",
        "*****",
    )

    assert world.send(url, FPort=None).status == 400
    body = {"DevEUI_downlink": {"DevEUI": world.dev_eui, "payload_hex": "01"}}
    assert world.post(url, json.dumps(body).encode()).status == 200

    wait_until("the downlink at the LRC", lambda: world.lrc.requests)
    got = query_of(world.lrc.requests[0])
    assert (got["FPort"], got["AS_ID"]) == ("7", "TWA_2.1.AS")


def test_without_downlinks_there_is_no_address_in_messages_and_the_address_says_403(
    make_world: Callable[..., World],
) -> None:
    world = make_world(downlinkEnabled=False)
    content = world.send_uplink()

    assert "downlinkUrl" not in content
    assert "downlinkURL" not in content
    assert world.send(world.url).status == 403


def test_a_rotated_address_answers_404_and_messages_carry_the_new_one(world: World) -> None:
    old = world.send_uplink()["downlinkURL"]

    answer = world.api.call("POST", f"/connections/{world.connection_id}/rotateDownlinkUrl")

    assert answer.status == 200
    new = answer.json()["downlinkUrl"]
    assert new != old
    assert world.send(old).status == 404
    assert world.send(new).status == 200
    wait_until("the new address in messages", lambda: world.send_uplink(2)["downlinkURL"] == new)


def test_a_device_of_another_connection_cannot_be_addressed(world: World) -> None:
    world.send_uplink()

    refused = world.send(world.url, DevEUI="0059ACFFFFFFFFFF")

    assert refused.status == 403
    assert "DevEUI_downlink.DevEUI" in refused.json()["message"]


@pytest.mark.parametrize(
    ("members", "status", "named"),
    [
        ({"FPort": 0}, 400, "DevEUI_downlink.FPort"),
        ({"FPort": 256}, 400, "DevEUI_downlink.FPort"),
        ({"payload_hex": "0"}, 400, "DevEUI_downlink.payload_hex"),
        ({"payload_hex": "00" * 243}, 413, "DevEUI_downlink.payload_hex"),
        ({"payload": {}}, 400, "DevEUI_downlink.payload"),
        ({"Fport": 1}, 400, "DevEUI_downlink.Fport"),
    ],
)
def test_what_is_wrong_is_refused_by_name_in_the_apis_shape(
    world: World, members: Json, status: int, named: str
) -> None:
    world.send_uplink()

    refused = world.send(world.url, **members)

    assert refused.status == status
    error = refused.json()
    assert named in error["message"]
    assert error["correlationId"] == refused.headers["x-correlation-id"]
    assert world.api.get(f"/downlinks?devEUI={world.dev_eui}") == []


def test_the_door_refuses_what_no_application_sends(world: World) -> None:
    url = world.url
    assert world.post(url, b"{}", "text/plain").status == 415
    assert world.post(url, b"{", "application/json").status == 400
    assert world.post(url, b"x" * (1024 * 1024 + 1)).status == 413
    assert world.api.raw("GET", urlsplit(url).path).status == 405
    assert world.api.raw("POST", "/iot-flow/downlinkMessages/nobody", b"{}").status == 404


def test_a_network_server_without_an_lrc_url_is_named(api: Api, sink: Sink, dev_eui: str) -> None:
    server = api.create("/networkServers", {"name": "No downlinks", "type": "thingpark"})
    connection = api.create("/connections", connection_document(sink.url()))
    flow = {"matchers": key_matchers([dev_eui]), "connectors": [{"connectionId": connection["id"]}]}
    api.create("/flows", flow)
    world = World(api, sink, sink, connection["id"], server["id"], dev_eui)
    world.send_uplink()

    refused = world.send(world.url)

    assert refused.status == 400
    assert "lrcUrl" in refused.json()["message"]


def test_a_downlink_survives_a_kill_and_goes_out_once(
    longwire: Callable[..., Longwire], make_world: Callable[..., World]
) -> None:
    process = longwire().start()
    world = make_world(process.api)
    url = world.send_uplink()["downlinkURL"]
    world.lrc.close()
    correlation_id = world.send(url).json()["correlationId"]
    wait_until(
        "a try in vain", lambda: world.api.get(f"/downlinks?devEUI={world.dev_eui}")[0]["attempts"] > 0
    )

    process.kill()
    world.lrc.open()
    world.lrc.answer = lambda _: OK
    process.start()

    row = world.wait_for_status(correlation_id, "ACCEPTED")
    assert row["attempts"] >= 2
    assert len(world.lrc.requests) == 1


@pytest.mark.parametrize("query", ["devEUI=x", "status=DONE", "connectionId=-1", "page=0"])
def test_a_filter_that_does_not_parse_is_named(api: Api, query: str) -> None:
    refused = api.call("GET", f"/downlinks?{query}")

    assert refused.status == 400
    assert refused.json()["data"]["field"] == query.partition("=")[0]


def test_downlinks_are_filtered_and_paged_newest_first(world: World) -> None:
    url = world.send_uplink()["downlinkURL"]
    ids = [world.send(url, payload_hex=f"{number:02}").json()["correlationId"] for number in range(3)]
    for each in ids:
        world.wait_for_status(each, "ACCEPTED")

    answer = world.api.call("GET", f"/downlinks?connectionId={world.connection_id}&status=ACCEPTED&perPage=2")

    assert [each["correlationId"] for each in answer.json()] == ids[::-1][:2]
    assert answer.headers["x-total"] == "3"
    assert [query_of(each)["Payload"] for each in world.lrc.requests] == ["00", "01", "02"]


def test_downlinks_are_in_the_metrics_of_their_connection(world: World) -> None:
    world.lrc.answer = lambda request: Reply(351 if "Payload=01" in request.target else 200)
    url = world.send_uplink()["downlinkURL"]
    for payload, status in (("00", "ACCEPTED"), ("01", "REJECTED")):
        world.wait_for_status(world.send(url, payload_hex=payload).json()["correlationId"], status)

    found = world.api.get(f"/connections/metrics?connectionId={world.connection_id}")

    assert [each["connectionId"] for each in found] == [int(world.connection_id)]
    assert (found[0]["downlinksLast1h"], found[0]["downlinksLast1hFailed"]) == (2, 1)
    assert (found[0]["downlinksLast24h"], found[0]["downlinksLast24hFailed"]) == (2, 1)
