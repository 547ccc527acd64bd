"""Flows: their matchers and connections, and the routes they make together (specification, section 10)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.errors import NotAvailableYet
from longwire.core.fields import InvalidDocument
from longwire.core.flow import Flow, make_routes, parse_flow, route, to_document
from longwire.core.message import DevEui

A, B, C = (DevEui(f"70B3D5E75E00000{digit}") for digit in "ABC")
SMALLEST: dict[str, Any] = {"connectors": [{"connectionId": "7"}]}
DEV_EUIS = st.sampled_from([A, B, C])
FLOWS = st.builds(
    Flow,
    st.none() | st.text(max_size=20),
    st.none() | st.text(max_size=20),
    st.lists(DEV_EUIS, unique=True).map(tuple),
    st.lists(st.tuples(st.none() | st.text(max_size=3), st.integers(0, 10**18 - 1)), max_size=3).map(tuple),
)


def flow(dev_euis: str, *connection_ids: int) -> Flow:
    """Return a flow; `dev_euis` is `"A C"` for the devices A and C."""
    known = {"A": A, "B": B, "C": C}
    return Flow(
        None, None, tuple(known[name] for name in dev_euis.split()), tuple((None, i) for i in connection_ids)
    )


def keyed(*keys: Any) -> dict[str, Any]:
    return SMALLEST | {"matchers": [{"type": "key", "key": key} for key in keys]}


def refusal(document: Any) -> list[tuple[str | None, str]]:
    with pytest.raises(InvalidDocument) as error:
        parse_flow(document)
    return [(problem.field, str(problem)) for problem in error.value.problems]


def test_a_flow_names_devices_by_key_and_connections_by_id() -> None:
    document = {
        "id": 3,
        "name": "Paris",
        "description": "all sensors",
        "matchers": [
            {"type": "key", "key": "lora:70-b3-d5-e7-5e-00-00-0a"},
            {"type": "key", "key": f"lora:{B}"},
        ],
        "connectors": [{"id": "actility-http-iot", "connectionId": "7"}, {"connectionId": "08"}],
        "upOperations": [],
    }

    assert parse_flow(document) == Flow("Paris", "all sensors", (A, B), (("actility-http-iot", 7), (None, 8)))


@pytest.mark.parametrize("matchers", [{}, {"matchers": []}])
def test_without_matchers_a_flow_names_no_device(matchers: dict[str, Any]) -> None:
    assert parse_flow(SMALLEST | matchers) == Flow(None, None, (), ((None, 7),))


def test_a_device_named_twice_counts_once() -> None:
    assert parse_flow(keyed(f"lora:{A}", f"lora:{A.lower()}", f"lora:{B}")).dev_euis == (A, B)


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        (None, "body", "expected an object, got null"),
        ({}, "connectors", "required"),
        ({"connectors": {}}, "connectors", "expected an array"),
        ({"connectors": [1]}, "connectors[0]", "expected an object, got an integer"),
        ({"connectors": [{}]}, "connectors[0].connectionId", "required"),
        ({"connectors": [{"connectionId": 7}]}, "connectors[0].connectionId", "expected a string"),
        ({"connectors": [{"connectionId": ""}]}, "connectors[0].connectionId", "there is no such connection"),
        (
            {"connectors": [{"connectionId": "x"}]},
            "connectors[0].connectionId",
            "there is no such connection",
        ),
        (
            {"connectors": [{"connectionId": "-1"}]},
            "connectors[0].connectionId",
            "there is no such connection",
        ),
        ({"connectors": [{"connectionId": "１"}]}, "connectors[0].connectionId", "no such connection"),  # noqa: RUF001
        ({"connectors": [{"connectionId": "9" * 19}]}, "connectors[0].connectionId", "no such connection"),
        ({"connectors": [{"connectionId": "7", "id": 1}]}, "connectors[0].id", "expected a string"),
        (
            {"connectors": [{"connectionId": "7", "configuration": {}}]},
            "connectors[0].configuration",
            "not available yet",
        ),
        (
            {"connectors": [{"connectionId": "7", "uplinkTimeValidity": "1m"}]},
            "connectors[0].uplinkTimeValidity",
            "not available yet",
        ),
        (SMALLEST | {"name": 1}, "name", "expected a string"),
        (SMALLEST | {"description": []}, "description", "expected a string"),
        (SMALLEST | {"matchers": {}}, "matchers", "expected an array"),
        (SMALLEST | {"matchers": ["x"]}, "matchers[0]", "expected an object, got a string"),
        (SMALLEST | {"matchers": [{}]}, "matchers[0].type", "required"),
        (
            SMALLEST | {"matchers": [{"type": "thing"}]},
            "matchers[0].type",
            "not available yet: matchers[0].type",
        ),
        (
            SMALLEST | {"matchers": [{"type": "x", "key": f"lora:{A}"}]},
            "matchers[0].type",
            "expected key",
        ),
        (
            SMALLEST | {"matchers": [{"type": "key", "key": f"lora:{A}", "tags": []}]},
            "matchers[0].tags",
            "not available yet",
        ),
        (SMALLEST | {"matchers": [{"type": "key"}]}, "matchers[0].key", "required"),
        (keyed(1), "matchers[0].key", "expected a string"),
        (keyed(f"lora:{A}", A), "matchers[1].key", "expected lora:<DevEUI>"),
        (keyed(f"LORA:{A}"), "matchers[0].key", "expected lora:<DevEUI>"),
        (keyed("lora:123"), "matchers[0].key", "16 hexadecimal digits"),
        (SMALLEST | {"upOperations": [1]}, "upOperations", "not available yet"),
        (SMALLEST | {"driver": {"id": "x"}}, "driver", "not available yet"),
        (SMALLEST | {"skipDecoding": True}, "skipDecoding", "not available yet"),
        (SMALLEST | {"matcher": []}, "matcher", "did you mean matchers?"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(document: Any, field: str, words: str) -> None:
    told = refusal(document)

    assert told[0][0] == field
    assert words in told[0][1]


def test_what_is_not_built_yet_has_its_own_code() -> None:
    with pytest.raises(InvalidDocument) as error:
        parse_flow(SMALLEST | {"matchers": [{"type": "thing", "tags": ["a"]}]})
    assert error.value.code == NotAvailableYet.code


@given(FLOWS)
@examples(50)
def test_a_flow_reads_back_from_its_document(flow: Flow) -> None:
    assert parse_flow(to_document(flow)) == flow


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [("A B", "B A", True), ("A", "A", True), ("", "", True), ("A", "A B", False), ("", "A", False)],
)
def test_two_flows_are_the_same_to_the_router_when_they_name_the_same_devices(
    one: str, other: str, *, same: bool
) -> None:
    assert (flow(one, 1).definition == flow(other, 2).definition) is same


@pytest.mark.parametrize(
    ("flows", "to_a", "to_b", "to_none"),
    [
        ([], (), (), ()),
        ([flow("", 1)], (1,), (1,), (1,)),
        ([flow("A", 1)], (1,), (), ()),
        ([flow("A", 1), flow("", 2)], (1,), (2,), (2,)),  # a catch-all is for what no other flow matches
        ([flow("", 2), flow("A", 1)], (1,), (2,), (2,)),
        ([flow("A B", 1), flow("A", 2)], (1, 2), (1,), ()),
        ([flow("A", 1, 2), flow("A B", 2, 1, 3)], (1, 2, 3), (2, 1, 3), ()),  # a connection stands once
        ([flow("A", 1, 1)], (1,), (), ()),
        ([flow("", 1), flow("", 1, 2)], (1, 2), (1, 2), (1, 2)),
        ([flow("A"), flow("", 1)], (), (1,), (1,)),  # named by a flow without connections: it goes nowhere
    ],
)
def test_a_message_goes_to_the_connections_of_every_flow_that_names_its_device(
    flows: list[Flow], to_a: tuple[int, ...], to_b: tuple[int, ...], to_none: tuple[int, ...]
) -> None:
    routes = make_routes(flows)

    assert (route(routes, A), route(routes, B), route(routes, None)) == (to_a, to_b, to_none)


@given(st.lists(FLOWS, max_size=5), st.none() | DEV_EUIS)
@examples(100)
def test_a_connection_gets_a_message_once_and_only_by_a_flow_that_matches(
    flows: list[Flow], dev_eui: DevEui | None
) -> None:
    found = route(make_routes(flows), dev_eui)

    naming = [each for each in flows if dev_eui in each.dev_euis]
    matching = naming or [each for each in flows if not each.dev_euis]
    assert len(found) == len(set(found))
    assert set(found) == {i for each in matching for i in each.connection_ids}
