"""Bad input on every route that is built: a clear error in the API's shape, never a 500, and nothing stored."""

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from tests.e2e.api_client import CONNECTOR, Answer, Api, Json, connection_document, create_network_server
from tests.e2e.longwire_process import Longwire

URL = "http://127.0.0.1:9/hook"
MIB = 1024 * 1024
CONNECTION: Json = connection_document(URL, active=False)
SERVER: Json = {"name": "LRC", "type": "thingpark", "configuration": {}}
FLOW: Json = {"name": "flow", "matchers": [{"type": "key", "key": "lora:00000000000000EE"}], "connectors": []}
CODE = re.compile(r"[a-z]+-\d+")


@dataclass(frozen=True, slots=True)
class Route:
    """A route that reads a body, with a document that is right but for what a test spoils."""

    method: str
    path: str
    document: Json


ROUTES = {
    "create a connection": Route("POST", "/connections", CONNECTION),
    "replace a connection": Route("PUT", "/connections/{connection}", CONNECTION),
    "create a network server": Route("POST", "/networkServers", SERVER),
    "create a flow": Route("POST", "/flows", FLOW),
}


@pytest.fixture(scope="module")
def connection_id(shared: Longwire) -> str:
    return str(shared.api.create("/connections", CONNECTION)["id"])


@pytest.fixture
def stored(api: Api, connection_id: str) -> Any:
    """Give a function that returns all that must not change."""

    def look() -> list[Any]:
        lists: list[Any] = [api.ids(f"/{name}") for name in ("connections", "flows", "networkServers")]
        shown = api.get(f"/connections/{connection_id}")
        return [*lists, shown["configuration"], shown["name"], shown["updatedAt"]]

    return look


def check_error(answer: Answer, status: int, field: str | None = None) -> Json:
    assert answer.status == status, answer
    error: Json = answer.json()
    assert set(error) == {"code", "message", "correlationId", "data"}
    assert CODE.fullmatch(error["code"])
    assert error["correlationId"] == answer.headers["x-correlation-id"]
    assert isinstance(error["data"], dict)
    if field is not None:
        assert error["data"]["field"] == field
        assert field in error["message"], "the message names the field"
    return error


def nested(depth: int) -> bytes:
    """Return a document whose brackets are nested so deep."""
    return b'{"name":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


JSON = {"Content-Type": "application/json"}
# Name -> (body, headers, status).
SPOILED: dict[str, tuple[bytes, dict[str, str], int]] = {
    "empty": (b"", JSON, 400),
    "not JSON": (b"{", JSON, 400),
    "two documents": (b"{}{}", JSON, 400),
    "null": (b"null", JSON, 400),
    "a list": (b"[]", JSON, 400),
    "a text": (b'"x"', JSON, 400),
    "NaN": (b'{"name":NaN}', JSON, 400),
    "invalid UTF-8": (b'{"name":"\xff\xfe"}', JSON, 400),
    "overlong UTF-8": (b'{"name":"\xc0\xaf"}', JSON, 400),
    "lone surrogate": (b'{"name":"\xed\xa0\x80"}', JSON, 400),
    "UTF-16": ("{}".encode("utf-16"), JSON, 400),
    "too deep": (nested(65), JSON, 400),
    "far too deep": (nested(200_000), JSON, 400),
    "too large": (b'{"name":"' + b"x" * (MIB + 1 - 11) + b'"}', JSON, 413),
    "text": (b"{}", {"Content-Type": "text/plain"}, 415),
    "form": (b"a=b", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    "XML": (b"<a/>", {"Content-Type": "application/xml"}, 415),
    "compressed": (b"\x1f\x8b", JSON | {"Content-Encoding": "gzip"}, 415),
    "no key": (b"{}", JSON | {"Authorization": ""}, 401),
    "wrong key": (b"{}", JSON | {"Authorization": "Bearer wrong-key-of-the-tests"}, 401),
    "key as user": (b"{}", JSON | {"Authorization": "Basic eDp5"}, 401),
    "key not ASCII": (b"{}", JSON | {"Authorization": "Bearer \xe9"}, 401),
}


@pytest.mark.parametrize("flaw", SPOILED)
@pytest.mark.parametrize("name", ROUTES)
def test_a_body_that_cannot_be_read_is_refused(
    api: Api, connection_id: str, stored: Any, name: str, flaw: str
) -> None:
    before, route = stored(), ROUTES[name]
    body, headers, status = SPOILED[flaw]
    assert flaw != "too large" or len(body) == MIB + 1
    check_error(api.send(route.method, route.path.format(connection=connection_id), body, headers), status)
    assert stored() == before


@pytest.mark.parametrize("name", ROUTES)
def test_a_depth_of_64_is_read(api: Api, connection_id: str, name: str) -> None:
    route = ROUTES[name]
    answer = api.send(route.method, route.path.format(connection=connection_id), nested(64))
    assert "depth" not in check_error(answer, 400)["message"].lower()
    too_deep = api.send(route.method, route.path.format(connection=connection_id), nested(65))
    assert "64" in too_deep.json()["message"]


# Below which route -> (path of the member, a value of a wrong type or out of range).
WRONG: dict[str, list[tuple[str, Any]]] = {
    "connections": [
        ("connectorId", 5),
        ("connectorId", None),
        ("connectorId", "actility-aws-iot"),
        ("name", 5),
        ("name", []),
        ("name", ""),
        ("name", "x" * 256),
        ("active", "yes"),
        ("active", 1),
        ("brand", 5),
        ("configuration", []),
        ("configuration", "x"),
        ("configuration", None),
        ("configuration.destinationURL", 5),
        ("configuration.destinationURL", None),
        ("configuration.destinationURL", ""),
        ("configuration.headers", []),
        ("configuration.headers", "X-A: b"),
        ("configuration.headers.X-A", 5),
        ("configuration.headers.X-A", ["b"]),
        ("configuration.headers.X-A", None),
        ("configuration.strictMode", "true"),
        ("configuration.strictMode", 1),
        ("configuration.description", 5),
        ("configuration.createDevices", "yes"),
        ("configuration.maxInFlight", "x"),
        ("configuration.maxInFlight", 0),
        ("configuration.maxInFlight", 257),
        ("configuration.maxInFlight", -1),
        ("configuration.maxInFlight", 1.5),
        ("configuration.maxInFlight", True),
        ("configuration.maxInFlight", 10**30),
        ("configuration.requestTimeout", "x"),
        ("configuration.requestTimeout", "0s"),
        ("configuration.requestTimeout", "61s"),
        ("configuration.requestTimeout", "2h"),
        ("configuration.requestTimeout", True),
        ("configuration.requestTimeout", {}),
        ("configuration.blamePeriod", "soon"),
        ("configuration.blamePeriod", -1),
        ("configuration.blamePeriod", True),
        ("configuration.blamePeriod", 10**30),
    ],
    "networkServers": [
        ("name", 5),
        ("type", 5),
        ("type", None),
        ("type", "kerlink"),
        ("configuration", []),
        ("configuration", "x"),
        ("configuration.asKey", 5),
        ("configuration.asKey", "abc"),
        ("configuration.asKey", "g" * 32),
        ("configuration.asKey", "0" * 33),
        ("configuration.asKey", "*****"),
    ],
    "flows": [
        ("name", 5),
        ("matchers", {}),
        ("matchers", "x"),
        ("matchers[0]", "x"),
        ("matchers[0].type", 5),
        ("matchers[0].type", "color"),
        ("matchers[0].key", 5),
        ("matchers[0].key", "lora:xyz"),
        ("matchers[0].key", "0059AC0000000001"),
        ("matchers[0].key", "sigfox:0059AC0000000001"),
        ("connectors", {}),
        ("connectors", "x"),
        ("connectors[0]", "x"),
        ("connectors[0].connectionId", 5),
        ("connectors[0].connectionId", "999999999"),
        ("connectors[0].connectionId", "x"),
    ],
}
DOCUMENTS = {"connections": CONNECTION, "networkServers": SERVER, "flows": FLOW}


def spoil(document: Json, path: str, value: Any) -> Json:
    """Return a copy with the member at this path set; lists and objects on the way are made."""
    spoiled: Json = json.loads(json.dumps(document))
    holder, last = follow(spoiled, path)
    holder[last] = value
    return spoiled


def follow(document: Json, path: str) -> tuple[Any, str | int]:
    """Return what holds the member at this path, made where it is missing, and its name or place there."""
    names = [int(name) if name.isdecimal() else name for name in re.findall(r"[^.\[\]]+", path)]
    holder: Any = document
    for name, following in pairwise(names):
        if isinstance(name, str) and not holder.get(name):
            holder[name] = [{}] if isinstance(following, int) else {}
        holder = holder[name]
    if isinstance(names[-1], int) and not holder:
        holder.append({})
    return holder, names[-1]


CASES = [(route, path, value) for route, rows in WRONG.items() for path, value in rows]


@pytest.mark.parametrize(("route", "path", "value"), CASES, ids=[f"{r}-{p}-{v!r:.20}" for r, p, v in CASES])
def test_a_member_of_a_wrong_type_or_value_is_named(
    api: Api, stored: Any, route: str, path: str, value: Any
) -> None:
    before = stored()
    check_error(api.call("POST", f"/{route}", spoil(DOCUMENTS[route], path, value)), 400, path)
    assert stored() == before


CONNECTION_CASES = WRONG["connections"]


@pytest.mark.parametrize(
    ("path", "value"), CONNECTION_CASES, ids=[f"{p}-{v!r:.20}" for p, v in CONNECTION_CASES]
)
def test_a_put_names_it_too(api: Api, connection_id: str, stored: Any, path: str, value: Any) -> None:
    before = stored()
    answer = api.call("PUT", f"/connections/{connection_id}", spoil(CONNECTION, path, value))
    check_error(answer, 400, path)
    assert stored() == before


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("connections", "connectorId"),
        ("connections", "configuration"),
        ("connections", "configuration.destinationURL"),
        ("networkServers", "type"),
        ("flows", "connectors[0].connectionId"),
        ("flows", "matchers[0].type"),
        ("flows", "matchers[0].key"),
    ],
)
def test_a_required_member_that_is_missing_is_named(api: Api, stored: Any, route: str, path: str) -> None:
    before = stored()
    document = spoil(DOCUMENTS[route], path, None)
    holder, last = follow(document, path)
    del holder[last]
    check_error(api.call("POST", f"/{route}", document), 400, path)
    assert stored() == before


@pytest.mark.parametrize(
    ("route", "path", "hint"),
    [
        ("connections", "proxy", "configuration.proxy"),
        ("connections", "Headers", "headers"),
        ("connections", "headers", "configuration.headers"),
        ("connections", "destinationURL", "configuration.destinationURL"),
        ("connections", "configuration.Headers", "headers"),
        ("connections", "configuration.destinationUrl", "destinationURL"),
        ("connections", "configuration.strictmode", "strictMode"),
        ("connections", "Name", "name"),
        ("connections", "wholly-unknown", ""),
        ("networkServers", "asKey", "configuration.asKey"),
        ("networkServers", "configuration.askey", "asKey"),
        ("networkServers", "wholly-unknown", ""),
        ("flows", "matcher", "matchers"),
        ("flows", "matchers[0].keys", "key"),
        ("flows", "connectors[0].connectionID", "connectionId"),
        ("flows", "wholly-unknown", ""),
    ],
)
def test_an_unknown_member_is_refused_with_a_hint(
    api: Api, stored: Any, route: str, path: str, hint: str
) -> None:
    before = stored()
    error = check_error(api.call("POST", f"/{route}", spoil(DOCUMENTS[route], path, "x")), 400, path)
    assert hint in error["message"].replace(path, "", 1)
    assert stored() == before


def test_the_connector_is_the_one_of_the_seed() -> None:
    assert CONNECTION["connectorId"] == CONNECTOR == "actility-http-iot"


@pytest.mark.parametrize("path", ["/connections", "/flows", "/networkServers", "/deliveries"])
@pytest.mark.parametrize("key", [None, "wrong-key-of-the-tests"])
def test_reading_needs_a_key(api: Api, path: str, key: str | None) -> None:
    check_error(api.with_key(key).call("GET", path), 401)
    check_error(api.with_key(None).call("GET", f"{path}?key={api.key}&access_token={api.key}"), 401)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize("key", [None, "wrong-key-of-the-tests"])
def test_one_connection_needs_a_key(api: Api, connection_id: str, method: str, key: str | None) -> None:
    document = CONNECTION if method == "PUT" else None
    check_error(api.with_key(key).call(method, f"/connections/{connection_id}", document), 401)
    assert connection_id in api.ids("/connections")


NOBODY = ["999999999", "0", "-1", "x", "%00", "..%2f..", "1%20or%201=1", "9" * 400]


@pytest.mark.parametrize("unknown", NOBODY)
@pytest.mark.parametrize("path", ["connections", "flows", "networkServers", "deliveries"])
def test_what_does_not_exist_is_a_404(api: Api, path: str, unknown: str) -> None:
    check_error(api.call("GET", f"/{path}/{unknown}"), 404)
    if path != "deliveries":
        check_error(api.call("DELETE", f"/{path}/{unknown}"), 404)
    if path == "connections":
        check_error(api.call("PUT", f"/{path}/{unknown}", CONNECTION), 404)
        check_error(api.call("GET", f"/{path}/{unknown}/deliveries"), 404)


@pytest.mark.parametrize("path", ["/nothing", "/", "/connections/1/nothing"])
def test_a_route_that_is_not_in_the_specification_is_a_404(api: Api, path: str) -> None:
    assert check_error(api.call("GET", path), 404)["message"]


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_a_method_that_a_route_does_not_know_is_a_405(api: Api, method: str) -> None:
    check_error(api.call(method, "/deliveries", {} if method == "PUT" else None), 405)


@pytest.mark.parametrize("query", ["page=0", "page=x", "page=-1", "perPage=0", "perPage=5001", "perPage=1e3"])
def test_a_page_that_makes_no_sense_is_refused(api: Api, connection_id: str, query: str) -> None:
    error = check_error(api.call("GET", f"/connections/{connection_id}/deliveries?{query}"), 400)
    assert query.partition("=")[0] in error["message"]


def test_unknown_query_parameters_are_ignored(api: Api) -> None:
    assert api.call("GET", "/connections?nonsense=1&%ff=%00").status == 200


def test_a_bad_correlation_id_of_the_caller_is_not_echoed_into_ours(api: Api) -> None:
    answer = api.send("GET", "/connections/x", headers={"X-Correlation-Id": "a" * 5000})
    assert len(check_error(answer, 404)["correlationId"]) < 100


def test_the_server_is_up_after_all_this(api: Api) -> None:
    assert api.raw("GET", "/healthz").status == 200
    assert create_network_server(api)["id"]
