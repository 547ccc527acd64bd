"""A client generated from the served document works: each of its functions is called, each answer is understood."""

import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from tests.e2e.api_client import connection_document, create_network_server
from tests.e2e.described import Described, minimal, operations
from tests.e2e.longwire_process import OWNER_KEY, Longwire

GENERATOR = str(Path(sys.executable).with_name("openapi-python-client"))
# The document says that uplinks may come in XML too, for which the generator has no words.
EXPECTED_WARNINGS = {"Unsupported content type application/xml", "Unsupported content type text/xml"}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Longwire]:
    with Longwire(tmp_path_factory.mktemp("own")).start() as started:
        yield started


@pytest.fixture(scope="module")
def client(own: Longwire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Give the generated package, made from what the server shows."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_bytes(own.api.send("GET", "/openapi.json").body)
    ran = subprocess.run(
        [
            GENERATOR,
            "generate",
            "--path",
            "openapi.json",
            "--output-path",
            "longwire_client",
            "--meta",
            "none",
        ],
        cwd=folder,
        env=os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    warned = {
        line for line in ran.stdout.splitlines() if line.startswith(("Unsupported", "Unable", "Cannot"))
    }
    assert warned == EXPECTED_WARNINGS, ran.stdout
    sys.path.insert(0, str(folder))
    yield importlib.import_module("longwire_client")
    sys.path.remove(str(folder))


def functions(client: ModuleType) -> dict[str, ModuleType]:
    """Return the modules of the client's operations by their names."""
    found = pkgutil.walk_packages(client.__path__, "longwire_client.")
    return {name.rpartition(".")[2]: importlib.import_module(name) for _, name, _ in found if ".api." in name}


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def arguments(each: Described, module: ModuleType, ids: dict[str, str]) -> dict[str, Any]:
    """Return what the function of an operation needs at least."""
    signature = inspect.signature(module.sync_detailed)
    given: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        if name == "body":
            model = next(kind for kind in (parameter.annotation, *get_args(parameter.annotation)) if kind)
            document = minimal(each.body_schema)
            given["body"] = model.from_dict(document) if hasattr(model, "from_dict") else document
        elif (
            name in {"id", "dev_eui", "uuid"}
            and f"{{{'devEUI' if name == 'dev_eui' else name}}}" in each.path
        ):
            given[name] = ids.get(each.collection, "999999")
        elif name != "client" and parameter.default is inspect.Parameter.empty:
            given[name] = "999999"
    return given


def test_every_function_of_the_client_is_called_and_understands_the_answer(
    own: Longwire, client: ModuleType
) -> None:
    document = own.api.get("/openapi.json")
    server = create_network_server(own.api)
    connection = own.api.create("/connections", connection_document("http://127.0.0.1:9/", active=False))
    ids = {
        "connections": connection["id"],
        "networkServers": server["id"],
        "ingest": server["id"],
        "iot-flow/downlinkMessages": connection["downlinkUrl"].rpartition("/")[2],
    }
    session = client.AuthenticatedClient(base_url=f"http://127.0.0.1:{own.port}", token=OWNER_KEY)
    modules = functions(client)
    # What deletes comes last.
    described = sorted(operations(document), key=lambda each: each.method == "DELETE")
    for each in described:
        module = modules[snake(each.operation["operationId"])]
        answer = module.sync_detailed(client=session, **arguments(each, module, ids))
        status = str(answer.status_code.value)
        assert status in each.operation["responses"], f"{each.name}: {status} {answer.content!r}"
        if status in {"200", "201", "202"}:
            assert answer.parsed is not None, f"{each.name}: {answer.content!r}"
        if status == "201":
            made = json.loads(answer.content)
            ids.setdefault(each.collection, made.get("id", made.get("devEUI")))
    print(f"{len(described)} functions called")


def test_a_connection_is_made_read_and_changed_as_its_user_would_do_it(
    own: Longwire, client: ModuleType
) -> None:
    modules = functions(client)
    models = importlib.import_module("longwire_client.models")
    session = client.AuthenticatedClient(base_url=f"http://127.0.0.1:{own.port}", token=OWNER_KEY)
    body = models.ConnectionInput.from_dict(
        connection_document(
            "http://127.0.0.1:9/", active=False, headers={"X-Thing": "{DevEUI}"}, maxInFlight=4
        )
    )

    made = modules["create_connection"].sync(client=session, body=body)
    assert made.configuration.max_in_flight == 4
    assert made.configuration.headers.to_dict() == {"X-Thing": "{DevEUI}"}
    assert made.state.value == "DEACTIVATED"
    patch = models.ConnectionPatch.from_dict(
        {"name": "patched", "configuration": {"headers": {"X-Thing": None}}}
    )
    changed = modules["change_connection"].sync(id=made.id, client=session, body=patch)
    assert (changed.name, changed.configuration.headers.to_dict()) == ("patched", {})
    listed = modules["list_connections"].sync(client=session)
    assert made.id in [each.id for each in listed]
    modules["delete_connection"].sync_detailed(id=made.id, client=session)
    missing = modules["get_connection"].sync(id=made.id, client=session)
    assert isinstance(missing, models.Error)
    assert missing.code == "api-4041"
