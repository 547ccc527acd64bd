"""Who may do what: every operation of the API for every role, and for keys that are none (AP-03)."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.e2e.api_client import API, Api, Json
from tests.e2e.longwire_process import Longwire
from tests.e2e.operations import Operation, read_operations
from tests.e2e.test_bad_input import check_error
from tests.e2e.waiting import wait_until

ROLES = ("Reader", "Writer", "Controller", "Owner")
BY_METHOD = {"GET": ROLES, "POST": ROLES[1:], "PUT": ROLES[1:], "PATCH": ROLES[1:], "DELETE": ("Owner",)}
# What the specification says of a route, other than its method does: (method, path) -> who may.
BY_ROUTE = {
    ("GET", "/apiKeys"): ("Owner",),
    ("POST", "/apiKeys"): ("Owner",),
    ("GET", "/audit"): ("Owner",),
    ("POST", "/connections/preview"): ROLES,
    ("DELETE", "/replays/{replay_id}"): ROLES[1:],
    ("POST", "/connections/{connection_id}/rotateDownlinkUrl"): ("Controller", "Owner"),
}
# What needs no key: how to get a token, the API's description and the page that shows it.
PUBLIC = re.compile(
    r"/oauth/token(Swagger)?|/openapi\.json|/swagger-ui\.html|/swagger-ui/.*|/http-connector\.svg"
)


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> list[Operation]:
    found = read_operations(tmp_path_factory.mktemp("routes"))
    assert len(found) > 40
    return [each for each in found if not PUBLIC.fullmatch(each.route)]


@pytest.fixture(scope="module")
def keys(shared: Longwire) -> dict[str, Json]:
    """Give a key of each role."""
    return {role: create_key(shared.api, role) for role in ROLES}


def create_key(api: Api, role: str, expires_at: str | None = None) -> Json:
    return api.create("/apiKeys", {"name": f"a {role}", "role": role, "expiresAt": expires_at})


def roles_that_may(operation: Operation) -> Iterable[str]:
    return BY_ROUTE.get((operation.method, operation.route), BY_METHOD[operation.method])


def ask(api: Api, key: str | None, operation: Operation) -> int:
    """Return the status of a request that can change nothing: what it names does not exist, its body is empty."""
    body: Any = None if operation.method in {"GET", "DELETE"} else {}
    return api.with_key(key).call(operation.method, operation.path, body).status


@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_do_what_the_specification_says_and_nothing_else(
    api: Api, keys: dict[str, Json], operations: list[Operation], role: str
) -> None:
    statuses = {str(each): ask(api, keys[role]["key"], each) for each in operations}
    expected = {str(each) for each in operations if role not in roles_that_may(each)}

    assert {each for each, status in statuses.items() if status == 403} == expected
    assert 401 not in statuses.values()
    assert [each for each, status in statuses.items() if status == 500] == []


def test_the_document_says_which_role_an_operation_needs(api: Api, operations: list[Operation]) -> None:
    paths = api.get("/openapi.json")["paths"]
    said = {
        f"{method.upper()} {path.replace('{devEUI}', '{id}')}": operation.get("x-role")
        for path, methods in paths.items()
        for method, operation in methods.items()
        if path.startswith(API)
    }
    for each in operations:
        where = f"{each.method} {API}{re.sub(r'{.*?}', '{id}', each.route)}"
        assert said[where] == next(iter(roles_that_may(each))), where


def test_no_operation_answers_without_a_valid_key(
    api: Api, keys: dict[str, Json], operations: list[Operation]
) -> None:
    revoked = create_key(api, "Owner")
    assert api.call("DELETE", f"/apiKeys/{revoked['id']}").status == 204
    wrong = {
        "no key": None,
        "revoked": revoked["key"],
        "wrong": "lw_wrong",
        "another's id": keys["Owner"]["id"],
        "cut": keys["Owner"]["key"][:-1],
    }
    answered = {
        f"{name}: {each}": status
        for name, key in wrong.items()
        for each in operations
        if (status := ask(api, key, each)) != 401
    }
    assert answered == {}


def test_a_refusal_names_the_role_that_may(api: Api, keys: dict[str, Json]) -> None:
    reader = api.with_key(keys["Reader"]["key"])

    error = check_error(reader.call("POST", "/flows", {}), 403)
    assert error["message"] == "a key of role Reader may not write; the role Writer may"
    error = check_error(reader.call("GET", "/apiKeys"), 403)
    assert "the role Owner may" in error["message"]


def test_an_expired_key_opens_nothing(api: Api, operations: list[Operation]) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    expiring = api.with_key(create_key(api, "Owner", soon.isoformat())["key"])
    assert expiring.call("GET", "/connections").status == 200

    refusal = wait_until(
        "the key expires",
        lambda: answer if (answer := expiring.call("GET", "/connections")).status == 401 else None,
    )

    assert "expired" in check_error(refusal, 401)["message"]
    assert [each for each in operations if ask(api, expiring.key, each) != 401] == []
