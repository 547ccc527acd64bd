"""Every route says what it does, and the document holds them all."""

from typing import Any

import msgspec
import pytest
from litestar import Litestar

from longwire.web.openapi import undescribed
from longwire.web.server import public_paths


@pytest.fixture
def document(api: Litestar) -> Any:
    return msgspec.json.decode(api.state["openapi"])


def operations(document: Any) -> list[Any]:
    return [operation for path in document["paths"].values() for operation in path.values()]


async def test_every_route_says_what_it_does(api: Litestar) -> None:
    assert undescribed(api) == [], "give the handler opt=described(...), see CONTRIBUTING.md"


async def test_what_needs_no_key_says_so(api: Litestar, document: Any) -> None:
    for path, item in document["paths"].items():
        if path.startswith("/iot-flow/v1/"):
            for operation in item.values():
                assert (operation.get("security") == []) == (path in public_paths(api)), path


async def test_what_a_route_needs_is_told_by_the_weakest_role_that_has_it(document: Any) -> None:
    paths = document["paths"]
    connection = paths["/iot-flow/v1/connections/{id}"]

    roles = {method: connection[method]["x-role"] for method in ("get", "put", "patch", "delete")}
    assert roles == {"get": "Reader", "put": "Writer", "patch": "Writer", "delete": "Owner"}
    assert paths["/iot-flow/v1/apiKeys"]["get"]["x-role"] == "Owner"


async def test_every_operation_has_an_id_of_its_own(document: Any) -> None:
    ids = [operation["operationId"] for operation in operations(document)]

    assert sorted(ids) == sorted(set(ids))


async def test_a_route_that_is_not_built_says_so(document: Any) -> None:
    for operation in operations(document):
        assert operation.get("x-planned", False) == ("501" in operation["responses"])
