"""The kinds of values a JSON document can hold: each reads a value, and says itself as JSON Schema (2020-12).

So what is validated and what is documented cannot drift apart. `core/document` puts kinds together to objects.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from longwire.core.errors import InvalidInput, LongwireError, NotAvailableYet
from longwire.core.fields import describe

Schema = dict[str, Any]

_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST_SHOWN = 40
_LONGEST_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a document: its JSON path (empty: the whole body), and where what is wrong there is noted."""

    path: str
    problems: list[LongwireError]

    def inside(self, name: str) -> "Place":
        """Return the place of a member."""
        return Place(f"{self.path}.{name}" if self.path and name else self.path or name, self.problems)

    def element(self, index: int) -> "Place":
        """Return the place of an element."""
        return Place(f"{self.path}[{index}]", self.problems)

    def wrong(self, problem: str) -> None:
        """Note what is wrong here."""
        self.problems.append(InvalidInput(self.path or "body", problem))

    def has(self, kind: type, value: Any, words: str) -> bool:
        """Return whether the value is of this type; note it when it is not."""
        # bool is an int in Python, and no number in JSON.
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            return True
        self.wrong(f"expected {words}, got {describe(value)}")
        return False


class Kind(Protocol):
    """One kind of value."""

    def read(self, value: Any, place: Place) -> Any:
        """Return the value as the program uses it; None when it is wrong, which is noted at the place."""

    def schema(self, of: "Describe") -> Schema:
        """Return the kind as JSON Schema; `of` says the kinds inside."""


Describe = Callable[[Kind], Schema]


@dataclass(frozen=True, slots=True)
class Text:
    """A string of so many characters; `pattern` is a regular expression for the whole of it, `says` it in words.

    `format` names a rule that a schema cannot say.
    """

    shortest: int = 0
    longest: int = 8192
    pattern: str | None = None
    says: str = ""
    format: str | None = None

    def read(self, value: Any, place: Place) -> str | None:
        """Return the text."""
        if not place.has(str, value, "a string"):
            return None
        text = str(value)
        if (problem := self.problem(text)) is not None:
            place.wrong(problem)
            return None
        return text

    def problem(self, text: str) -> str | None:
        """Return what is wrong with a text, or None."""
        if self.shortest > 0 and not text:
            return "must not be empty"
        if not self.shortest <= len(text):
            return f"shorter than {self.shortest} characters"
        if len(text) > self.longest:
            return f"longer than {self.longest} characters"
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            return self.says or f"does not match {self.pattern}"
        return None

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        schema: Schema = {"type": "string", "maxLength": self.longest}
        if self.shortest:
            schema["minLength"] = self.shortest
        if self.pattern is not None:
            schema["pattern"] = f"^(?:{self.pattern})$"
        if self.format is not None:
            schema["format"] = self.format
        return schema


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""

    def read(self, value: Any, place: Place) -> bool | None:
        """Return the boolean."""
        return bool(value) if place.has(bool, value, "true or false") else None

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within `low` and `high`; to JSON Schema, and so to us, 16.0 is one too."""

    low: int
    high: int

    def read(self, value: Any, place: Place) -> int | None:
        """Return the number."""
        whole = int(value) if isinstance(value, float) and value.is_integer() else value
        if not place.has(int, whole, "an integer"):
            return None
        if not self.low <= whole <= self.high:
            place.wrong(f"expected {self.low}..{self.high}, got {str(whole)[:_LONGEST_SHOWN]}")
            return None
        return int(whole)

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        return {"type": "integer", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number within `low` and `high`, as a number or as its digits."""

    low: int
    high: int

    def read(self, value: Any, place: Place) -> int | None:
        """Return the number."""
        number = whole_number(value)
        if number is None or not self.low <= number <= self.high:
            place.wrong(f"expected a whole number {self.low}..{self.high}")
            return None
        return number

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        number = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return {
            "anyOf": [number, {"type": "string", "pattern": "^[0-9]{1,10}$", "format": "longwire-digits"}]
        }


@dataclass(frozen=True, slots=True)
class Number:
    """A number within `low` and `high`."""

    low: float
    high: float

    def read(self, value: Any, place: Place) -> float | None:
        """Return the number."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            place.wrong(f"expected a number, got {describe(value)}")
            return None
        if not self.low <= value <= self.high:
            place.wrong(f"expected {self.low:g}..{self.high:g}, got {value:g}")
            return None
        return value

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        return {"type": "number", "minimum": self.low, "maximum": self.high}


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration written `10s`, `5m`, `1h` or `2d`, within `low` and `high`."""

    low: timedelta
    high: timedelta

    def read(self, value: Any, place: Place) -> timedelta | None:
        """Return the duration."""
        if not place.has(str, value, "a string"):
            return None
        match = _DURATION.fullmatch(value)
        duration = timedelta(seconds=int(match[1]) * _SECONDS[match[2]]) if match else None
        if duration is None or not self.low <= duration <= self.high:
            shown = repr(value[:_LONGEST_SHOWN])
            place.wrong(f"expected a duration such as '10s' from {self._bounds}, got {shown}")
            return None
        return duration

    @property
    def _bounds(self) -> str:
        return f"{self.low.total_seconds():.0f}s to {self.high.total_seconds():.0f}s"

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema, which cannot say the bounds: `x-from` and `x-to` do."""
        low, high = (f"{bound.total_seconds():.0f}s" for bound in (self.low, self.high))
        return {
            "type": "string",
            "pattern": "^[0-9]{1,9}[smhd]$",
            "format": "longwire-duration",
            "x-from": low,
            "x-to": high,
        }


@dataclass(frozen=True, slots=True)
class Moment:
    """A time in ISO 8601; without a zone it is UTC."""

    def read(self, value: Any, place: Place) -> datetime | None:
        """Return the time, aware UTC."""
        if not place.has(str, value, "a string"):
            return None
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            shown = repr(value[:_LONGEST_SHOWN])
            place.wrong(f"expected a time such as 2027-01-31T00:00:00Z, got {shown}")
            return None

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few strings; `planned` ones belong to the specification and are refused by name."""

    values: tuple[str, ...]
    planned: tuple[str, ...] = ()

    def read(self, value: Any, place: Place) -> str | None:
        """Return the string."""
        if not place.has(str, value, "a string"):
            return None
        if value in self.planned:
            place.problems.append(NotAvailableYet(f"{place.path}: {value}", field=place.path))
            return None
        if value not in self.values:
            place.wrong(f"expected {' or '.join(self.values)}, got {value[:_LONGEST_SHOWN]!r}")
            return None
        return str(value)

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        return {"type": "string", "enum": list(self.values)}


@dataclass(frozen=True, slots=True)
class ListOf:
    """An array; `most` None means as many as fit into a body."""

    element: Kind
    most: int | None = None

    def read(self, value: Any, place: Place) -> list[Any] | None:
        """Return the elements that are right."""
        if not place.has(list, value, "an array"):
            return None
        if self.most is not None and len(value) > self.most:
            place.wrong(f"more than {self.most} elements")
            return None
        elements = [self.element.read(each, place.element(index)) for index, each in enumerate(value)]
        return [each for each in elements if each is not None]

    def schema(self, of: Describe) -> Schema:
        """Return it as JSON Schema."""
        schema: Schema = {"type": "array", "items": of(self.element)}
        return schema if self.most is None else {**schema, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class EmptyList:
    """An array whose elements are not built yet: only an empty one is accepted."""

    def read(self, value: Any, place: Place) -> list[Any] | None:
        """Return the empty list."""
        if not place.has(list, value, "an array"):
            return None
        if value:
            place.problems.append(NotAvailableYet(place.path))
        return []

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        return {"type": "array", "items": {}, "maxItems": 0}


@dataclass(frozen=True, slots=True)
class MapOf:
    """An object with names of the caller's choice."""

    names: Text
    value: Kind
    most: int

    def read(self, value: Any, place: Place) -> Mapping[str, Any] | None:
        """Return the members that are right; of more than `most` the first ones."""
        if not place.has(dict, value, "an object"):
            return None
        if len(value) > self.most:
            place.wrong(f"more than {self.most} members")
        return {
            name: inner
            for name in list(value)[: self.most]
            if (inner := self._member(name, value[name], place)) is not None
        }

    def _member(self, name: str, value: Any, place: Place) -> Any:
        if (problem := self.names.problem(name)) is not None:
            place.inside(name[:100]).wrong(problem)
            return None
        return self.value.read(value, place.inside(name))

    def schema(self, of: Describe) -> Schema:
        """Return it as JSON Schema."""
        return {
            "type": "object",
            "propertyNames": of(self.names),
            "additionalProperties": of(self.value),
            "maxProperties": self.most,
        }


@dataclass(frozen=True, slots=True)
class Nullable:
    """A value, or null; null reads as None."""

    kind: Kind

    def read(self, value: Any, place: Place) -> Any:
        """Return the value."""
        return None if value is None else self.kind.read(value, place)

    def schema(self, of: Describe) -> Schema:
        """Return it as JSON Schema."""
        inner = of(self.kind)
        if isinstance(inner.get("type"), str) and "enum" not in inner:
            return {**inner, "type": [inner["type"], "null"]}
        return {"anyOf": [inner, {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class Anything:
    """Any JSON value."""

    def read(self, value: Any, place: Place) -> Any:  # noqa: ARG002 - nothing can be wrong
        """Return the value."""
        return value

    def schema(self, of: Describe) -> Schema:  # noqa: ARG002 - nothing inside
        """Return it as JSON Schema."""
        return {}


DEV_EUI = Text(pattern="(?:[:-]*[0-9A-Fa-f]){16}[:-]*", says="expected 16 hexadecimal digits")
"""A DevEUI: what `message.parse_dev_eui` reads."""
ID = Text(pattern="[0-9]{1,18}", says="expected an id, digits")
"""The id of a connection, a flow, a delivery: a number as its digits."""
TIME = Text(format="date-time")
"""A time as ISO 8601 in UTC with milliseconds: what answers hold."""


def whole_number(value: Any) -> int | None:
    """Return a whole number that is given as one or as its digits; None for anything else."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _LONGEST_DIGITS:
        return int(value)
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    return whole if isinstance(whole, int) and not isinstance(whole, bool) and whole >= 0 else None
