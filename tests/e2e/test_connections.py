"""Connections through the API: what a PUT replaces, what a DELETE leaves, what the masks do."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import Sink
from tests.e2e.waiting import wait_until

HEADERS = {"Authorization": "Bearer eg89a53sx!=", "X-Api-Key": "k1", "X-Thing": "{DevEUI}"}
DEFAULTS = {"strictMode": False, "maxInFlight": 16, "requestTimeout": "10s", "blamePeriod": 30}


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    return build_road(api, connection_document(sink.url(), headers=HEADERS, description="first"), [dev_eui])


def test_what_get_gave_can_be_put_back(road: Road) -> None:
    before = road.wait_for_state("OPENED")

    answer = road.put(before)

    assert answer.status == 200, answer
    after = road.connection
    assert after["configuration"] == before["configuration"]
    assert after["name"] == before["name"]
    assert after["downlinkUrl"] == before["downlinkUrl"]


def test_a_put_replaces_the_whole_configuration(road: Road, sink: Sink, dev_eui: str) -> None:
    answer = road.put(connection_document(sink.url("/new"), name="new name", headers={"X-New": "{FCntUp}"}))

    assert answer.status == 200, answer
    shown = road.connection
    assert shown["name"] == "new name"
    assert shown["configuration"]["headers"] == {"X-New": "{FCntUp}"}
    assert not shown["configuration"].get("description")
    road.send(uplink(dev_eui, 7))
    (got,) = sink.wait_for(1)
    assert got.target == "/new"
    assert got.header("X-New") == "7"
    assert got.all("Authorization") == []


@pytest.mark.parametrize(("member", "value"), DEFAULTS.items())
def test_an_absent_member_has_the_default_of_the_specification(
    api: Api, sink: Sink, member: str, value: Any
) -> None:
    created = api.create("/connections", connection_document(sink.url(), active=False))
    assert created["configuration"].get(member, value) == value


def test_members_that_are_only_kept_are_echoed(api: Api, sink: Sink) -> None:
    document = connection_document(sink.url(), active=False, createDevices=False) | {"brand": "acme"}
    created = api.create("/connections", document)
    assert created["brand"] == "acme"
    assert created["configuration"]["createDevices"] is False


def test_read_only_members_of_a_body_are_ignored(api: Api, sink: Sink) -> None:
    document = connection_document(sink.url(), active=False)
    ignored = {
        "id": "1",
        "state": "OPENED",
        "startupTime": "2020-01-01T00:00:00.000Z",
        "lag": 9,
        "downlinkUrl": "x",
    }
    created = api.create("/connections", document | ignored)
    assert created["id"] != "1"
    assert created["downlinkUrl"] != "x"
    assert created["lag"] == 0


def test_a_name_is_not_required(api: Api, sink: Sink) -> None:
    document = connection_document(sink.url(), active=False)
    del document["name"]
    assert api.create("/connections", document)["id"].isdecimal()


def test_the_list_shows_the_newest_first(api: Api, sink: Sink) -> None:
    made = [api.create("/connections", connection_document(sink.url(), active=False))["id"] for _ in range(3)]
    listed = [each["id"] for each in api.get("/connections")]
    assert listed[:3] == made[::-1]


@pytest.mark.parametrize(
    "name", ["Authorization", "cookie", "X-Api-Key", "X-Auth-Token", "My-Secret", "X-SIGNATURE"]
)
def test_the_value_of_a_header_whose_name_says_secret_is_masked(api: Api, sink: Sink, name: str) -> None:
    created = api.create(
        "/connections", connection_document(sink.url(), active=False, headers={name: "s3cr3t"})
    )
    assert created["configuration"]["headers"] == {name: "*****"}


def test_stars_keep_only_what_was_set(road: Road) -> None:
    document = road.connection
    document["configuration"]["headers"]["X-Other-Secret"] = "*****"
    answer = road.put(document)
    assert answer.status == 400
    assert answer.json()["data"]["field"] == "configuration.headers.X-Other-Secret"


def test_stars_for_a_secret_that_was_never_set_are_refused_at_create(api: Api, sink: Sink) -> None:
    before = api.ids("/connections")
    answer = api.call(
        "POST", "/connections", connection_document(sink.url(), headers={"Authorization": "*****"})
    )
    assert answer.status == 400
    assert answer.json()["data"]["field"] == "configuration.headers.Authorization"
    assert api.ids("/connections") == before


def test_a_secret_can_be_replaced_and_removed(road: Road, sink: Sink, dev_eui: str) -> None:
    document = road.connection
    document["configuration"]["headers"] = {"Authorization": "Basic new", "X-Api-Key": "*****"}
    assert road.put(document).status == 200
    road.send(uplink(dev_eui, 1))
    (first,) = sink.wait_for(1)
    assert (first.header("Authorization"), first.header("X-Api-Key")) == ("Basic new", "k1")

    document["configuration"]["headers"] = {"X-Api-Key": "*****"}
    assert road.put(document).status == 200
    road.send(uplink(dev_eui, 2))
    _, second = sink.wait_for(2)
    assert (second.all("Authorization"), second.header("X-Api-Key")) == ([], "k1")


def test_an_owner_may_take_a_secret_along_to_another_origin(road: Road, dev_eui: str) -> None:
    with Sink() as elsewhere:
        document = road.connection
        document["configuration"]["destinationURL"] = elsewhere.url()
        assert road.put(document).status == 200
        road.send(uplink(dev_eui, 1))
        assert elsewhere.wait_for(1)[0].header("Authorization") == HEADERS["Authorization"]


def test_a_refused_put_changes_nothing(road: Road) -> None:
    before = road.wait_for_state("OPENED")
    document = road.connection
    document["configuration"]["destinationURL"] = "ftp://example.org/"
    assert road.put(document).status == 400
    assert road.connection["configuration"] == before["configuration"]


def test_the_paths_of_the_seed_work_without_an_id_in_the_path(road: Road, sink: Sink) -> None:
    api = road.api
    document = connection_document(sink.url(), name="by body") | {"id": road.connection_id}
    answer = api.call("PUT", "/connections", document)
    assert answer.status == 200, answer
    assert road.connection["name"] == "by body"
    assert api.call("DELETE", f"/connections?id={road.connection_id}").status == 204
    assert api.call("GET", f"/connections/{road.connection_id}").status == 404


def test_a_stale_revision_is_refused(road: Road) -> None:
    path = f"/connections/{road.connection_id}"
    tag = road.api.call("GET", path).headers["etag"]
    document = road.connection
    assert road.put(document | {"name": "second"}).status == 200
    stale = road.api.with_if_match(tag).call("PUT", path, document | {"name": "third"})
    assert stale.status == 412
    assert road.connection["name"] == "second"
    fresh = road.api.call("GET", path).headers["etag"]
    assert road.api.with_if_match(fresh).call("PUT", path, document | {"name": "third"}).status == 200


def backlog(api: Api, sink: Sink, dev_eui: str) -> Road:
    """Return a road whose connection is not active, with two messages waiting."""
    road = build_road(api, connection_document(sink.url(), active=False), [dev_eui])
    road.wait_for_state("DEACTIVATED")
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("QUEUED", "QUEUED")
    return road


def test_a_delete_turns_the_backlog_into_discarded_deliveries(api: Api, sink: Sink, dev_eui: str) -> None:
    road = backlog(api, sink, dev_eui)
    waiting = road.deliveries()

    answer = api.call("DELETE", f"/connections/{road.connection_id}")

    assert (answer.status, answer.body) == (204, b"")
    assert api.call("GET", f"/connections/{road.connection_id}").status == 404
    assert road.connection_id not in api.ids("/connections")
    found = [api.get(f"/deliveries/{each['id']}") for each in waiting]
    assert [each["outcome"] for each in found] == ["DISCARDED", "DISCARDED"]
    assert sink.requests == []


def test_a_delete_takes_the_connection_out_of_its_flows(api: Api, sink: Sink, dev_eui: str) -> None:
    road = backlog(api, sink, dev_eui)
    assert api.call("DELETE", f"/connections/{road.connection_id}").status == 204
    flow: Json = api.get(f"/flows/{road.flow_id}")
    assert flow["connectors"] == []
    road.send(uplink(dev_eui, 3))
    assert sink.requests == []


def test_a_delete_that_keeps_the_backlog_is_a_conflict_while_messages_wait(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    road = backlog(api, sink, dev_eui)
    answer = api.call("DELETE", f"/connections/{road.connection_id}?backlog=keep")
    assert answer.status == 409
    assert [each["outcome"] for each in road.deliveries()] == ["QUEUED", "QUEUED"]


def test_the_connection_shows_how_many_messages_wait(api: Api, sink: Sink, dev_eui: str) -> None:
    road = backlog(api, sink, dev_eui)
    assert road.connection["lag"] == 2


def test_connections_are_searched_and_paged_where_that_is_asked_for(api: Api, sink: Sink) -> None:
    names = [f"paged {sink.address[1]} {number}" for number in range(3)]
    ids = [
        api.create("/connections", connection_document(sink.url(), name=each, active=each.endswith("2")))[
            "id"
        ]
        for each in names
    ]

    answer = api.call("GET", f"/connections?q=PAGED%20{sink.address[1]}&perPage=2")

    assert [each["id"] for each in answer.json()] == ids[::-1][:2]
    assert answer.headers["x-total"] == "3"
    asked = f"/connections?q=paged%20{sink.address[1]}&state=DEACTIVATED"
    assert [each["id"] for each in api.get(asked)] == ids[1::-1]
    assert api.call("GET", "/connections?state=GONE").status == 400


def test_connections_are_counted_by_their_state(longwire: Callable[..., Longwire], sink: Sink) -> None:
    api = longwire().start().api
    for active in (True, False, False):
        api.create("/connections", connection_document(sink.url(), active=active))
    wait_until("one is open", lambda: api.get("/connections/states")["OPENED"] == 1)

    counts = api.get("/connections/states")
    assert {state: count for state, count in counts.items() if count} == {"OPENED": 1, "DEACTIVATED": 2}
    assert len(counts) == 8
    either = api.call("GET", "/connections?state=OPENED,DEACTIVATED&perPage=2")
    assert (either.headers["x-total"], len(either.json())) == ("3", 2)
