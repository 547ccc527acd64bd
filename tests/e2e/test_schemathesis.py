"""Schemathesis reads the served document and tries every operation: what comes back is what the document says."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.errors import FailureGroup
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.e2e.api_client import API, connection_document, create_network_server
from tests.e2e.described import closed
from tests.e2e.longwire_process import OWNER_KEY, Longwire
from tests.net.dns_server import DnsServer
from tests.samples.effort import LONG

TRIES = 60 if LONG else 4
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


_devices = itertools.count(1)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, name_server: DnsServer) -> Iterator[Longwire]:
    """A Longwire of its own: everything in it may be changed and deleted."""
    with Longwire(
        tmp_path_factory.mktemp("own"),
        {"LONGWIRE_RESOLVER": name_server.address, "LONGWIRE_MAX_REQUESTS_PER_MINUTE": "0"},
    ).start() as started:
        yield started


@pytest.fixture(scope="module")
def operations(own: Longwire) -> list[Any]:
    """Give what is built; with no room for members of answers that the document does not name."""
    document: Any = from_dict(closed(own.api.get("/openapi.json")))
    found = [result.ok() for result in document.get_all_operations()]
    return [each for each in found if "x-planned" not in each.definition.raw]


def made(own: Longwire) -> dict[str, str]:
    """Return the ids of things that are there now, by the path of their collection."""
    api = own.api
    server = create_network_server(api)["id"]
    matcher = {"type": "key", "key": f"lora:{next(_devices):016X}"}
    connection = api.create("/connections", connection_document("http://127.0.0.1:9/", active=False))
    return {
        f"{API}/connections": connection["id"],
        f"{API}/flows": api.create("/flows", {"matchers": [matcher], "connectors": []})["id"],
        f"{API}/networkServers": server,
        "/ingest": server,
        "/iot-flow/downlinkMessages": connection["downlinkUrl"].rpartition("/")[2],
    }


def judge(own: Longwire, case: Any) -> None:
    """Send a case and compare what comes back with the document; raises FailureGroup."""
    answer = case.call(
        base_url=f"http://127.0.0.1:{own.port}", headers={"Authorization": f"Bearer {OWNER_KEY}"}
    )
    # A stale revision is judged before the body: that is a refusal too.
    is_wrong = case.meta.generation.mode is GenerationMode.NEGATIVE and answer.status_code != 412
    case.validate_response(answer, checks=[*CHECKS, *([negative_data_rejection] if is_wrong else [])])


def explore(own: Longwire, operation: Any, mode: GenerationMode) -> int:
    """Try an operation; return how often. Raises FailureGroup, or Unsatisfiable when nothing in it can be wrong."""
    ids, tried = made(own), 0

    @seed(1)
    @settings(
        max_examples=TRIES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), is_there=st.booleans())
    def check(case: Any, *, is_there: bool) -> None:
        nonlocal tried
        tried += 1
        collection = operation.path.partition("/{")[0]
        if is_there and collection in ids and case.path_parameters:
            case.path_parameters = dict.fromkeys(case.path_parameters, ids[collection])
        judge(own, case)

    check()
    return tried


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_as_the_document_says(
    own: Longwire, operations: list[Any], mode: GenerationMode
) -> None:
    tried, failures = 0, []
    for operation in operations:
        try:
            tried += explore(own, operation, mode)
        except Unsatisfiable:
            continue
        except FailureGroup as group:
            failures += [f"{operation.label}: {failure}\n{group}" for failure in group.exceptions]
    assert failures == [], "\n\n".join(failures)
    print(f"{tried} requests to {len(operations)} operations, {mode.value}")
