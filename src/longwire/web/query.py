"""Reading the parameters of a query by their declaration; unknown ones are ignored."""

from collections.abc import Mapping
from typing import Any

from longwire.core.document import Document, Member, Object
from longwire.core.kinds import Boolean, Integer, Kind, Place

_BOOLEANS = {"true": True, "false": False}
_MOST_DIGITS = 18


def read_query(declared: Mapping[str, Member], query: Mapping[str, str]) -> Document:
    """Return the declared parameters; raises InvalidDocument with every one that is wrong."""
    given = {name: _as_json(member.kind, query[name]) for name, member in declared.items() if name in query}
    known, place = Object(name="Query", members=declared), Place("", [])
    document = known.read(given, place) or Document(known, place)
    document.finish()
    return document


def _as_json(kind: Kind, text: str) -> Any:
    """Return what the text of a parameter means: a query has only texts."""
    match kind:
        case Boolean():
            return _BOOLEANS.get(text, text)
        case Integer() if text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS:
            return int(text)
        case _:
            return text
