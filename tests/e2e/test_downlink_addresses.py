"""A downlink address is a capability: who may not send downlinks sees none, wherever one would be shown."""

import json
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.operations import read_operations
from tests.e2e.sink import Received, Reply, Sink
from tests.e2e.test_roles import create_key
from tests.e2e.visitor import visit_everything

FOREIGN = "0f1e2d3c-foreign"


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    """Give a road whose destination refuses each uplink and sends it back."""
    sink.answer = lambda got: Reply(400, body=echo(got))
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    relayed = {"downlinkUrl": f"https://other.example/downlinkMessages/{FOREIGN}"}
    road.send(uplink(dev_eui, 1, CustomerData=relayed))
    road.wait_for_outcomes("LOST")
    return road


def echo(got: Received) -> bytes:
    return json.dumps({"headers": got.headers, "body": got.body.decode()}).encode()


def shown_to(api: Api, road: Road, paths: list[str]) -> dict[str, str]:
    """Return what each path answers, with the ids of the road in it."""
    delivery = road.deliveries()[0]["id"]
    ids = {"{connection_id}": road.connection_id, "{delivery_id}": delivery}
    answers: dict[str, str] = {}
    for path in paths:
        filled = path
        for name, value in ids.items():
            filled = filled.replace(name, value)
        answers[path] = api.call("GET", filled).body.decode(errors="replace")
    return answers


@pytest.fixture(scope="module")
def readable(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    operations = read_operations(tmp_path_factory.mktemp("routes"))
    return [each.route for each in operations if each.method == "GET"]


@pytest.mark.parametrize("role", ["Reader", "Writer"])
def test_who_may_not_send_downlinks_finds_no_address_at_any_path(
    api: Api, road: Road, readable: list[str], role: str
) -> None:
    secret = road.connection["downlinkUrl"].rpartition("/")[2]
    viewer = api.with_key(create_key(api, role)["key"])

    answers = shown_to(viewer, road, readable)

    assert [path for path, text in answers.items() if secret in text or FOREIGN in text] == []
    connection: Json = json.loads(answers["/connections/{connection_id}"])
    assert connection["downlinkUrl"].endswith("/iot-flow/downlinkMessages/*****")
    details: Any = json.loads(answers["/deliveries/{delivery_id}"])
    relayed = details["message"]["DevEUI_uplink"]["CustomerData"]["downlinkUrl"]
    assert relayed == "https://other.example/downlinkMessages/*****"
    assert "/iot-flow/downlinkMessages/*****" in details["attempts"][0]["responseBody"]


def test_the_pages_show_no_address_to_a_reader_either(api: Api, road: Road) -> None:
    secret = road.connection["downlinkUrl"].rpartition("/")[2]
    page = f"/ui/connections/{road.connection_id}"

    seen = visit_everything(api.with_key(create_key(api, "Reader")["key"]), page)

    assert f"/ui/connections/{road.connection_id}" in seen
    assert [path for path, text in seen.items() if secret in text or FOREIGN in text] == []
    mine = visit_everything(api.with_key(create_key(api, "Controller")["key"]), page)
    assert secret in mine[f"/ui/connections/{road.connection_id}"]


@pytest.mark.parametrize("role", ["Controller", "Owner"])
def test_who_may_send_downlinks_sees_where(api: Api, road: Road, readable: list[str], role: str) -> None:
    secret = road.connection["downlinkUrl"].rpartition("/")[2]
    answers = shown_to(api.with_key(create_key(api, role)["key"]), road, readable)
    assert secret in answers["/connections"]
    assert secret in answers["/deliveries/{delivery_id}"]
    assert FOREIGN in answers["/deliveries/{delivery_id}"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_answer_to_a_change_shows_a_writer_no_address_either(api: Api, road: Road, method: str) -> None:
    secret = road.connection["downlinkUrl"].rpartition("/")[2]
    writer = api.with_key(create_key(api, "Writer")["key"])
    path = "/connections" if method == "POST" else f"/connections/{road.connection_id}"
    document = {"name": "new"} if method == "PATCH" else connection_document("http://127.0.0.1:9/")
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"

    answer = writer.send(method, path, json.dumps(document).encode(), {"Content-Type": kind})

    assert answer.status in {200, 201}, answer
    assert answer.json()["downlinkUrl"].endswith("/*****")
    assert secret not in str(answer)
    assert int(answer.headers["content-length"]) == len(answer.body)
