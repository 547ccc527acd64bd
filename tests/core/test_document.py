"""Declared documents: members read by kind, everything wrong collected and named by its JSON path."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples
from tests.samples.from_schema import ANY_JSON

from longwire.core.document import Document, Member, Object, Use, read_body, schema_of
from longwire.core.errors import InvalidInput, NotAvailableYet
from longwire.core.fields import MASK, InvalidDocument, describe, without_none
from longwire.core.kinds import (
    Anything,
    Boolean,
    Choice,
    Duration,
    EmptyList,
    Integer,
    Kind,
    ListOf,
    MapOf,
    Nullable,
    Number,
    Text,
    Whole,
)

SECOND = timedelta(seconds=1)
INNER = Object(
    name="Inner",
    members={
        "a": Member(kind=Text(), description="A."),
        "n": Member(kind=Integer(0, 9), description="N.", required=True),
    },
)
KINDS: dict[str, Kind] = {
    "text": Text(shortest=1, longest=5),
    "pattern": Text(pattern="[0-9a-f]{2}", says="expected two digits"),
    "boolean": Boolean(),
    "integer": Integer(1, 10),
    "whole": Whole(1, 10),
    "number": Number(0.5, 10),
    "duration": Duration(SECOND, 60 * SECOND),
    "choice": Choice(("A", "B"), planned=("C",)),
    "list": ListOf(Text(), most=2),
    "empty": EmptyList(),
    "map": MapOf(Text(pattern="[a-z]+", says="expected letters"), Text(), most=2),
    "object": INNER,
    "nullable": Nullable(Text()),
}


def declare(kind: Kind, *, default: Any = None, required: bool = False) -> Object:
    member = Member(kind=kind, description="M.", default=default, required=required)
    return Object(name="Outer", members={"m": member})


def problems(document: Document) -> list[str]:
    return [str(problem) for problem in document.place.problems]


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("text", "x", "x"),
        ("text", "é" * 5, "é" * 5),
        ("pattern", "0f", "0f"),
        ("boolean", False, False),
        ("integer", 1, 1),
        ("integer", 10.0, 10),
        ("whole", "007", 7),
        ("whole", 7.0, 7),
        ("number", 0.5, 0.5),
        ("number", 10, 10),
        ("duration", "1s", SECOND),
        ("duration", "1m", 60 * SECOND),
        ("duration", "0001s", SECOND),
        ("choice", "A", "A"),
        ("list", ["a", "b"], ["a", "b"]),
        ("empty", [], []),
        ("map", {"x": "1"}, {"x": "1"}),
    ],
)
def test_a_member_of_the_right_kind_is_read(kind: str, value: Any, read: Any) -> None:
    document = read_body(declare(KINDS[kind]), {"m": value})

    document.finish()
    assert document.values["m"] == read


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        ("text", 1, "m: expected a string, got an integer"),
        ("text", None, "m: expected a string, got null"),
        ("text", "", "m: must not be empty"),
        ("text", "é" * 6, "m: longer than 5 characters"),
        ("pattern", "0F", "m: expected two digits"),
        ("pattern", "0f\n", "m: expected two digits"),
        ("boolean", 1, "m: expected true or false, got an integer"),
        ("boolean", "true", "m: expected true or false, got a string"),
        ("integer", True, "m: expected an integer, got true or false"),
        ("integer", 1.5, "m: expected an integer, got a number"),
        ("integer", float("inf"), "m: expected an integer, got a number"),
        ("integer", "1", "m: expected an integer, got a string"),
        ("integer", 0, "m: expected 1..10, got 0"),
        ("integer", 10**100, "m: expected 1..10, got 1"),
        ("whole", "x", "m: expected a whole number 1..10"),
        ("whole", True, "m: expected a whole number 1..10"),
        ("number", "1", "m: expected a number, got a string"),
        ("number", True, "m: expected a number, got true or false"),
        ("number", 0.4, "m: expected 0.5..10, got 0.4"),
        ("duration", 10, "m: expected a string, got an integer"),
        ("duration", "10", "m: expected a duration such as '10s' from 1s to 60s, got '10'"),
        ("duration", "0s", "m: expected a duration"),
        ("duration", "61s", "m: expected a duration"),
        ("duration", "-1s", "m: expected a duration"),
        ("duration", " 1s", "m: expected a duration"),
        ("duration", "1s\n", "m: expected a duration"),
        ("duration", "９s", "m: expected a duration"),  # noqa: RUF001 - a digit, but none of ours
        ("duration", "9" * 5000 + "s", "m: expected a duration"),
        ("choice", "D", "m: expected A or B, got 'D'"),
        ("choice", "C", "not available yet: m: C"),
        ("choice", [], "m: expected a string, got an array"),
        ("list", {}, "m: expected an array, got an object"),
        ("list", ["a", "b", "c"], "m: more than 2 elements"),
        ("list", ["a", 1], "m[1]: expected a string, got an integer"),
        ("empty", [1], "not available yet: m"),
        ("map", [], "m: expected an object, got an array"),
        ("map", {"X": "1"}, "m.X: expected letters"),
        ("map", {"x": 1}, "m.x: expected a string, got an integer"),
        ("map", {"a": "1", "b": "2", "c": "3"}, "m: more than 2 members"),
        ("object", [], "m: expected an object, got an array"),
        ("object", {"a": 1, "n": 1}, "m.a: expected a string, got an integer"),
        ("object", {}, "m.n: required"),
        ("object", {"n": 1, "b": 1}, "m.b: unknown member"),
        ("nullable", 1, "m: expected a string, got an integer"),
    ],
)
def test_a_wrong_member_is_noted_with_its_path(kind: str, value: Any, problem: str) -> None:
    told = problems(read_body(declare(KINDS[kind]), {"m": value}))

    assert len(told) == 1
    assert told[0].startswith(problem)
    assert len(told[0]) < 200


BODIES: list[Any] = [{}, {"m": []}]


def test_an_absent_or_wrong_member_has_its_default_or_an_empty_value() -> None:
    for body in BODIES:
        assert read_body(declare(Integer(1, 10), default=5), body).integer("m") == 5
        assert read_body(declare(Text(), default="x"), body).required_text("m") == "x"
        assert read_body(declare(Text()), body).text("m") is None
        assert read_body(declare(Boolean(), default=True), body).boolean("m") is True
        assert (
            read_body(declare(Duration(SECOND, 9 * SECOND), default="5s"), body).duration("m") == 5 * SECOND
        )
        assert read_body(declare(INNER), body).inner("m").text("a") is None
    assert read_body(declare(MapOf(Text(), Text(), 1)), {}).map("m") == {}
    assert read_body(declare(ListOf(Text())), {}).elements("m") == []


def test_a_required_member_that_is_absent_is_named() -> None:
    assert problems(read_body(declare(Text(), required=True), {})) == ["m: required"]


@pytest.mark.parametrize("body", [None, [], "x", 1, True, 1.5])
def test_a_body_that_is_no_object_is_named_so(body: object) -> None:
    assert problems(read_body(INNER, body)) == [f"body: expected an object, got {describe(body)}"]


KNOWN = Object(
    name="Known",
    members={
        "name": Member(kind=Anything(), description="Name."),
        "headers": Member(kind=Anything(), description="Headers."),
        "strictMode": Member(kind=Anything(), description="Strict."),
        "id": Member(kind=Text(), description="Id.", read_only=True, required=True),
    },
    planned=frozenset({"proxy"}),
    elsewhere={"destinationURL": "configuration.destinationURL", "name": "configuration.name"},
)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Headers", "Headers: unknown member; did you mean headers?"),
        ("header", "header: unknown member; did you mean headers?"),
        ("strictmode", "strictmode: unknown member; did you mean strictMode?"),
        ("Proxy", "Proxy: unknown member; did you mean proxy?"),
        ("destinationURL", "destinationURL: unknown member; did you mean configuration.destinationURL?"),
        ("destinationUrl", "destinationUrl: unknown member; did you mean configuration.destinationURL?"),
        ("Name", "Name: unknown member; did you mean name?"),
        ("whatever", "whatever: unknown member"),
        ("", "body: unknown member"),
        ("proxy", "not available yet: proxy"),
    ],
)
def test_an_unknown_member_is_named_with_a_hint_where_one_is_near(name: str, problem: str) -> None:
    assert problems(read_body(KNOWN, {name: 1, "name": 1})) == [problem]


def test_a_read_only_member_is_ignored_whatever_it_holds() -> None:
    document = read_body(KNOWN, {"id": {"any": "thing"}})

    document.finish()
    assert "id" not in document.values
    assert schema_of(KNOWN).get("required") is None
    assert schema_of(KNOWN, Use.ANSWER)["required"] == ["id"]


def test_a_very_long_name_is_shortened() -> None:
    assert len(problems(read_body(KNOWN, {"x" * 100_000: 1}))[0]) < 150


def test_the_mask_keeps_a_stored_secret_and_nothing_else() -> None:
    declared = declare(Text())

    assert read_body(declared, {"m": MASK}).secret("m", "stored") == "stored"
    assert read_body(declared, {"m": "new"}).secret("m", "stored") == "new"
    assert read_body(declared, {}).secret("m", "stored") is None
    nothing = read_body(declared, {"m": MASK})
    assert nothing.secret("m", None) is None
    assert problems(nothing) == [f"m: {MASK} keeps a stored value, and there is none"]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    members = {
        "a": Member(kind=Text(), description="A."),
        "inside": Member(kind=INNER, description="Inside."),
    }

    with pytest.raises(InvalidDocument) as error:
        read_body(Object(name="O", members=members), {"a": 1, "inside": {"a": 2, "n": 1}}).finish()
    assert str(error.value) == "a: expected a string, got an integer"
    assert error.value.code == InvalidInput.code
    assert error.value.details == {
        "field": "a",
        "errors": [
            {"field": "a", "message": "a: expected a string, got an integer"},
            {"field": "inside.a", "message": "inside.a: expected a string, got an integer"},
        ],
    }


def test_one_problem_speaks_with_its_own_code() -> None:
    with pytest.raises(InvalidDocument) as error:
        read_body(KNOWN, {"proxy": 1}).finish()
    assert error.value.code == NotAvailableYet.code
    assert error.value.details == {"field": "proxy"}


@given(ANY_JSON, st.sampled_from(sorted(KINDS)))
@examples(200)
def test_whatever_stands_there_it_is_read_or_noted_and_never_anything_but_our_own_errors(
    value: object, kind: str
) -> None:
    document = read_body(declare(KINDS[kind]), {"m": value})

    assert ("m" in document.values) or document.place.problems or value is None
    assert all(str(each.field).startswith("m") for each in document.place.problems)


def test_a_value_is_described_in_words_without_its_content() -> None:
    values: list[Any] = [None, 1.5, {}, [], "x", True, 1]

    assert [describe(each) for each in values] == [
        "null",
        "a number",
        "an object",
        "an array",
        "a string",
        "true or false",
        "an integer",
    ]


def test_members_without_a_value_are_left_out_at_any_depth_of_objects() -> None:
    document = {"a": None, "b": {"c": None, "d": {"e": None}}, "f": [None], "g": False, "h": ""}

    assert without_none(document) == {"b": {"d": {}}, "f": [None], "g": False, "h": ""}
