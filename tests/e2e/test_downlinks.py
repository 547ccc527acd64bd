"""Downlinks from the application to the network server and back, through the public doors (section 9)."""

import json
from collections.abc import Callable

import pytest
from tests.e2e.api_client import Api, connection_document, key_matchers
from tests.e2e.downlink_world import World, query_of
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_ID, AS_KEY, CUSTOMER
from tests.e2e.sink import OK, Reply, Sink
from tests.e2e.waiting import wait_until

REFUSAL = "Downlink counter value already used. Expected=1238"


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
    events = f"/events?q_connectionId={world.connection_id}"
    wait_until("the event", lambda: [each for each in world.api.get(events) if each["code"] == "dwn-5001"])


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
    # With a counter: the kill may fall into the next try, and of others it could not be known whether they went.
    correlation_id = world.send(url, FCntDn=5).json()["correlationId"]
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
