"""The connector shows itself; its schemas are what the API validates by."""

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.e2e.api_client import CONNECTOR, Api, connection_document


@pytest.fixture
def connector(api: Api) -> Any:
    return api.get(f"/connectors/{CONNECTOR}")


def test_the_connector_has_the_members_of_the_contract(api: Api, connector: Any) -> None:
    assert api.get("/connectors") == [connector]
    assert set(connector) == {
        "id",
        "producerId",
        "moduleId",
        "version",
        "description",
        "logo",
        "beta",
        "urlDoc",
        "connection",
        "flow",
    }
    assert f"{connector['producerId']}-{connector['moduleId']}" == connector["id"] == CONNECTOR
    assert re.fullmatch(r"\d+\.\d+\.\d+", connector["version"])


@pytest.mark.parametrize("member", ["logo", "urlDoc"])
def test_its_logo_and_its_documentation_are_ours(api: Api, connector: Any, member: str) -> None:
    host = f"http://127.0.0.1:{api.port}"
    assert connector[member].startswith(host + "/")
    assert api.raw("GET", connector[member].removeprefix(host)).status == 200


def test_there_is_no_other_connector(api: Api) -> None:
    assert CONNECTOR in api.call("GET", "/connectors/actility-mqtt-iot").json()["message"]
    assert api.call("GET", "/connectors/actility-mqtt-iot").status == 404


@pytest.mark.parametrize("part", ["connection", "flow"])
def test_its_schemas_are_json_schemas(connector: Any, part: str) -> None:
    schema = connector[part]["configurationSchema"]
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    "configuration",
    [
        {"headers": {"X-Thing": "{DevEUI}"}, "strictMode": True, "proxy": {"hostname": "proxy:3128"}},
        {"maxInFlight": 0},
        {"maxInFlight": "16"},
        {"reconnectStrategy": "calm"},
        {"proxy": {}},
        {"tls": {"verify": None}},
        {"headers": {"X Thing": "x"}},
        {"headers": {"X-Thing": 5}},
        {"blamePeriod": 30.0, "requestTimeout": "60s"},
        {"unknown": 1},
        {"destinationURL": "ftp://example.org"},
    ],
)
def test_what_its_schema_says_of_a_configuration_the_api_says_too(
    api: Api, connector: Any, configuration: Any
) -> None:
    document = connection_document("http://127.0.0.1:9/", active=False)
    document["configuration"] |= configuration
    validator = Draft202012Validator(connector["connection"]["configurationSchema"])

    answer = api.call("POST", "/connections", document)

    assert answer.status == (201 if validator.is_valid(document["configuration"]) else 400), answer
