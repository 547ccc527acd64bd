"""PUT and PATCH through the API: what they change, what they keep, what they refuse, of every kind of resource."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.e2e.api_client import Api, Json, connection_document, create_network_server, key_matchers
from tests.e2e.lrc import AS_KEY, compact, uplink
from tests.e2e.sink import Sink

from longwire.core.merge_patch import merge_patch

READ_ONLY = {
    "state",
    "downSince",
    "stateReason",
    "stateSince",
    "startupTime",
    "nextReconnectTime",
    "lag",
    "updatedAt",
}
SECRETS: Json = {"headers": {"Authorization": "Bearer eg89a53sx!=", "X-Thing": "{DevEUI}"}}
KINDS = ("connections", "flows", "networkServers")


def writable(document: Json) -> Json:
    return {name: value for name, value in document.items() if name not in READ_ONLY}


@pytest.fixture(params=KINDS)
def resource(request: pytest.FixtureRequest, api: Api, sink: Sink, dev_eui: str) -> str:
    """Return the path of one resource of each kind."""
    connection = api.create("/connections", connection_document(sink.url(), active=False, **SECRETS))
    if request.param == "connections":
        return f"/connections/{connection['id']}"
    if request.param == "networkServers":
        return f"/networkServers/{create_network_server(api, AS_KEY)['id']}"
    flow = {
        "name": "before",
        "matchers": key_matchers([dev_eui]),
        "connectors": [{"id": "first", "connectionId": connection["id"]}],
    }
    return f"/flows/{api.create('/flows', flow)['id']}"


def test_what_get_gave_can_be_put_back_unchanged(api: Api, resource: str) -> None:
    before = api.get(resource)
    answer = api.call("PUT", resource, before)
    assert answer.status == 200, answer
    assert writable(answer.json()) == writable(before)
    assert writable(api.get(resource)) == writable(before)


def test_a_patch_changes_only_what_it_names(api: Api, resource: str) -> None:
    before = api.get(resource)
    answer = api.patch(resource, {"name": "after"})
    assert answer.status == 200, answer
    assert writable(answer.json()) == writable(before) | {"name": "after"}
    assert writable(api.get(resource)) == writable(before) | {"name": "after"}


def test_an_empty_patch_changes_nothing(api: Api, resource: str) -> None:
    before = api.get(resource)
    assert api.patch(resource, {}).status == 200
    assert writable(api.get(resource)) == writable(before)


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/json-patch+json", ""]
)
def test_a_patch_is_a_merge_patch_or_415(api: Api, resource: str, content_type: str) -> None:
    answer = api.send("PATCH", resource, b'{"name":"after"}', {"Content-Type": content_type})
    assert answer.status == 415, answer
    assert "application/merge-patch+json" in answer.json()["message"]


def test_a_put_is_no_merge_patch(api: Api, resource: str) -> None:
    body = compact(api.get(resource))
    answer = api.send("PUT", resource, body, {"Content-Type": "application/merge-patch+json"})
    assert answer.status == 415, answer


@pytest.mark.parametrize("patch", [None, [], "x", 7, True])
def test_a_patch_that_is_no_object_is_refused(api: Api, resource: str, patch: Any) -> None:
    before = api.get(resource)
    answer = api.patch(resource, patch)
    assert answer.status == 400, answer
    assert writable(api.get(resource)) == writable(before)


def test_an_unknown_member_of_a_patch_is_refused_by_name(api: Api, resource: str) -> None:
    answer = api.patch(resource, {"nmae": "after"})
    assert answer.status == 400, answer
    assert "nmae: unknown member; did you mean name?" in answer.json()["message"]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_stale_revision_changes_nothing(api: Api, resource: str, method: str) -> None:
    stale = api.call("GET", resource).headers["etag"]
    assert api.patch(resource, {"name": "second"}).status == 200
    current = api.get(resource)
    careful = api.with_if_match(stale)
    if method == "PATCH":
        answer = careful.patch(resource, {"name": "third"})
    else:
        answer = careful.call(method, resource, current if method == "PUT" else None)
    assert answer.status == 412, answer
    assert writable(api.get(resource)) == writable(current)


def test_the_revision_that_was_seen_may_be_changed_and_deleted(api: Api, resource: str) -> None:
    seen = api.call("GET", resource).headers["etag"]
    answer = api.with_if_match(seen).patch(resource, {"name": "second"})
    assert answer.status == 200, answer
    assert answer.headers["etag"] != seen
    assert api.with_if_match(answer.headers["etag"]).call("DELETE", resource).status == 204
    assert api.call("GET", resource).status == 404
    assert api.patch(resource, {"name": "third"}).status == 404
    assert api.call("PUT", resource, {"name": "third"}).status == 404


def test_a_patch_keeps_the_secrets_it_does_not_name(api: Api, sink: Sink, dev_eui: str) -> None:
    connection = api.create("/connections", connection_document(sink.url(), **SECRETS))
    flow = {"matchers": key_matchers([dev_eui]), "connectors": [{"connectionId": connection["id"]}]}
    api.create("/flows", flow)
    server = create_network_server(api)
    path = f"/connections/{connection['id']}"

    patch = {"configuration": {"headers": {"X-Thing": None, "X-New": "1", "Authorization": "*****"}}}
    assert api.patch(path, patch).status == 200

    sent = uplink(dev_eui, 1)
    assert api.raw("POST", f"/ingest/{server['id']}?{sent.query}", sent.body, {}).status == 200
    (got,) = sink.wait_for(1)
    assert got.header("Authorization") == "Bearer eg89a53sx!="
    assert got.header("X-New") == "1"
    assert got.all("X-Thing") == []
    assert api.get(path)["configuration"]["headers"] == {"Authorization": "*****", "X-New": "1"}


def test_a_patch_cannot_take_a_required_member_away(api: Api, sink: Sink) -> None:
    path = f"/connections/{api.create('/connections', connection_document(sink.url(), active=False))['id']}"
    answer = api.patch(path, {"configuration": {"destinationURL": None}})
    assert answer.status == 400
    assert answer.json()["data"]["field"] == "configuration.destinationURL"


def test_stars_in_a_patch_for_a_secret_that_was_never_set_are_refused(api: Api, sink: Sink) -> None:
    path = f"/connections/{api.create('/connections', connection_document(sink.url(), active=False))['id']}"
    answer = api.patch(path, {"configuration": {"signingSecret": "*****"}})
    assert answer.status == 400
    assert answer.json()["data"]["field"] == "configuration.signingSecret"


def test_the_tunnel_key_stays_and_can_be_replaced_or_removed(api: Api, dev_eui: str) -> None:
    server = create_network_server(api, AS_KEY)
    path, door = f"/networkServers/{server['id']}", f"/ingest/{server['id']}"

    def accepts(f_cnt: int, query: str | None = None) -> int:
        sent = uplink(dev_eui, f_cnt)
        target = f"{door}?{sent.query if query is None else query}"
        return api.raw("POST", target, sent.body, {"Content-Type": "application/json"}).status

    assert api.patch(path, {"name": "renamed"}).status == 200
    assert accepts(1) == 200
    assert api.patch(path, {"configuration": {"asKey": "0" * 32}}).status == 200
    assert accepts(2) == 403
    assert api.call("PUT", path, {"name": "open", "type": "thingpark"}).status == 200
    assert "asKey" not in api.get(path)["configuration"]
    assert accepts(3, "") == 200


def test_a_flow_that_is_changed_leads_elsewhere_at_once(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    connection = api.create("/connections", connection_document(sink.url()))
    connectors = [{"connectionId": connection["id"]}]
    flow = api.create("/flows", {"matchers": key_matchers(dev_euis[:1]), "connectors": connectors})
    door = f"/ingest/{create_network_server(api)['id']}"
    path = f"/flows/{flow['id']}"

    assert api.patch(path, {"matchers": key_matchers(dev_euis[1:2])}).status == 200
    for number, dev_eui in enumerate(dev_euis[:2]):
        sent = uplink(dev_eui, number)
        assert api.raw("POST", f"{door}?{sent.query}", sent.body, {}).status == 200
    (got,) = sink.wait_for(1)
    assert dev_euis[1].encode() in got.body
    assert [each["devEUI"] for each in api.get(f"/connections/{connection['id']}/deliveries")] == dev_euis[
        1:2
    ]


def test_a_flow_cannot_take_over_what_another_names(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    connection = api.create("/connections", connection_document(sink.url(), active=False))
    connectors = [{"connectionId": connection["id"]}]
    first, second = (
        api.create("/flows", {"matchers": key_matchers([dev_eui]), "connectors": connectors})
        for dev_eui in dev_euis[:2]
    )
    answer = api.patch(f"/flows/{second['id']}", {"matchers": first["matchers"]})
    assert answer.status == 409, answer
    missing = api.patch(f"/flows/{second['id']}", {"connectors": [{"connectionId": "999999999"}]})
    assert missing.status == 400
    assert missing.json()["data"]["field"] == "connectors[0].connectionId"
    assert api.get(f"/flows/{second['id']}") == second


SOME = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | st.text(min_size=1, max_size=5),
        "brand": st.none() | st.sampled_from(["acme", ""]),
        "configuration": st.fixed_dictionaries(
            {},
            optional={
                "description": st.none() | st.text(max_size=5),
                "maxInFlight": st.integers(1, 256),
                "uplinkTimeValidity": st.none() | st.sampled_from(["10s", "5m", "2h", "1d"]),
                "headers": st.none()
                | st.dictionaries(
                    st.sampled_from(["X-A", "X-B", "X-Token"]), st.none() | st.just("v"), max_size=3
                ),
                "tls": st.none() | st.just({"verify": False}),
            },
        ),
    },
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(patches=st.lists(SOME, min_size=1, max_size=3))
def test_patches_lead_where_the_same_patches_of_the_document_lead(
    api: Api, sink: Sink, patches: list[Json]
) -> None:
    """What a PATCH leaves is what a PUT of the patched document leaves."""
    document = connection_document(sink.url(), active=False)
    patched = api.create("/connections", document)
    path = f"/connections/{patched['id']}"
    for patch in patches:
        document = merge_patch(document, patch)
        answer = api.patch(path, patch)
        assert answer.status == 200, answer
    put = api.create("/connections", document)
    own = {"id", "downlinkUrl"}
    shown = {name: value for name, value in writable(api.get(path)).items() if name not in own}
    assert shown == {name: value for name, value in writable(put).items() if name not in own}
    assert api.call("DELETE", path).status == 204
    assert api.call("DELETE", f"/connections/{put['id']}").status == 204
