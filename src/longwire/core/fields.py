"""What has to do with every document: the mask of secrets, what is wrong with many members, kinds in words."""

from collections.abc import Mapping
from typing import Any

from longwire.core.errors import InvalidInput, LongwireError

MASK = "*****"
"""What a secret reads back as; sent back, it keeps the stored value."""

_KINDS = {dict: "an object", list: "an array", str: "a string", bool: "true or false", int: "an integer"}


class InvalidDocument(InvalidInput):
    """Several members are wrong: the first is the message, all stand in `data.errors`."""

    def __init__(self, problems: list[LongwireError]) -> None:
        """Speak with the first problem's voice."""
        first = problems[0]
        LongwireError.__init__(self, str(first), field=first.field)
        self.code = first.code
        self.problems = problems

    @property
    def details(self) -> Mapping[str, Any]:
        """Return the field of the first problem, and every problem where there are several."""
        details: dict[str, Any] = {"field": self.field}
        if len(self.problems) > 1:
            details["errors"] = [{"field": each.field, "message": str(each)} for each in self.problems]
        return details


def describe(value: Any) -> str:
    """Return the kind of a JSON value in words, without its content."""
    if value is None:
        return "null"
    return "a number" if isinstance(value, float) else _KINDS[type(value)]


def without_none(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document without members that have no value, at any depth of objects."""
    return {
        name: without_none(value) if isinstance(value, dict) else value
        for name, value in document.items()
        if value is not None
    }
