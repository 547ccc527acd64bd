"""Who is no Owner cannot have a secret sent elsewhere that he cannot read."""

import json

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import Sink
from tests.e2e.test_bad_input import check_error
from tests.e2e.test_roles import create_key

SECRET = {"Authorization": "Bearer eg89a53sx!="}
KEPT = {"Authorization": "*****"}
PATCH = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    return build_road(api, connection_document(sink.url(), headers=SECRET), [dev_eui])


@pytest.mark.parametrize("role", ["Writer", "Controller"])
def test_a_writer_cannot_point_a_kept_secret_elsewhere(api: Api, road: Road, role: str) -> None:
    caller = api.with_key(create_key(api, role)["key"])
    path = f"/connections/{road.connection_id}"
    before = road.connection["configuration"]
    with Sink() as own:
        moved = connection_document(own.url(), headers=KEPT)
        change = json.dumps({"configuration": {"destinationURL": own.url()}}).encode()

        refused = [caller.call("PUT", path, moved), caller.send("PATCH", path, change, PATCH)]

        for answer in refused:
            error = check_error(answer, 400, "configuration.headers.authorization")
            assert "Owner" in error["message"]
        assert road.connection["configuration"] == before
        given: Json = connection_document(own.url(), headers={"Authorization": "mine"})
        assert caller.call("PUT", path, given).status == 200


def test_an_owner_may(road: Road, dev_eui: str) -> None:
    with Sink() as other:
        assert road.put(connection_document(other.url(), headers=KEPT)).status == 200
        road.send(uplink(dev_eui, 1))
        (got,) = other.wait_for(1)
        assert got.header("Authorization") == SECRET["Authorization"]


def test_a_writer_keeps_a_secret_where_it_is(api: Api, road: Road, sink: Sink, dev_eui: str) -> None:
    caller = api.with_key(create_key(api, "Writer")["key"])
    document = connection_document(sink.url("/other"), headers=KEPT)
    assert caller.call("PUT", f"/connections/{road.connection_id}", document).status == 200
    road.send(uplink(dev_eui, 1))
    (got,) = sink.wait_for(1)
    assert got.header("Authorization") == SECRET["Authorization"]
