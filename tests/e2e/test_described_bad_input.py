"""Bad input for every operation, made from the document the API gives of itself: a new route joins by itself."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, connection_document, create_network_server
from tests.e2e.described import Described, minimal, operations, places, put, wrong_values
from tests.e2e.longwire_process import Longwire

MIB = 1024 * 1024
Case = tuple[Described, str, bytes, dict[str, str], int]


@pytest.fixture(scope="module")
def document(shared: Longwire) -> Json:
    served: Json = shared.api.get("/openapi.json")
    return served


@pytest.fixture(scope="module")
def ids(shared: Longwire, document: Json) -> dict[str, str]:
    """Give the id of something of each kind, by the path of its collection."""
    api = shared.api
    connection = api.create("/connections", connection_document("http://127.0.0.1:9/", active=False))
    flow = api.create("/flows", {"name": "described", "matchers": [], "connectors": []})
    server = create_network_server(api)
    known = {
        "connections": str(connection["id"]),
        "flows": str(flow["id"]),
        "networkServers": str(server["id"]),
        "ingest": str(server["id"]),
        "iot-flow/downlinkMessages": connection["downlinkUrl"].rpartition("/")[2],
    }
    return known | {
        each.collection: made_by(api, each) for each in operations(document) if is_new(each, known)
    }


def is_new(each: Described, known: Mapping[str, str]) -> bool:
    """Return whether an operation makes something of a kind of which there is nothing yet."""
    makes = each.method == "POST" and "201" in each.operation["responses"]
    return makes and each.collection not in known


def made_by(api: Api, each: Described) -> str:
    answer = each.send(api, {}, json.dumps(minimal(each.body_schema)).encode())
    assert answer.status == 201, f"{each.name}: {answer}"
    made = answer.json()
    return str(made.get("id", made.get("devEUI")))


@pytest.fixture(scope="module")
def with_body(document: Json) -> list[Described]:
    found = [each for each in operations(document) if each.media_type and not each.is_planned]
    assert len(found) > 5
    return found


def test_a_planned_operation_is_refused_by_name(api: Api, document: Json, ids: Mapping[str, str]) -> None:
    for each in operations(document):
        if each.is_planned:
            answer = each.send(api, ids, b"{}" if each.method in {"POST", "PUT", "PATCH"} else None)
            assert answer.status == 501, f"{each.name}: {answer}"
            assert "not available yet" in answer.json()["message"]


def unreadable(each: Described) -> Iterator[Case]:
    """Give bodies that are refused before anybody looks into them."""
    if each.media_type.endswith("json"):  # type: ignore[union-attr]
        yield each, "not JSON", b"{", {}, 400
        yield each, "two documents", b"{}{}", {}, 400
        yield each, "not UTF-8", b'{"name":"\xff"}', {}, 400
        yield each, "65 deep", b'{"name":' + b"[" * 64 + b"]" * 64 + b"}", {}, 400
    yield each, "1 MiB + 1", b'{"name":"' + b"x" * (MIB + 1 - 11) + b'"}', {}, 413
    yield each, "a wrong media type", b"{}", {"Content-Type": "application/yaml"}, 415
    yield each, "compressed", b"\x1f\x8b", {"Content-Encoding": "gzip"}, 415


def misshapen(each: Described) -> Iterator[Case]:
    """Give bodies with one wrong type, or one unknown member, at every place of the schema."""
    schema = each.body_schema
    if not each.media_type.endswith("json") or not schema.get("type"):  # type: ignore[union-attr]
        return
    body = minimal(schema)
    for path, inner in places(schema):
        shown = ".".join(map(str, path)) or "the body"
        for value in wrong_values(inner):
            spoiled = put(body, path, value, schema)
            yield each, f"{shown} is {value!r}", json.dumps(spoiled).encode(), {}, 400
        if inner.get("additionalProperties") is False:
            spoiled = put(body, (*path, "longwireUnknown"), 1, _open(schema))
            yield each, f"{shown} with an unknown member", json.dumps(spoiled).encode(), {}, 400


def _open(schema: Json) -> Json:
    """Return the schema with room for an unknown member."""
    opened: Json = json.loads(
        json.dumps(schema).replace('"additionalProperties": false', '"additionalProperties": {}')
    )
    return opened


def failures(api: Api, ids: Mapping[str, str], cases: list[Case]) -> list[str]:
    found = []
    for each, flaw, body, headers, status in cases:
        answer = each.send(api, ids, body, headers)
        problem = _problem(each, answer, status)
        if problem:
            found.append(f"{each.name}: {flaw}: {problem}: {answer}")
    return found


def _problem(each: Described, answer: Any, status: int) -> str | None:
    if answer.status != status:
        return f"expected {status}"
    if str(status) not in each.operation["responses"]:
        return f"{status} is not in the document"
    error = answer.json()
    if set(error) != {"code", "message", "correlationId", "data"}:
        return "not an error of ours"
    if error["correlationId"] != answer.headers["x-correlation-id"]:
        return "another correlation id"
    return None


@pytest.mark.parametrize("make", [unreadable, misshapen])
def test_every_operation_refuses_what_is_wrong_with_a_body(
    api: Api, ids: Mapping[str, str], with_body: list[Described], make: Any
) -> None:
    cases = [case for each in with_body for case in make(each)]

    found = failures(api, ids, cases)
    assert found == [], "\n".join(each[:400] for each in found)
    print(f"{len(cases)} {make.__name__} bodies for {len(with_body)} operations")
    assert len(cases) > 5 * len(with_body)


def test_every_operation_refuses_a_query_of_a_wrong_type(
    api: Api, ids: Mapping[str, str], document: Json
) -> None:
    cases = [
        (each, "&".join([f"{parameter['name']}={value}", *_others_required(each, parameter)]))
        for each in operations(document)
        if not each.is_planned and not each.media_type
        for parameter in each.query
        for value in _wrong_texts(each.resolve(parameter["schema"]))
    ]
    found = []
    for each, query in cases:
        answer = each.send(api, ids, query=query)
        if answer.status != 400 or query.partition("=")[0] not in answer.json()["message"]:
            found.append(f"{each.name}?{query}: {answer}")
    assert found == []
    print(f"{len(cases)} wrong queries")


def _others_required(each: Described, parameter: Json) -> list[str]:
    return [f"{other['name']}=1" for other in each.query if other["required"] and other != parameter]


def _wrong_texts(schema: Json) -> list[str]:
    if "enum" in schema:
        return ["longwire-wrong"]
    match schema.get("type"):
        case "integer":
            return ["x", "-1", "1e3", "1.5", str(schema["maximum"] + 1)]
        case "boolean":
            return ["yes", "1"]
        case "string" if schema.get("format") == "date-time":
            return ["yesterday", "2026-13-01T00:00:00Z"]
    return []


def test_every_operation_with_an_id_knows_what_does_not_exist(api: Api, document: Json) -> None:
    for each in operations(document):
        if "{" in each.path and not each.is_planned:
            body = None if not each.media_type else json.dumps(minimal(each.body_schema)).encode()
            answer = each.send(api, {}, body)
            assert answer.status in {400, 404}, f"{each.name}: {answer}"


def test_every_operation_but_the_public_ones_needs_a_key(
    api: Api, ids: Mapping[str, str], document: Json
) -> None:
    for each in operations(document):
        if each.operation.get("security") != []:
            answer = each.send(api, ids, headers={"Authorization": "Bearer wrong-key-of-the-tests"})
            assert answer.status == 401, f"{each.name}: {answer}"
