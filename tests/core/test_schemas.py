"""The JSON Schemas and the validation agree: what the one accepts the other does, but for the rules named here."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from tests.e2e.described import minimal, options_of, places, put
from tests.samples.effort import examples
from tests.samples.from_schema import ANY_JSON, from_schema

from longwire.core.configuration import parse_connection
from longwire.core.connector import CONNECTION
from longwire.core.device import DEVICE, parse_device
from longwire.core.document import Object, Use, schema_of
from longwire.core.downlink import DOWNLINK, parse_downlink
from longwire.core.errors import LongwireError, TooLarge
from longwire.core.fields import InvalidDocument
from longwire.core.flow import FLOW, parse_flow
from longwire.core.network_server import NETWORK_SERVER, parse_network_server


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared document and what reads it."""

    shape: Object
    parse: Callable[[Any], Any]


def parse_a_downlink(body: Any) -> Any:
    now = datetime(2026, 11, 24, 10, tzinfo=UTC)
    try:
        return parse_downlink(body, now, default_port=2, new_correlation_id="0123456789ABCDEF")
    except TooLarge:
        return None


DOCUMENTS = {
    "connection": Declared(CONNECTION, parse_connection),
    "device": Declared(DEVICE, parse_device),
    "flow": Declared(FLOW, parse_flow),
    "downlink": Declared(DOWNLINK, parse_a_downlink),
    "network server": Declared(NETWORK_SERVER, parse_network_server),
}
# What a schema cannot say: the words with which validation refuses what the schema accepts.
RULES = (
    "a duration such as",  # its bounds; the schema names them in x-from and x-to
    "half a character",
    " bytes, got",  # characters are counted by the schema
    "no control characters",
    "a password needs a user name",
    "may hold no ':'",
    "client certificate and key come together",
    "cannot be set",  # a header that is ours, or frames the request
    "this header stands twice",
    "keeps a stored value",
    "within the next 7 days",
    "needs tags, model or application",
    "cannot hold CR, LF or NUL",
    "not available yet: autoRegisterDevices: false",
)
FORMAT_RULES = ("destinationURL", "lrcUrl", "headers.", "proxy.hostname", "signingSecret")


def refusals(parse: Callable[[Any], Any], body: Any) -> list[LongwireError]:
    try:
        parse(body)
    except InvalidDocument as error:
        return list(error.problems)
    return []


def is_beyond_schemas(problem: LongwireError) -> bool:
    field = str(problem.field)
    return any(rule in str(problem) for rule in RULES) or any(rule in field for rule in FORMAT_RULES)


def in_json(document: Any) -> Any:
    """Return the document as it is after its way over the wire."""
    return json.loads(json.dumps(document))


def bodies(name: str) -> st.SearchStrategy[Any]:
    return from_schema(schema_of(DOCUMENTS[name].shape))


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("use", Use)
def test_it_is_a_json_schema_of_the_draft_of_2020(name: str, use: Use) -> None:
    Draft202012Validator.check_schema(schema_of(DOCUMENTS[name].shape, use))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_schema_accepts_is_accepted(name: str) -> None:
    @given(bodies(name))
    @examples(80)
    def check(body: Any) -> None:
        told = refusals(DOCUMENTS[name].parse, in_json(body))
        event("refused by a rule beyond schemas" if told else "accepted")
        assert [str(each) for each in told if not is_beyond_schemas(each)] == []

    check()


@st.composite
def spoiled(draw: st.DrawFn, name: str) -> Any:
    """Give a document in which one member, at any depth, is anything, absent, or unknown."""
    body = in_json(draw(bodies(name)))
    holders = [body, *(value for value in body.values() if isinstance(value, dict))]
    holders += [each for value in body.values() if isinstance(value, list) for each in value]
    holder = draw(st.sampled_from([each for each in holders if isinstance(each, dict)]))
    member = draw(st.sampled_from(sorted(holder)) if holder else st.text(max_size=5)) or "x"
    if draw(st.booleans()):
        holder[member] = draw(ANY_JSON)
    else:
        holder.pop(member, None)
    return in_json(body)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_schema_refuses_is_refused_and_the_reverse(name: str) -> None:
    declared = DOCUMENTS[name]
    validator = Draft202012Validator(schema_of(declared.shape))

    @given(spoiled(name))
    @examples(80)
    def check(body: Any) -> None:
        told = refusals(declared.parse, body)
        if validator.is_valid(body):
            assert [str(each) for each in told if not is_beyond_schemas(each)] == []
        else:
            assert told, next(validator.iter_errors(body)).message

    check()


def test_what_a_get_shows_of_a_secret_says_so() -> None:
    configuration = schema_of(CONNECTION)["properties"]["configuration"]["properties"]
    secrets = [configuration["signingSecret"], configuration["proxy"]["properties"]["password"]]

    for secret in secrets:
        assert secret["x-secret"] is True
        assert "Reads back as `*****`" in secret["description"]


def test_a_merge_patch_may_remove_any_member_and_needs_none() -> None:
    validator = Draft202012Validator(schema_of(CONNECTION, Use.PATCH))

    assert validator.is_valid({})
    assert validator.is_valid({"name": None, "configuration": {"headers": {"X-A": None}, "proxy": None}})
    assert not validator.is_valid({"nmae": "x"})
    assert not validator.is_valid({"configuration": {"maxInFlight": 0}})


def limits(schema: Any) -> list[Any]:
    """Return values on both sides of each limit of a schema that has no choice."""
    found: list[Any] = []
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in schema:
            found += [schema[bound], schema[bound] + step]
    if schema.get("type") == "string" and "pattern" not in schema and "format" not in schema:
        lengths = {schema.get("minLength", 0), schema.get("maxLength", 0)}
        found += ["x" * (length + step) for length in lengths for step in (-1, 0, 1) if length + step >= 0]
    if "maxItems" in schema and schema["maxItems"] > 0:
        element = minimal(schema["items"])
        found += [[element] * schema["maxItems"], [element] * (schema["maxItems"] + 1)]
    return found


@pytest.mark.parametrize("name", DOCUMENTS)
def test_both_draw_the_same_line_at_every_limit(name: str) -> None:
    declared = DOCUMENTS[name]
    schema = schema_of(declared.shape)
    validator = Draft202012Validator(schema)
    bodies = [
        put(minimal(schema), path, value, schema)
        for path, inner in places(schema)
        for option in options_of(inner)
        for value in limits(option)
    ]

    for body in bodies:
        told = [each for each in refusals(declared.parse, body) if not is_beyond_schemas(each)]
        assert validator.is_valid(body) == (not told), (str(body)[:300], [str(each) for each in told])
    assert len(bodies) > 5
