"""Hostile applications and network servers on the way of a downlink (case IN-15, and what a review looked for)."""

import contextlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.e2e.api_client import Json, connection_document
from tests.e2e.downlink_world import World
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_ID, AS_KEY, uplink
from tests.e2e.sink import HANG, OK, Reply
from tests.e2e.test_roles import create_key
from tests.e2e.waiting import wait_until


def test_in_15_a_downlink_address_of_the_sender_is_replaced_by_ours(world: World) -> None:
    forged = dict.fromkeys(("downlinkUrl", "downlinkURL"), "https://evil.example/downlinks")
    sent = uplink(world.dev_eui, 1, **forged)
    target = f"/ingest/{world.network_server_id}?{sent.query}"

    assert world.api.raw("POST", target, sent.body, {"Content-Type": "application/json"}).status == 200

    (got,) = world.receiver.wait_for(1)
    assert b"evil" not in got.body
    content = json.loads(got.body)["DevEUI_uplink"]
    assert content["downlinkUrl"] == content["downlinkURL"] == world.url


def test_in_15_a_payload_of_a_megabyte_is_a_413(world: World) -> None:
    world.send_uplink()

    assert world.send(world.url, payload_hex="00" * 500_000).status == 413
    assert world.send(world.url, payload_hex="00" * 600_000).status == 413


def test_a_device_has_a_hundred_places_however_many_ask_at_once(world: World) -> None:
    world.lrc.answer = lambda _: HANG
    url = world.send_uplink()["downlinkURL"]

    with ThreadPoolExecutor(30) as senders:
        answers = list(senders.map(lambda _: world.send(url).status, range(130)))

    assert Counter(answers) == {200: 100, 429: 30}
    assert len(world.api.get(f"/downlinks?devEUI={world.dev_eui}&perPage=1000")) == 100


def test_what_waits_for_a_deleted_connection_is_not_sent(world: World) -> None:
    world.lrc.answer = lambda _: Reply(503)
    url = world.send_uplink()["downlinkURL"]
    for payload in ("00", "01"):
        world.send(url, payload_hex=payload)
    world.lrc.wait_for(1)

    assert world.api.call("DELETE", f"/connections/{world.connection_id}").status == 204
    asked = len(world.lrc.requests)
    world.lrc.answer = lambda _: OK

    ended = world.api.get(f"/downlinks?devEUI={world.dev_eui}")
    assert {(each["status"], each["cause"]) for each in ended} == {("REJECTED", "its connection was deleted")}
    assert world.send(url).status == 404
    other = world.api.create("/connections", connection_document(world.receiver.url()))
    flow = next(each for each in world.api.get("/flows?perPage=5000") if world.dev_eui in json.dumps(each))
    changed = {**flow, "connectors": [{"connectionId": other["id"]}]}
    assert world.api.call("PUT", f"/flows/{flow['id']}", changed).status == 200
    assert world.send(other["downlinkUrl"], payload_hex="02").status == 200
    later = [each.target for each in world.lrc.wait_for(asked + 1)[asked:]]
    assert [target for target in later if "Payload=02" not in target] == []


def test_a_report_that_comes_before_the_answer_ends_the_downlink(world: World) -> None:
    url = world.send_uplink()["downlinkURL"]

    def report_first(_: Any) -> Reply:
        world.report(
            "DevEUI_downlink_Sent", FPort=1, FCntDn=1, DeliveryStatus=1, CorrelationID="00000000000000AB"
        )
        return Reply(500)

    world.lrc.answer = report_first
    world.send(url, CorrelationID="00000000000000AB")

    assert world.wait_for_status("00000000000000AB", "SENT")["attempts"] == 1
    world.lrc.answer = lambda _: OK
    world.send(url, payload_hex="02")
    assert "Payload=02" in world.lrc.wait_for(2)[1].target


def test_each_refusal_is_told_although_the_application_uses_one_correlation_id(world: World) -> None:
    world.lrc.answer = lambda _: Reply(350, body=b"No")
    url = world.send_uplink()["downlinkURL"]
    for f_port in (1, 2):
        world.send(url, FPort=f_port, CorrelationID="00000000000000AB")

    bodies = [json.loads(each.body) for each in world.receiver.wait_for(3)[1:]]
    assert [each["DevEUI_downlink_Rejected"]["FPort"] for each in bodies] == [1, 2]


def test_a_device_that_moves_to_another_network_server_is_addressed_there(world: World) -> None:
    url = world.send_uplink()["downlinkURL"]
    nowhere = {"asKey": AS_KEY, "asId": AS_ID}
    server = {"name": "another", "type": "thingpark", "configuration": nowhere}
    other = world.api.create("/networkServers", server)
    wait_until(
        "the device is known", lambda: world.api.call("GET", f"/devices/{world.dev_eui}").status == 200
    )

    assert world.api.patch(f"/devices/{world.dev_eui}", {"networkServerId": other["id"]}).status == 200

    refused = world.send(url)
    assert refused.status == 400
    assert "'another' has no configuration.lrcUrl" in refused.json()["message"]


NEEDS_KEY = {"LONGWIRE_DOWNLINK_NEEDS_KEY": "true"}


def test_with_the_setting_a_downlink_needs_a_key_that_may_send_downlinks(
    longwire: Callable[..., Longwire], make_world: Callable[..., World]
) -> None:
    world = make_world(longwire(NEEDS_KEY).start().api)
    url = world.send_uplink()["downlinkURL"]
    content = {"DevEUI": world.dev_eui, "FPort": 1, "payload_hex": "00"}
    body = json.dumps({"DevEUI_downlink": content}).encode()

    def status_with(key: str | None, address: str = url) -> int:
        named = {} if key is None else {"Authorization": f"Bearer {key}"}
        headers = {"Content-Type": "application/json", **named}
        return world.api.raw("POST", urlsplit(address).path, body, headers).status

    roles = {role: create_key(world.api, role)["key"] for role in ("Reader", "Writer", "Controller", "Owner")}
    answers = {role: status_with(key) for role, key in roles.items()}
    assert answers == {"Reader": 403, "Writer": 403, "Controller": 200, "Owner": 200}
    assert status_with(None) == 401
    assert status_with("lw_wrong") == 401
    assert status_with(roles["Owner"], url[:-1]) == 404
    assert len(world.lrc.wait_for(2)) == 2


def test_in_15_a_rotated_address_answers_404_and_messages_carry_the_new_one(world: World) -> None:
    old = world.send_uplink()["downlinkURL"]

    answer = world.api.call("POST", f"/connections/{world.connection_id}/rotateDownlinkUrl")

    assert answer.status == 200
    new = answer.json()["downlinkUrl"]
    assert new != old
    assert world.send(old).status == 404
    assert world.send(new).status == 200
    wait_until("the new address in messages", lambda: world.send_uplink(2)["downlinkURL"] == new)


def test_in_15_a_device_of_another_connection_cannot_be_addressed(world: World) -> None:
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
def test_in_15_what_is_wrong_is_refused_by_name_in_the_apis_shape(
    world: World, members: Json, status: int, named: str
) -> None:
    world.send_uplink()

    refused = world.send(world.url, **members)

    assert refused.status == status
    error = refused.json()
    assert named in error["message"]
    assert error["correlationId"] == refused.headers["x-correlation-id"]
    assert world.api.get(f"/downlinks?devEUI={world.dev_eui}") == []


def test_in_15_the_door_refuses_what_no_application_sends(world: World) -> None:
    url = world.url
    assert world.post(url, b"{}", "text/plain").status == 415
    assert world.post(url, b"{", "application/json").status == 400
    assert world.post(url, b"x" * (1024 * 1024 + 1)).status == 413
    assert world.api.raw("GET", urlsplit(url).path).status == 405
    assert world.api.raw("POST", "/iot-flow/downlinkMessages/nobody", b"{}").status == 404


def test_while_the_store_is_locked_the_door_says_503(
    longwire: Callable[..., Longwire], make_world: Callable[..., World]
) -> None:
    server = longwire().start()
    world = make_world(server.api)
    url = world.send_uplink()["downlinkURL"]
    with contextlib.closing(sqlite3.connect(server.data / "longwire.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = world.send(url)
        other.execute("ROLLBACK")

    assert refused.status == 503, refused
    assert refused.headers["retry-after"]
    assert world.api.get("/downlinks") == []
    wait_until("it is taken", lambda: world.send(url).status == 200)
