"""Flows: their matchers and connections, and the routes they make together (specification, section 10)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.errors import NotAvailableYet
from longwire.core.fields import InvalidDocument
from longwire.core.flow import Flow, FlowConnector, KeyMatcher, ThingMatcher, parse_flow, to_document
from longwire.core.message import DevEui
from longwire.core.sighting import DriverRef
from longwire.core.validity import Validity

A, B, C = (DevEui(f"70B3D5E75E00000{digit}") for digit in "ABC")
SMALLEST: dict[str, Any] = {"connectors": [{"connectionId": "7"}]}
DEV_EUIS = st.sampled_from([A, B, C])
WORDS = st.text(min_size=1, max_size=4)
REFS = st.builds(DriverRef, st.just("") | WORDS, st.just("") | WORDS, st.just("") | WORDS)
THINGS = st.builds(ThingMatcher, st.lists(WORDS, unique=True, max_size=3).map(tuple), REFS, REFS).filter(
    lambda matcher: matcher != ThingMatcher()
)
CONNECTORS = st.builds(
    FlowConnector,
    st.integers(0, 10**18 - 1),
    st.none() | st.text(max_size=3),
    st.none() | st.just(Validity("10m", timedelta(minutes=10))),
    st.booleans(),
)
FLOWS = st.builds(
    Flow,
    st.none() | st.text(max_size=20),
    st.none() | st.text(max_size=20),
    st.lists(st.builds(KeyMatcher, DEV_EUIS) | THINGS, unique=True, max_size=4).map(tuple),
    st.lists(CONNECTORS, max_size=3).map(tuple),
    st.booleans(),
)


def flow(dev_euis: str) -> Flow:
    """Return a flow; `dev_euis` is `"A C"` for the devices A and C."""
    known = {"A": A, "B": B, "C": C}
    return Flow(None, None, tuple(KeyMatcher(known[name]) for name in dev_euis.split()), ())


def things(*matchers: Any) -> dict[str, Any]:
    return SMALLEST | {"matchers": [{"type": "thing", **matcher} for matcher in matchers]}


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

    connectors = (FlowConnector(7, "actility-http-iot"), FlowConnector(8))
    assert parse_flow(document) == Flow("Paris", "all sensors", (KeyMatcher(A), KeyMatcher(B)), connectors)


def test_a_flow_matches_things_by_tags_and_drivers() -> None:
    model, application = {"producerId": "elsys", "moduleId": "ers", "version": "1"}, {"producerId": "acme"}
    parsed = parse_flow(things({"tags": ["site=Paris", "b"]}, {"model": model, "application": application}))

    assert parsed.matchers == (
        ThingMatcher(("site=Paris", "b")),
        ThingMatcher((), DriverRef("elsys", "ers", "1"), DriverRef("acme")),
    )


def test_an_entry_for_a_connection_may_limit_the_age_of_messages() -> None:
    entry = {"connectionId": "7", "uplinkTimeValidity": "90s", "configuration": {}}
    parsed = parse_flow({"connectors": [entry], "skipDecoding": True})

    assert parsed.connectors == (FlowConnector(7, None, Validity("90s", timedelta(seconds=90)), True),)
    assert parsed.skip_decoding
    assert to_document(parsed)["connectors"] == [entry]


@pytest.mark.parametrize("matchers", [{}, {"matchers": []}])
def test_without_matchers_a_flow_names_no_device(matchers: dict[str, Any]) -> None:
    assert parse_flow(SMALLEST | matchers) == Flow(None, None, (), (FlowConnector(7),))


def test_a_device_named_twice_counts_once() -> None:
    assert parse_flow(keyed(f"lora:{A}", f"lora:{A.lower()}", f"lora:{B}")).matchers == (
        KeyMatcher(A),
        KeyMatcher(B),
    )


@pytest.mark.parametrize(
    ("document", "field", "words"),
    [
        (None, "body", "expected an object, got null"),
        ({}, "connectors", "required"),
        ({"connectors": {}}, "connectors", "expected an array"),
        ({"connectors": [1]}, "connectors[0]", "expected an object, got an integer"),
        ({"connectors": [{}]}, "connectors[0].connectionId", "required"),
        ({"connectors": [{"connectionId": 7}]}, "connectors[0].connectionId", "expected a string"),
        ({"connectors": [{"connectionId": ""}]}, "connectors[0].connectionId", "expected an id, digits"),
        (
            {"connectors": [{"connectionId": "x"}]},
            "connectors[0].connectionId",
            "expected an id, digits",
        ),
        (
            {"connectors": [{"connectionId": "-1"}]},
            "connectors[0].connectionId",
            "expected an id, digits",
        ),
        ({"connectors": [{"connectionId": "１"}]}, "connectors[0].connectionId", "expected an id, digits"),  # noqa: RUF001
        (
            {"connectors": [{"connectionId": "9" * 19}]},
            "connectors[0].connectionId",
            "expected an id, digits",
        ),
        ({"connectors": [{"connectionId": "7", "id": 1}]}, "connectors[0].id", "expected a string"),
        (
            {"connectors": [{"connectionId": "7", "configuration": {"x": 1}}]},
            "connectors[0].configuration.x",
            "unknown member",
        ),
        (
            {"connectors": [{"connectionId": "7", "uplinkTimeValidity": "1w"}]},
            "connectors[0].uplinkTimeValidity",
            "expected a duration",
        ),
        (SMALLEST | {"name": 1}, "name", "expected a string"),
        (SMALLEST | {"description": []}, "description", "expected a string"),
        (SMALLEST | {"matchers": {}}, "matchers", "expected an array"),
        (SMALLEST | {"matchers": ["x"]}, "matchers[0]", "expected an object, got a string"),
        (SMALLEST | {"matchers": [{}]}, "matchers[0].type", "required"),
        (things({}), "matchers[0]", "needs tags, model or application"),
        (things({"tags": []}), "matchers[0]", "needs tags, model or application"),
        (things({"model": {}}), "matchers[0]", "needs tags, model or application"),
        (things({"tags": ["a"], "key": f"lora:{A}"}), "matchers[0].key", "unknown member"),
        (things({"tags": [""]}), "matchers[0].tags[0]", "must not be empty"),
        (things({"tags": "a"}), "matchers[0].tags", "expected an array"),
        (things({"model": {"pId": "x"}}), "matchers[0].model.pId", "unknown member"),
        (things({"model": {"version": 1}}), "matchers[0].model.version", "expected a string"),
        (
            SMALLEST | {"matchers": [{"type": "x", "key": f"lora:{A}"}]},
            "matchers[0].type",
            "expected key",
        ),
        (
            SMALLEST | {"matchers": [{"type": "key", "key": f"lora:{A}", "tags": []}]},
            "matchers[0].tags",
            "unknown member",
        ),
        (SMALLEST | {"matchers": [{"type": "key"}]}, "matchers[0].key", "required"),
        (keyed(1), "matchers[0].key", "expected a string"),
        (keyed(f"lora:{A}", A), "matchers[1].key", "expected lora:<DevEUI>"),
        (keyed(f"LORA:{A}"), "matchers[0].key", "expected lora:<DevEUI>"),
        (keyed("lora:123"), "matchers[0].key", "16 hexadecimal digits"),
        (SMALLEST | {"upOperations": [1]}, "upOperations", "not available yet"),
        (SMALLEST | {"driver": {"id": "x"}}, "driver", "not available yet"),
        (SMALLEST | {"skipDecoding": "yes"}, "skipDecoding", "expected true or false"),
        (SMALLEST | {"matcher": []}, "matcher", "did you mean matchers?"),
    ],
)
def test_what_is_wrong_is_refused_by_its_path(document: Any, field: str, words: str) -> None:
    told = refusal(document)

    assert told[0][0] == field
    assert words in told[0][1]


def test_what_is_not_built_yet_has_its_own_code() -> None:
    with pytest.raises(InvalidDocument) as error:
        parse_flow(SMALLEST | {"driver": {"id": "actility:auto:1"}})
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
    assert (flow(one).definition == flow(other).definition) is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ([{"tags": ["a", "b"]}], [{"tags": ["B", "A", "b"]}], True),
        ([{"tags": ["a"]}, {"tags": ["b"]}], [{"tags": ["b"]}, {"tags": ["a"]}], True),
        ([{"tags": ["a"]}, {"tags": ["b"]}], [{"tags": ["a", "b"]}], False),
        ([{"model": {"producerId": "a"}}], [{"application": {"producerId": "a"}}], False),
        ([{"model": {"producerId": "a"}}], [{"model": {"moduleId": "a"}}], False),
    ],
)
def test_two_flows_are_the_same_to_the_router_when_they_ask_for_the_same_things(
    one: list[Any], other: list[Any], *, same: bool
) -> None:
    definitions = {parse_flow(things(*matchers)).definition for matchers in (one, other)}
    assert (len(definitions) == 1) is same
