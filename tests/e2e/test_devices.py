"""Devices through the API: what the network teaches, what is set by hand, where their messages go."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.e2e.api_client import (
    Api,
    Json,
    Road,
    build_road,
    connection_document,
    create_network_server,
    key_matchers,
)
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_KEY, report, uplink
from tests.e2e.sink import Sink
from tests.e2e.waiting import wait_until


def spelled(dev_eui: str, how: str) -> str:
    pairs = [dev_eui[i : i + 2] for i in range(0, 16, 2)]
    return {"plain": dev_eui, "lower": dev_eui.lower(), "dashes": "-".join(pairs), "colons": ":".join(pairs)}[
        how
    ]


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    return build_road(api, connection_document(sink.url()), [dev_eui])


def attached_to(api: Api, dev_eui: str, *connection_ids: str) -> Json:
    return api.create("/devices", {"devEUI": dev_eui, "connectionIds": list(connection_ids)})


def test_a_device_is_known_by_its_first_uplink(road: Road, dev_eui: str) -> None:
    assert road.api.call("GET", f"/devices/{dev_eui}").status == 404
    road.send(uplink(dev_eui, 7, LrrRSSI="-97.500000", LrrSNR=7.25))

    device = road.api.get(f"/devices/{dev_eui}")

    assert device.pop("lastSeenAt")
    assert device == {
        "devEUI": dev_eui,
        "name": f"Sensor {dev_eui[-4:]}",
        "tags": ["site=Paris"],
        "networkServerId": road.network_server_id,
        "connectionIds": [],
        "fCntUp": 7,
        "lastRSSI": -97.5,
        "lastSNR": 7.25,
        "uplinksLast24h": 1,
    }
    assert road.api.get(f"/networkServers/{road.network_server_id}")["lastUplinkAt"]


def test_a_report_registers_no_device(road: Road, dev_eui: str) -> None:
    assert road.ingest("", report("DevEUI_notification", dev_eui, CustomerData={"name": "x"})).status == 200
    assert road.api.call("GET", f"/devices/{dev_eui}").status == 404


def test_repeats_are_not_counted(road: Road, dev_eui: str) -> None:
    sent = [uplink(dev_eui, f_cnt) for f_cnt in (1, 2, 2, 1, 3)]
    road.send(*sent)
    device = road.api.get(f"/devices/{dev_eui}")
    assert (device["uplinksLast24h"], device["fCntUp"]) == (3, 3)


@pytest.mark.parametrize("how", ["plain", "lower", "dashes", "colons"])
def test_any_spelling_of_the_deveui_is_the_same_device(api: Api, dev_eui: str, how: str) -> None:
    created = api.create("/devices", {"devEUI": spelled(dev_eui, how), "name": "Fridge"})
    assert created["devEUI"] == dev_eui
    assert api.get(f"/devices/{spelled(dev_eui, how)}")["name"] == "Fridge"
    again = api.call("POST", "/devices", {"devEUI": dev_eui})
    assert again.status == 409, again
    assert api.patch(f"/devices/{spelled(dev_eui, how)}", {"name": "Freezer"}).json()["name"] == "Freezer"
    assert api.call("DELETE", f"/devices/{spelled(dev_eui, how)}").status == 204
    assert api.call("GET", f"/devices/{dev_eui}").status == 404


def test_the_answer_to_a_post_says_where_the_device_is(api: Api, dev_eui: str) -> None:
    answer = api.call("POST", "/devices", {"devEUI": dev_eui})
    assert (answer.status, answer.headers["location"]) == (201, f"/iot-flow/v1/devices/{dev_eui}")
    assert answer.json() == {"devEUI": dev_eui, "tags": [], "connectionIds": [], "uplinksLast24h": 0}


@pytest.mark.parametrize(
    ("member", "value", "field"),
    [
        ("devEUI", "12", "devEUI"),
        ("name", "", "name"),
        ("tags", ["a", 1], "tags[1]"),
        ("networkServerId", "nowhere", "networkServerId"),
        ("connectionIds", ["999999999"], "connectionIds"),
        ("connectionIds", ["x"], "connectionIds[0]"),
        ("driverId", "actility:auto:1", "driverId"),
        ("nmae", "x", "nmae"),
    ],
)
def test_what_is_wrong_with_a_device_is_named(
    api: Api, dev_eui: str, member: str, value: Any, field: str
) -> None:
    answer = api.call("POST", "/devices", {"devEUI": dev_eui, member: value})
    assert answer.status == 400, answer
    assert answer.json()["data"]["field"] == field
    assert api.call("GET", f"/devices/{dev_eui}").status == 404


def test_name_and_tags_follow_the_network_until_they_are_set_by_hand(road: Road, dev_eui: str) -> None:
    path = f"/devices/{dev_eui}"
    named = {"name": "First", "tags": ["a"]}
    road.send(uplink(dev_eui, 1, CustomerData=named))
    assert road.api.get(path)["name"] == "First"
    assert road.api.call("PUT", path, road.api.get(path)).status == 200  # unchanged: it still follows
    road.send(uplink(dev_eui, 2, CustomerData={"name": "Second", "tags": ["b"]}))
    assert (road.api.get(path)["name"], road.api.get(path)["tags"]) == ("Second", ["b"])

    assert road.api.patch(path, {"name": "Mine"}).status == 200
    road.send(uplink(dev_eui, 3, CustomerData={"name": "Third", "tags": ["c"]}))
    assert (road.api.get(path)["name"], road.api.get(path)["tags"]) == ("Mine", ["c"])

    assert road.api.patch(path, {"name": None, "tags": []}).status == 200
    road.send(uplink(dev_eui, 4, CustomerData={"name": "Fourth", "tags": ["d"]}))
    assert (road.api.get(path)["name"], road.api.get(path)["tags"]) == ("Fourth", [])


@pytest.mark.parametrize(
    "odd", [None, 7, "text", [], {"name": 7, "tags": "a"}, {"name": None, "tags": [1, None]}]
)
def test_customer_data_of_another_form_teaches_nothing_and_harms_nothing(
    road: Road, dev_eui: str, odd: Any
) -> None:
    road.send(uplink(dev_eui, 1, CustomerData=odd, LrrRSSI="loud", LrrSNR={}, DriverCfg=[1]))
    device = road.api.get(f"/devices/{dev_eui}")
    assert device.get("name") is None
    assert device["tags"] == []
    assert "lastRSSI" not in device
    assert device["uplinksLast24h"] == 1
    road.wait_for_outcomes("DELIVERED")


def test_customer_data_may_be_a_text_that_holds_json(road: Road, dev_eui: str) -> None:
    road.send(uplink(dev_eui, 1, CustomerData=json.dumps({"name": "From XML", "tags": ["x"]})))
    assert road.api.get(f"/devices/{dev_eui}")["name"] == "From XML"


def test_a_stale_revision_of_a_device_changes_nothing(api: Api, dev_eui: str) -> None:
    api.create("/devices", {"devEUI": dev_eui})
    path = f"/devices/{dev_eui}"
    seen = api.call("GET", path).headers["etag"]
    assert api.with_if_match(seen).patch(path, {"name": "one"}).status == 200
    assert api.with_if_match(seen).patch(path, {"name": "two"}).status == 412
    assert api.with_if_match(seen).call("DELETE", path).status == 412
    assert api.get(path)["name"] == "one"


def test_a_body_that_names_another_device_is_refused(api: Api, dev_euis: list[str]) -> None:
    first, second = dev_euis[:2]
    api.create("/devices", {"devEUI": first})
    answer = api.call("PUT", f"/devices/{first}", {"devEUI": second})
    assert answer.status == 400, answer
    assert api.call("PUT", f"/devices/{first}", {"devEUI": first.lower()}).status == 200


def test_a_device_that_is_deleted_comes_back_with_its_next_uplink_as_new(road: Road, dev_eui: str) -> None:
    path = f"/devices/{dev_eui}"
    road.send(uplink(dev_eui, 1))
    assert road.api.patch(path, {"name": "Mine", "connectionIds": [road.connection_id]}).status == 200
    assert road.api.call("DELETE", path).status == 204
    assert road.api.call("GET", path).status == 404
    road.send(uplink(dev_eui, 2))
    device = road.api.get(path)
    assert (device["name"], device["connectionIds"], device["uplinksLast24h"]) == (
        f"Sensor {dev_eui[-4:]}",
        [],
        1,
    )


def test_an_application_is_added_to_a_device(api: Api, sink: Sink, dev_eui: str) -> None:
    server = create_network_server(api)
    connection = api.create("/connections", connection_document(sink.url()))
    road = Road(api, server["id"], f"/ingest/{server['id']}", connection["id"], "")
    road.send(uplink(dev_eui, 1))
    assert road.deliveries() == []

    changed = api.patch(f"/devices/{dev_eui}", {"connectionIds": [connection["id"]]})

    assert changed.json()["connectionIds"] == [connection["id"]]
    road.send(uplink(dev_eui, 2))
    (got,) = sink.wait_for(1)
    assert json.loads(got.body)["DevEUI_uplink"]["FCntUp"] == 2
    assert api.patch(f"/devices/{dev_eui}", {"connectionIds": None}).status == 200
    road.send(uplink(dev_eui, 3))
    assert len(road.deliveries()) == 1


def test_a_message_goes_once_to_each_connection_of_its_device_and_its_flows(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url("/flow")), [dev_eui])
    own = api.create("/connections", connection_document(sink.url("/own")))
    attached_to(api, dev_eui, road.connection_id, own["id"])
    road.send(uplink(dev_eui, 1))
    assert sorted(got.target for got in sink.wait_for(2)) == ["/flow", "/own"]
    for connection_id in (road.connection_id, own["id"]):
        replace(road, connection_id=connection_id).wait_for_outcomes("DELIVERED")
    assert len(sink.requests) == 2


def test_a_connection_that_is_deleted_is_detached_from_its_devices(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url("/flow")), [dev_eui])
    own = api.create("/connections", connection_document(sink.url("/own")))
    attached_to(api, dev_eui, own["id"])
    assert api.call("DELETE", f"/connections/{own['id']}").status == 204
    assert api.get(f"/devices/{dev_eui}")["connectionIds"] == []
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    assert [got.target for got in sink.requests] == ["/flow"]


def test_devices_are_found_by_name_tag_network_server_and_connection(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    first, second, third = dev_euis
    server = create_network_server(api)
    connection = api.create("/connections", connection_document(sink.url(), active=False))
    word = f"w{first[-6:]}"
    api.create("/devices", {"devEUI": first, "name": f"Küche {word}", "tags": [f"{word}=1", 'a"b,c']})
    api.create("/devices", {"devEUI": second, "name": "100%", "networkServerId": server["id"]})
    api.create("/devices", {"devEUI": third, "tags": [f"{word}=10"], "connectionIds": [connection["id"]]})

    def found(query: str) -> list[str]:
        return [each["devEUI"] for each in api.get(f"/devices?{query}") if each["devEUI"] in dev_euis]

    assert found(f"q={word.upper()}") == [first]
    assert found(f"q={spelled(second, 'dashes').lower()}") == [second]
    assert found("q=100%25&networkServerId=" + server["id"]) == [second]
    assert found(f"tag={word.upper()}%3D1") == [first]
    assert found("tag=a%22b,c") == [first]
    assert found("tag=b,c") == []
    assert found(f"networkServerId={server['id']}") == [second]
    assert found(f"connectionId={connection['id']}") == [third]
    assert found("perPage=5000") == [third, second, first]  # newest first
    page = api.call("GET", f"/devices?networkServerId={server['id']}&perPage=1")
    assert (page.headers["x-total"], page.headers["x-next-page"]) == ("1", "")
    assert api.call("GET", "/devices?connectionId=x").status == 400
    assert api.call("GET", "/devices?page=0").status == 400


def test_where_devices_are_not_registered_unknown_ones_are_filtered(
    api: Api, sink: Sink, dev_euis: list[str]
) -> None:
    known, unknown = dev_euis[:2]
    road = build_road(api, connection_document(sink.url()), dev_euis)
    path = f"/networkServers/{road.network_server_id}"
    assert api.patch(path, {"autoRegisterDevices": False}).json()["autoRegisterDevices"] is False
    api.create("/devices", {"devEUI": known})

    road.send(uplink(known, 1), uplink(unknown, 1))

    road.wait_for_outcomes("DELIVERED")
    (filtered,) = [each for each in api.get("/deliveries") if each["devEUI"] == unknown]
    assert (filtered["outcome"], filtered["connectionId"]) == ("FILTERED", None)
    assert "autoRegisterDevices" in filtered["reason"]
    wait_until(
        "an event tells the operator",
        lambda: [
            each for each in api.get("/events") if each["code"] == "ing-3002" and unknown in each["message"]
        ],
    )
    assert api.call("GET", f"/devices/{unknown}").status == 404
    assert api.get(f"/devices/{known}")["fCntUp"] == 1
    assert api.patch(path, {"autoRegisterDevices": True}).status == 200
    road.send(uplink(unknown, 2))
    road.wait_for_outcomes("DELIVERED", "DELIVERED")
    assert api.get(f"/devices/{unknown}")["uplinksLast24h"] == 1


def test_a_network_server_that_is_deleted_by_force_leaves_its_devices(road: Road, dev_eui: str) -> None:
    road.send(uplink(dev_eui, 1))
    path = f"/networkServers/{road.network_server_id}"
    assert road.api.call("DELETE", path).status == 409
    assert road.api.call("DELETE", f"{path}?force=true").status == 204
    assert "networkServerId" not in road.api.get(f"/devices/{dev_eui}")
    server = create_network_server(road.api)
    sent = uplink(dev_eui, 2)
    assert road.api.raw("POST", f"/ingest/{server['id']}?{sent.query}", sent.body, {}).status == 200
    assert road.api.get(f"/devices/{dev_eui}")["networkServerId"] == server["id"]


def test_what_was_seen_of_devices_survives_a_kill_and_is_counted_once(
    longwire: Callable[..., Longwire], sink: Sink, dev_eui: str
) -> None:
    server = longwire()
    server.start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui], AS_KEY)
    road.send(*(uplink(dev_eui, f_cnt) for f_cnt in range(3)))
    assert server.api.get(f"/devices/{dev_eui}")["uplinksLast24h"] == 3  # a GET writes what is noted
    road.send(*(uplink(dev_eui, f_cnt) for f_cnt in range(3, 7)))
    server.kill()
    server.start()
    device = server.api.get(f"/devices/{dev_eui}")
    assert (device["uplinksLast24h"], device["fCntUp"], device["name"]) == (7, 6, f"Sensor {dev_eui[-4:]}")
    assert server.api.get(f"/networkServers/{road.network_server_id}")["lastUplinkAt"] == device["lastSeenAt"]
    assert server.api.patch(f"/devices/{dev_eui}", {"connectionIds": [road.connection_id]}).status == 200
    server.terminate()
    server.start()
    assert server.api.get(f"/devices/{dev_eui}")["connectionIds"] == [road.connection_id]
    assert server.api.get(f"/devices/{dev_eui}")["uplinksLast24h"] == 7


def test_a_device_of_a_flow_by_key_needs_no_registration(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    assert api.get(f"/flows/{road.flow_id}")["matchers"] == key_matchers([dev_eui])
    assert road.ingest("", report("DevEUI_location", dev_eui)).status == 200
    road.wait_for_outcomes("DELIVERED")


def test_the_audit_log_tells_what_was_changed_of_a_device(api: Api, dev_eui: str) -> None:
    api.create("/devices", {"devEUI": dev_eui, "name": "one"})
    assert api.patch(f"/devices/{dev_eui}", {"name": "two"}).status == 200
    assert api.call("DELETE", f"/devices/{dev_eui}").status == 204
    told = [each for each in api.get("/audit?perPage=100") if each["resourceId"] == dev_eui]
    assert [each["action"] for each in told] == ["delete", "update", "create"]
    assert told[1]["changes"] == {"name": {"from": "one", "to": "two"}}
