"""Reading the parameters of a query by their declaration; unknown ones are ignored."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from longwire.core.document import Document, Member, Object
from longwire.core.errors import InvalidInput
from longwire.core.kinds import Boolean, Integer, Kind, ListOf, Place

T = TypeVar("T")

_BOOLEANS = {"true": True, "false": False}
_MOST_DIGITS = 18


def read_query(declared: Mapping[str, Member], query: Mapping[str, str]) -> Document:
    """Return the declared parameters; raises InvalidDocument with every one that is wrong."""
    given = {name: _as_json(member.kind, query[name]) for name, member in declared.items() if name in query}
    known, place = Object(name="Query", members=declared), Place("", [])
    document = known.read(given, place) or Document(known, place)
    document.finish()
    return document


def parse_time(text: str, name: str) -> datetime:
    """Return a time in ISO 8601, in UTC where it names no zone; raises InvalidInput."""
    try:
        # In a query a `+` that was not encoded has become a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        problem = f"expected a time in ISO 8601 like 2026-03-14T10:00:00Z, got {text[:40]!r}"
        raise InvalidInput(name, problem) from error


def _as_json(kind: Kind, text: str) -> Any:
    """Return what the text of a parameter means: a query has only texts."""
    match kind:
        case Boolean():
            return _BOOLEANS.get(text, text)
        case ListOf():
            return text.split(",")
        case Integer() if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS:
            return int(text)
        case _:
            return text


def parsed(document: Document, name: str, parse: Callable[[str, str], T]) -> T | None:
    """Return what a text parameter means, None where it is absent; what is wrong is noted in the document."""
    text = document.text(name)
    if text is None:
        return None
    try:
        return parse(text, document.at(name))
    except InvalidInput as problem:
        document.note(problem)
        return None
