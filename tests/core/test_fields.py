"""Reading members by name and type: everything that is wrong is collected, and named by its JSON path."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.errors import InvalidInput, NotAvailableYet
from longwire.core.fields import Fields, InvalidDocument, Known, describe, without_none

SECOND = timedelta(seconds=1)
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
READERS: dict[str, Callable[[Fields], Any]] = {
    "text": lambda fields: fields.text("m"),
    "required_text": lambda fields: fields.required_text("m"),
    "boolean": lambda fields: fields.boolean("m", default=True),
    "integer": lambda fields: fields.integer("m", 5, 1, 10),
    "duration": lambda fields: fields.duration("m", 5 * SECOND, SECOND, 60 * SECOND),
    "inner": lambda fields: fields.inner("m").members,
    "elements": lambda fields: fields.elements("m"),
}
KINDS: dict[str, type] = {
    "text": str,
    "required_text": str,
    "boolean": bool,
    "integer": int,
    "duration": str,
    "inner": dict,
    "elements": list,
}


def problems(fields: Fields) -> list[str]:
    return [str(problem) for problem in fields.problems]


@pytest.mark.parametrize(
    ("reader", "value", "expected"),
    [
        ("text", "x", "x"),
        ("text", "", ""),
        ("required_text", "x", "x"),
        ("boolean", False, False),
        ("integer", 1, 1),
        ("integer", 10, 10),
        ("duration", "1s", SECOND),
        ("duration", "60s", 60 * SECOND),
        ("duration", "1m", 60 * SECOND),
        ("duration", "0001s", SECOND),
        ("inner", {"a": 1}, {"a": 1}),
        ("elements", ["a", 1], [("outer.m[0]", "a"), ("outer.m[1]", 1)]),
    ],
)
def test_a_member_of_the_right_type_is_read(reader: str, value: object, expected: object) -> None:
    fields = Fields({"m": value}, "outer")

    assert READERS[reader](fields) == expected
    fields.finish()


@pytest.mark.parametrize(
    ("reader", "default"),
    [
        ("text", None),
        ("boolean", True),
        ("integer", 5),
        ("duration", 5 * SECOND),
        ("inner", {}),
        ("elements", []),
    ],
)
def test_an_absent_member_has_its_default(reader: str, default: object) -> None:
    fields = Fields({})

    assert READERS[reader](fields) == default
    fields.finish()


@pytest.mark.parametrize(
    ("reader", "value", "problem"),
    [
        ("text", 1, "expected a string, got an integer"),
        ("text", None, "expected a string, got null"),
        ("text", {}, "expected a string, got an object"),
        ("required_text", "", "must not be empty"),
        ("required_text", None, "expected a string, got null"),
        ("boolean", 1, "expected true or false, got an integer"),
        ("boolean", "true", "expected true or false, got a string"),
        ("boolean", None, "expected true or false, got null"),
        ("integer", True, "expected an integer, got true or false"),
        ("integer", 1.0, "expected an integer, got a number"),
        ("integer", "1", "expected an integer, got a string"),
        ("integer", 0, "expected 1..10, got 0"),
        ("integer", 11, "expected 1..10, got 11"),
        ("integer", 10**100, "expected 1..10, got 1"),
        ("duration", 10, "expected a string, got an integer"),
        ("duration", "10", "expected a duration such as '10s' from 1s to 60s, got '10'"),
        ("duration", "", "expected a duration"),
        ("duration", "0s", "expected a duration"),
        ("duration", "61s", "expected a duration"),
        ("duration", "1h", "expected a duration"),
        ("duration", "1d", "expected a duration"),
        ("duration", "-1s", "expected a duration"),
        ("duration", "1.5s", "expected a duration"),
        ("duration", " 1s", "expected a duration"),
        ("duration", "1s\n", "expected a duration"),
        ("duration", "９s", "expected a duration"),  # noqa: RUF001 - a digit, but none of ours
        ("duration", "9" * 5000 + "s", "expected a duration"),
        ("inner", [], "expected an object, got an array"),
        ("inner", None, "expected an object, got null"),
        ("elements", {}, "expected an array, got an object"),
    ],
)
def test_a_wrong_member_is_noted_with_its_path_and_has_its_default(
    reader: str, value: object, problem: str
) -> None:
    fields = Fields({"m": value}, "outer")

    read = READERS[reader](fields)

    assert len(problems(fields)) == 1
    assert problems(fields)[0].startswith(f"outer.m: {problem}")
    assert len(problems(fields)[0]) < 200
    assert read == READERS[reader](Fields({})) or reader == "required_text"


def test_a_text_has_a_longest_length() -> None:
    fields = Fields({"m": "é" * 255, "n": "é" * 256})
    fields.text("m", longest=255)
    fields.text("n", longest=255)

    assert problems(fields) == ["n: longer than 255 characters"]


def test_a_required_member_that_is_absent_is_named() -> None:
    fields = Fields({})
    fields.required_text("m")
    fields.inner("n", required=True)

    assert problems(fields) == ["m: required", "n: required"]


@pytest.mark.parametrize("document", [None, [], "x", 1, True, 1.5])
def test_a_document_that_is_no_object_is_named_body_or_by_its_path(document: object) -> None:
    assert problems(Fields(document)) == [f"body: expected an object, got {describe(document)}"]
    assert problems(Fields(document, "a[0]")) == [f"a[0]: expected an object, got {describe(document)}"]


KNOWN = Known(
    built=frozenset({"name", "headers", "strictMode"}),
    planned=frozenset({"proxy"}),
    ignored=frozenset({"id"}),
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
    fields = Fields({name: 1, "name": 1, "id": 1})
    fields.check_names(KNOWN)

    assert problems(fields) == [problem]


def test_a_very_long_name_is_shortened() -> None:
    fields = Fields({"x" * 100_000: 1})
    fields.check_names(KNOWN)

    assert len(problems(fields)[0]) < 150


def test_elements_that_are_not_built_yet_are_refused_by_the_name_of_their_array() -> None:
    fields = Fields({"none": [], "some": [1]}, "outer")
    fields.empty_array("none")
    fields.empty_array("some")
    fields.empty_array("absent")

    assert problems(fields) == ["not available yet: outer.some"]
    assert isinstance(fields.problems[0], NotAvailableYet)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    fields = Fields({"a": 1, "inside": {"b": 2, "proxy": 3}})
    fields.text("a")
    inner = fields.inner("inside")
    inner.check_names(Known(built=frozenset({"b"}), planned=frozenset({"proxy"})))
    inner.text("b")

    with pytest.raises(InvalidDocument) as error:
        fields.finish()
    assert str(error.value) == "a: expected a string, got an integer"
    assert error.value.field == "a"
    assert error.value.code == InvalidInput.code
    assert error.value.details == {
        "field": "a",
        "errors": [
            {"field": "a", "message": "a: expected a string, got an integer"},
            {"field": "inside.proxy", "message": "not available yet: inside.proxy"},
            {"field": "inside.b", "message": "inside.b: expected a string, got an integer"},
        ],
    }


def test_one_problem_speaks_with_its_own_code() -> None:
    fields = Fields({"proxy": 1})
    fields.check_names(KNOWN)

    with pytest.raises(InvalidDocument) as error:
        fields.finish()
    assert error.value.code == NotAvailableYet.code
    assert error.value.details == {"field": "proxy"}


@given(ANY_JSON, st.sampled_from(sorted(READERS)))
@examples(200)
def test_whatever_stands_there_a_reader_gives_a_usable_value_or_notes_what_is_wrong(
    value: object, reader: str
) -> None:
    fields = Fields({"m": value})

    read = READERS[reader](fields)

    kind = KINDS[reader]
    has_right_type = isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    assert len(fields.problems) <= 1
    assert has_right_type or fields.problems
    assert all(problem.field == "m" for problem in fields.problems)
    if fields.problems and reader != "required_text":
        assert read == READERS[reader](Fields({}))


@given(ANY_JSON)
@examples(50)
def test_a_value_is_described_in_words_without_its_content(value: object) -> None:
    assert describe(value) in {
        "null",
        "a number",
        "an object",
        "an array",
        "a string",
        "true or false",
        "an integer",
    }


def test_members_without_a_value_are_left_out_at_any_depth_of_objects() -> None:
    document = {"a": None, "b": {"c": None, "d": {"e": None}}, "f": [None], "g": False, "h": ""}

    assert without_none(document) == {"b": {"d": {}}, "f": [None], "g": False, "h": ""}


@given(ANY_JSON)
@examples(100)
def test_no_document_makes_anything_but_our_own_errors(document: object) -> None:
    fields = Fields(document)
    for reader in READERS.values():
        reader(fields)
    fields.check_names(KNOWN)
    if not fields.problems:
        fields.finish()
        return
    with pytest.raises(InvalidDocument) as error:
        fields.finish()
    assert error.value.details["field"]
