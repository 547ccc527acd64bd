"""Documents that a JSON Schema of ours accepts: a strategy for the few words our schemas use."""

from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
FORMATS: Mapping[str, st.SearchStrategy[str]] = {
    "longwire-url": st.sampled_from(["http://example.org", "HTTPS://[::1]:8443/a/{DevEUI}?x={FPort|'0'}"]),
    "longwire-pattern": st.sampled_from(["", "text", "{DevEUI}", "{a.b|c|'none'} {{x}}"]),
    "longwire-proxy": st.sampled_from(["proxy", "http://proxy:3128/", "socks5://10.0.0.1"]),
    "longwire-duration": st.sampled_from(["1s", "60s", "1m", "0001s"]),
    "longwire-signing-secret": st.just("whsec_" + "QUJD" * 11),
    "longwire-lrc-url": st.sampled_from(["https://lrc.example/thingpark/lrc/rest/downlink"]),
    "longwire-digits": st.sampled_from(["1", "007", "224"]),
    "longwire-moment": st.sampled_from(["2026-11-24T10:00:00Z", "2026-11-24T10:00:00.123+01:00"]),
    "pem": st.text(max_size=5),
    "date-time": st.datetimes().map(lambda moment: f"{moment.isoformat(timespec='milliseconds')}Z"),
}


def from_schema(schema: Schema) -> st.SearchStrategy[Any]:
    """Give documents the schema accepts; a word it does not know is an error, never ignored."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([from_schema(each) for each in schema["anyOf"]])
    if "oneOf" in schema:
        return st.one_of([from_schema(each) for each in schema["oneOf"]])
    if "type" not in schema:
        assert not set(schema) - {"description", "readOnly", "default"}, schema
        return ANY_JSON
    return _of_type(schema["type"], schema)


def _of_type(kind: str | list[str], schema: Schema) -> st.SearchStrategy[Any]:
    if isinstance(kind, list):
        return st.one_of([_of_type(each, schema) for each in kind])
    return _TYPES[kind](schema)


def _integer(schema: Schema) -> st.SearchStrategy[int | float]:
    whole = st.integers(schema["minimum"], schema.get("maximum"))
    # To JSON Schema 16.0 is an integer.
    return whole | whole.filter(lambda number: abs(number) < 2**53).map(float)


def _text(schema: Schema) -> st.SearchStrategy[str]:
    if (known := FORMATS.get(schema.get("format", ""))) is not None:
        return known
    if "pattern" in schema:
        return st.from_regex(schema["pattern"].removeprefix("^").removesuffix("$"), fullmatch=True)
    longest = schema.get("maxLength", 10)
    return st.text(min_size=schema.get("minLength", 0), max_size=min(longest, 10))


def _object(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "propertyNames" in schema:
        names = from_schema(schema["propertyNames"])
        return st.dictionaries(names, from_schema(schema["additionalProperties"]), max_size=3)
    members = {name: from_schema(each) for name, each in schema["properties"].items()}
    required = {name: members.pop(name) for name in schema.get("required", ())}
    return st.fixed_dictionaries(required, optional=members)


_TYPES: Mapping[str, Callable[[Schema], st.SearchStrategy[Any]]] = {
    "string": _text,
    "boolean": lambda _: st.booleans(),
    "integer": _integer,
    "number": lambda schema: st.floats(schema["minimum"], schema["maximum"]),
    "array": lambda schema: st.lists(
        from_schema(schema["items"]), max_size=min(3, schema.get("maxItems", 3))
    ),
    "object": _object,
    "null": lambda _: st.none(),
}
