"""The API as it describes itself: the operations of the served document, and bodies made from its schemas."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from typing import Any

from tests.e2e.api_client import API, Answer, Api, Json

Path = tuple[str | int, ...]

NO_SUCH_ID = "999999"
# Texts that a rule beyond the schema accepts, by the name of the rule.
EXAMPLES: Mapping[str, str] = {
    "longwire-url": "http://127.0.0.1:9/hook",
    "longwire-proxy": "127.0.0.1:3128",
    "longwire-duration": "10s",
    "longwire-pattern": "{DevEUI}",
    "longwire-signing-secret": "whsec_" + "QUJD" * 11,
    "date-time": "2030-01-01T00:00:00.000Z",
}
# The same by a part of the pattern; the first counts.
PATTERNS: Mapping[str, str] = {
    "lora:": "lora:00000000000000EF",
    "{16}": "00000000000000EF",
}


@dataclass(frozen=True, slots=True)
class Described:
    """One operation of the document."""

    method: str
    path: str
    operation: Json
    document: Json = field(repr=False)

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def collection(self) -> str:
        """What the path lists, or has one of."""
        return self.path.removeprefix(API + "/").partition("/{")[0].strip("/")

    @property
    def is_api(self) -> bool:
        """Whether it is below the API's base path."""
        return self.path.startswith(f"{API}/")

    @property
    def is_planned(self) -> bool:
        return bool(self.operation.get("x-planned"))

    @property
    def media_type(self) -> str | None:
        content = self.operation.get("requestBody", {}).get("content", {})
        return next(iter(content), None)

    @property
    def body_schema(self) -> Json:
        """The schema of the body, its references followed."""
        assert self.media_type is not None
        content = self.operation["requestBody"]["content"]
        schema: Json = self.resolve(content[self.media_type]["schema"])
        return schema

    @property
    def query(self) -> list[Json]:
        return [each for each in self.operation["parameters"] if each["in"] == "query"]

    def resolve(self, schema: Any) -> Any:
        """Return a schema with every reference in it followed."""
        if isinstance(schema, list):
            return [self.resolve(each) for each in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return self.resolve(reduce(getitem, schema["$ref"].split("/")[1:], self.document))
        if "allOf" in schema:
            return {**self.resolve(schema["allOf"][0]), **{k: v for k, v in schema.items() if k != "allOf"}}
        return {name: self.resolve(value) for name, value in schema.items()}

    def send(
        self,
        api: Api,
        ids: Mapping[str, str],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: str = "",
    ) -> Answer:
        """Send to this operation, with the id of something of its kind in the path."""
        path = self.path
        for name in ("id", "devEUI", "uuid"):
            path = path.replace(f"{{{name}}}", ids.get(self.collection, NO_SUCH_ID))
        media = {} if body is None or self.media_type is None else {"Content-Type": self.media_type}
        fields = {"Authorization": f"Bearer {api.key}", **media, **(headers or {})}
        return api.raw(self.method, f"{path}?{query}" if query else path, body, fields)


def operations(document: Json) -> list[Described]:
    return [
        Described(method.upper(), path, operation, document)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def closed(schema: Any) -> Any:
    """Return the document with every object closed that has named members."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(each) for name, each in schema.items()}
    return (
        {"additionalProperties": False, **inner}
        if inner.get("type") == "object" and "properties" in inner
        else inner
    )


def minimal(schema: Json) -> Any:
    """Return the smallest value the schema accepts."""
    if "enum" in schema:
        return schema["enum"][0]
    for options in (schema.get("anyOf"), schema.get("oneOf")):
        if options:
            return minimal(options[0])
    kind = schema.get("type", "object")
    simple: Json = {
        "boolean": True,
        "integer": schema.get("minimum"),
        "number": schema.get("minimum"),
        "array": [],
    }
    first = kind[0] if isinstance(kind, list) else kind
    if first == "string":
        return _text(schema)
    if first in simple:
        return simple[first]
    return {name: minimal(schema["properties"][name]) for name in schema.get("required", ())}


def _text(schema: Json) -> str:
    rule = str(schema.get("format"))
    if rule in EXAMPLES:
        return EXAMPLES[rule]
    for words, example in PATTERNS.items():
        if words in schema.get("pattern", ""):
            return example
    return "1" * int(schema.get("minLength", 1) or 1)


def options_of(schema: Json) -> list[Json]:
    """Return the schema and every schema it offers a choice of."""
    inner = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    return [schema, *(option for each in inner for option in options_of(each))]


def places(schema: Json, path: Path = ()) -> Iterator[tuple[Path, Json]]:
    """Give the path and the schema of everything a body may hold, the body itself first; no read-only members."""
    yield path, schema
    for inner in options_of(schema)[1:]:
        if inner.get("type") == "object":
            yield from list(places(inner, path))[1:]
    for name, member in schema.get("properties", {}).items():
        if not member.get("readOnly"):
            yield from places(member, (*path, name))
    if isinstance(schema.get("items"), dict) and schema.get("maxItems") != 0:
        yield from places(schema["items"], (*path, 0))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from places(schema["additionalProperties"], (*path, "X-Any"))


def put(body: Any, path: Path, value: Any, schema: Json) -> Any:
    """Return a body with a value at a path; what is missing on the way is made by the schema."""
    if not path:
        return value
    name, rest = path[0], path[1:]
    options = options_of(schema)
    if isinstance(name, int):
        element = next(each["items"] for each in options if "items" in each)
        first = body[0] if body else minimal(element)
        return [put(first, rest, value, element)]
    known = [each for each in options if name in each.get("properties", {})]
    open_ones = [each for each in options if isinstance(each.get("additionalProperties"), dict)]
    option = (known or open_ones)[0]
    inner = option["properties"][name] if known else option["additionalProperties"]
    # Of several kinds of object, the one that has the member.
    holder: Json = minimal(option) if "oneOf" in schema else dict(body) if isinstance(body, dict) else {}
    return {**holder, name: put(holder.get(name, minimal(inner)), rest, value, inner)}


def wrong_values(schema: Json) -> list[Any]:
    """Return values of types that the schema does not have; none where it takes anything."""
    options = options_of(schema)
    types = {kind for option in options for kind in _types_of(option)}
    values: dict[str, Any] = {"integer": 5, "string": "longwire-wrong", "array": [], "object": {}}
    if "number" in types:
        types.add("integer")
    if "enum" in schema:
        return [value for value in values.values() if value not in schema["enum"]]
    return [value for kind, value in values.items() if types and kind not in types]


def _types_of(schema: Json) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)
