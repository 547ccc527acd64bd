"""What is shown of real traffic is what the document says, member by member and header by header."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.e2e.api_client import Answer, Api, Json, Road, build_road, connection_document
from tests.e2e.described import Described, closed, operations
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import Uplink
from tests.e2e.sink import Reply, Sink
from tests.e2e.waiting import wait_until

DEVICE = "0059AC00000000D1"


@pytest.fixture(scope="module")
def lively(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A Longwire through which messages went: delivered, lost, waiting for who is away, replayed, tested, answered."""
    with Longwire(tmp_path_factory.mktemp("lively")).start() as longwire, Sink() as sink, Sink() as refusing:
        refusing.answer = lambda _: Reply(500)
        roads = [
            build_road(longwire.api, connection_document(sink.url()) | {"debug": True}, [DEVICE]),
            build_road(longwire.api, connection_document(refusing.url()), None),
            build_road(longwire.api, connection_document("http://127.0.0.1:9/"), ["0059AC00000000D2"]),
        ]
        answer_downlinks(roads[0], sink.url("/lrc"))
        roads[0].send(Uplink(DEVICE, 1))
        roads[0].send(Uplink("0059AC00000000D2", 1), Uplink("0059AC00000000D3", 1))
        roads[0].wait_for_outcomes("DELIVERED")
        (lost,) = roads[1].wait_for_outcomes("LOST")
        roads[2].wait_for_state("CLOSED")
        act(longwire.api, lost["id"], roads[0].connection)
        wait_until("events are written", lambda: longwire.api.get("/events"))
        yield longwire.api


def answer_downlinks(road: Road, lrc_url: str) -> None:
    patch = json.dumps({"configuration": {"lrcUrl": lrc_url}}).encode()
    headers = {"Content-Type": "application/merge-patch+json"}
    answer = road.api.send("PATCH", f"/networkServers/{road.network_server_id}", patch, headers)
    assert answer.status == 200, answer


def act(api: Api, delivery_id: str, connection: Json) -> None:
    assert api.call("POST", f"/deliveries/{delivery_id}/replay").status == 202
    assert api.call("POST", "/replays", {"filter": {"outcome": ["LOST"]}}).status == 202
    assert api.call("POST", f"/connections/{connection['id']}/test", {}).status == 200
    api.create("/apiKeys", {"name": "reader", "role": "Reader"})
    downlink = {"DevEUI_downlink": {"DevEUI": DEVICE, "FPort": 1, "payload_hex": "00"}}
    path = connection["downlinkUrl"].partition("/iot-flow/")[2]
    body, headers = json.dumps(downlink).encode(), {"Content-Type": "application/json"}
    answer = api.raw("POST", f"/iot-flow/{path}", body, headers)
    assert answer.status == 200, answer


def ids_of(api: Api, described: list[Described]) -> dict[str, str]:
    """Return an id of each kind that is listed, by the path of its list."""
    ids = {}
    for each in described:
        if each.method == "GET" and "{" not in each.path and each.is_api:
            answer = each.send(api, {})
            listed = answer.json() if answer.headers["content-type"] == "application/json" else []
            for element in listed if isinstance(listed, list) else []:
                ids[each.collection] = str(element.get("id", element.get("devEUI")))
    ids["replays"] = wait_until("no other replay runs", lambda: begin_replay(api))
    return ids


def begin_replay(api: Api) -> str | None:
    answer = api.call("POST", "/replays", {"filter": {"outcome": ["REJECTED"]}})
    return str(answer.json()["id"]) if answer.status == 202 else None


def disagreements(each: Described, answer: Answer) -> list[str]:
    """Return where an answer is not as the document says."""
    said = each.resolve(each.operation["responses"].get(str(answer.status)))
    if answer.status != 200 or said is None:
        return [f"{each.name}: {answer}"]
    missing = [
        name
        for name, header in said["headers"].items()
        if header["required"] and name.lower() not in answer.headers
    ]
    (media_type,) = said["content"]
    if not answer.headers["content-type"].startswith(media_type):
        return [f"{each.name}: {answer.headers['content-type']}"]
    if media_type != "application/json":
        return [f"{each.name}: no header {name}" for name in missing]
    validator = Draft202012Validator(closed(said["content"][media_type]["schema"]))
    found = [
        f"{each.name}: {error.json_path}: {error.message[:300]}"
        for error in validator.iter_errors(answer.json())
    ]
    return [*found, *(f"{each.name}: no header {name}" for name in missing)]


def test_every_get_shows_what_the_document_says(lively: Api) -> None:
    described = [each for each in operations(lively.get("/openapi.json")) if not each.is_planned]
    ids = ids_of(lively, described)
    gets = [each for each in described if each.method == "GET"]

    found = [problem for each in gets for problem in disagreements(each, each.send(lively, ids))]

    assert found == [], "\n".join(found)
    print(f"{len(gets)} answers compared, with ids of {sorted(ids)}")


def test_every_kind_of_delivery_and_attempt_is_shown_as_the_document_says(lively: Api) -> None:
    described = {each.operation["operationId"]: each for each in operations(lively.get("/openapi.json"))}
    show = described["getDelivery"]
    shown: list[Any] = lively.get("/deliveries")

    for delivery in shown:
        assert disagreements(show, show.send(lively, {"deliveries": delivery["id"]})) == []
    assert {"DELIVERED", "LOST", "QUEUED"} <= {each["outcome"] for each in shown}
