"""`/audit`: every change leaves a row, with who made it and what became another."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document, key_matchers
from tests.e2e.lrc import uplink
from tests.e2e.operations import read_operations
from tests.e2e.sink import Reply, Sink
from tests.e2e.test_bad_input import check_error
from tests.e2e.test_roles import PUBLIC, ask, create_key

PATCH = {"Content-Type": "application/merge-patch+json"}
NOWHERE = "http://127.0.0.1:9/"


@dataclass(frozen=True, slots=True)
class Stage:
    """What changes are made to, by an owner whose key has a name."""

    api: Api
    key: Json
    road: Road
    dev_eui: str

    @property
    def device(self) -> str:
        return f"/devices/{self.dev_eui}"

    @property
    def new_device(self) -> str:
        return self.dev_eui.replace("0059AC", "0059AD")

    @property
    def connection(self) -> str:
        return f"/connections/{self.road.connection_id}"

    @property
    def flow(self) -> str:
        return f"/flows/{self.road.flow_id}"

    @property
    def network_server(self) -> str:
        return f"/networkServers/{self.road.network_server_id}"

    def replay(self) -> Any:
        """Begin a replay that is still running when it has answered: its connection is not."""
        self.do("PATCH", self.connection, {"active": False})
        wanted = {"connectionId": self.road.connection_id}
        return self.do("POST", "/replays", {"filter": wanted})

    def do(self, method: str, path: str, document: Any = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        answer = self.api.send(method, path, body, PATCH if method == "PATCH" else None)
        assert answer.status in {200, 201, 202, 204}, answer
        return answer.json() if answer.body else None


@pytest.fixture
def stage(api: Api, sink: Sink, dev_eui: str) -> Stage:
    key = create_key(api, "Owner")
    sink.answer = lambda _: Reply(500)
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("LOST")
    return Stage(api.with_key(key["key"]), key, road, dev_eui)


def connection(name: str = "new") -> Json:
    return connection_document(NOWHERE, name=name, active=False)


def flow(number: int) -> Json:
    return {"name": "new", "matchers": key_matchers([f"00000000000AD{number:03}"]), "connectors": []}


SERVER: Json = {"name": "new", "type": "thingpark", "configuration": {}}
KEY: Json = {"name": "new", "role": "Reader"}
NAMED: Json = {"name": "named"}

# Every operation that changes something: what to do, then the action and the resource that are told.
# The resource's id is the one that the answer has, else the one that is in the path.
CHANGES: dict[str, tuple[Callable[[Stage], Any], str, str]] = {
    "POST /connections": (lambda s: s.do("POST", "/connections", connection()), "create", "connections"),
    "PUT /connections": (
        lambda s: s.do("PUT", "/connections", connection() | {"id": s.road.connection_id}),
        "update",
        "connections",
    ),
    "DELETE /connections": (
        lambda s: s.do("DELETE", f"/connections?id={s.road.connection_id}"),
        "delete",
        "connections",
    ),
    "PUT /connections/{connection_id}": (
        lambda s: s.do("PUT", s.connection, connection()),
        "update",
        "connections",
    ),
    "PATCH /connections/{connection_id}": (
        lambda s: s.do("PATCH", s.connection, NAMED),
        "update",
        "connections",
    ),
    "DELETE /connections/{connection_id}": (lambda s: s.do("DELETE", s.connection), "delete", "connections"),
    "POST /connections/{connection_id}/restart": (
        lambda s: s.do("POST", f"{s.connection}/restart"),
        "restart",
        "connections",
    ),
    "POST /connections/{connection_id}/test": (
        lambda s: s.do("POST", f"{s.connection}/test"),
        "test",
        "connections",
    ),
    "POST /connections/{connection_id}/rotateDownlinkUrl": (
        lambda s: s.do("POST", f"{s.connection}/rotateDownlinkUrl"),
        "rotateDownlinkUrl",
        "connections",
    ),
    "POST /flows": (lambda s: s.do("POST", "/flows", flow(1)), "create", "flows"),
    "PUT /flows/{flow_id}": (lambda s: s.do("PUT", s.flow, flow(2)), "update", "flows"),
    "PATCH /flows/{flow_id}": (lambda s: s.do("PATCH", s.flow, NAMED), "update", "flows"),
    "DELETE /flows/{flow_id}": (lambda s: s.do("DELETE", s.flow), "delete", "flows"),
    "POST /networkServers": (
        lambda s: s.do("POST", "/networkServers", SERVER),
        "create",
        "networkServers",
    ),
    "PUT /networkServers/{network_server_id}": (
        lambda s: s.do("PUT", s.network_server, SERVER),
        "update",
        "networkServers",
    ),
    "PATCH /networkServers/{network_server_id}": (
        lambda s: s.do("PATCH", s.network_server, NAMED),
        "update",
        "networkServers",
    ),
    "DELETE /networkServers/{network_server_id}": (
        lambda s: s.do("DELETE", f"{s.network_server}?force=true"),
        "delete",
        "networkServers",
    ),
    "POST /devices": (lambda s: s.do("POST", "/devices", {"devEUI": s.new_device}), "create", "devices"),
    "PUT /devices/{dev_eui}": (
        lambda s: s.do("PUT", s.device, NAMED | {"devEUI": s.dev_eui}),
        "update",
        "devices",
    ),
    "PATCH /devices/{dev_eui}": (lambda s: s.do("PATCH", s.device, NAMED), "update", "devices"),
    "DELETE /devices/{dev_eui}": (lambda s: s.do("DELETE", s.device), "delete", "devices"),
    "POST /apiKeys": (lambda s: s.do("POST", "/apiKeys", KEY), "create", "apiKeys"),
    "DELETE /apiKeys/{key_id}": (
        lambda s: s.do("DELETE", f"/apiKeys/{s.do('POST', '/apiKeys', KEY)['id']}"),
        "delete",
        "apiKeys",
    ),
    "POST /replays": (lambda s: s.replay(), "create", "replays"),
    "DELETE /replays/{replay_id}": (
        lambda s: s.do("DELETE", f"/replays/{s.replay()['id']}"),
        "cancel",
        "replays",
    ),
    "POST /deliveries/{delivery_id}/replay": (
        lambda s: s.do("POST", f"/deliveries/{s.road.deliveries()[0]['id']}/replay"),
        "replay",
        "deliveries",
    ),
}
# Operations that change nothing, though their method is no GET.
CHANGES_NOTHING = {"POST /connections/preview"}


@pytest.mark.parametrize("operation", CHANGES)
def test_a_change_leaves_a_row(stage: Stage, operation: str) -> None:
    act, action, resource = CHANGES[operation]

    answer = act(stage)

    row: Json = stage.do("GET", "/audit?perPage=1")[0]
    assert set(row) == {"at", "key", "keyName", "role", "action", "resource", "resourceId", "changes"}
    assert (row["key"], row["keyName"], row["role"]) == (stage.key["id"], stage.key["name"], "Owner")
    assert (row["action"], row["resource"]) == (action, resource)
    if answer is not None and (told := answer.get("id", answer.get("devEUI"))):
        assert row["resourceId"] == told
    assert row["at"] >= stage.key["createdAt"]


def test_every_operation_of_the_program_is_tried_above(api: Api, tmp_path: Path) -> None:
    built = {
        str(each)
        for each in read_operations(tmp_path)
        if each.method != "GET" and not PUBLIC.fullmatch(each.route) and ask(api, api.key, each) != 501
    }
    assert built == set(CHANGES) | CHANGES_NOTHING


def test_what_became_another_is_told_and_secrets_are_masked(stage: Stage) -> None:
    before = stage.do("GET", stage.connection)["configuration"]["destinationURL"]
    stage.do("PUT", stage.connection, connection_document(NOWHERE, headers={"X-Key": "first", "X-A": "a"}))
    changes = stage.do("GET", "/audit?perPage=1")[0]["changes"]
    assert changes["configuration.destinationURL"] == {"from": before, "to": NOWHERE}
    assert changes["configuration.headers.X-Key"] == {"to": "*****"}
    assert changes["configuration.headers.X-A"] == {"to": "a"}

    headers = {"X-Key": "second", "X-A": "a"}
    stage.do("PUT", stage.connection, connection_document(NOWHERE, headers=headers))
    changes = stage.do("GET", "/audit?perPage=1")[0]["changes"]
    assert changes == {"configuration.headers.X-Key": {"from": "*****", "to": "*****"}}

    stage.do("DELETE", stage.connection)
    changes = stage.do("GET", "/audit?perPage=1")[0]["changes"]
    assert changes["configuration.headers.X-Key"] == {"from": "*****"}


def test_what_is_refused_leaves_no_row(stage: Stage) -> None:
    stage.do("POST", "/flows", flow(3))
    total = stage.api.call("GET", "/audit").headers["x-total"]

    check_error(stage.api.call("POST", "/flows", flow(3)), 409)
    check_error(stage.api.call("PUT", stage.connection, {}), 400)
    check_error(stage.api.call("DELETE", "/apiKeys/configured"), 409)
    check_error(stage.api.with_if_match('"99"').call("DELETE", stage.flow), 412)

    assert stage.api.call("GET", "/audit").headers["x-total"] == total


def test_a_deleted_key_is_still_named_in_the_audit_log(api: Api, stage: Stage) -> None:
    stage.do("POST", "/apiKeys", KEY)
    assert api.call("DELETE", f"/apiKeys/{stage.key['id']}").status == 204
    newest, own = api.get("/audit?perPage=2")
    assert (newest["resourceId"], newest["key"]) == (stage.key["id"], "configured")
    assert own["keyName"] == stage.key["name"]
