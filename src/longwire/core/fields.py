"""Reading the members of a document by name and type, collecting everything that is wrong with it."""

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from longwire.core.errors import InvalidInput, LongwireError, NotAvailableYet

MASK = "*****"
"""What a secret reads back as; sent back, it keeps the stored value."""

_DURATION = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
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


@dataclass(frozen=True, slots=True)
class Known:
    """The names one object may have.

    `built` are read; `planned` belong to the specification and are refused by name until they are built;
    `ignored` are read-only members, so that what GET gave can be PUT back; `elsewhere` maps a name that belongs
    to another object to its path, for the hint.
    """

    built: frozenset[str]
    planned: frozenset[str] = frozenset()
    ignored: frozenset[str] = frozenset()
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def hint(self, name: str) -> str:
        """Return `; did you mean ...?` where a known name is near, else nothing."""
        elsewhere = {known.lower(): path for known, path in self.elsewhere.items()}
        if name.lower() in elsewhere and name.lower() not in {known.lower() for known in self.built}:
            return f"; did you mean {elsewhere[name.lower()]}?"
        by_lower = {known.lower(): known for known in self.built | self.planned}
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.75)
        return f"; did you mean {by_lower[near[0]]}?" if near else ""


class Fields:
    """The members of one JSON object; what is wrong is collected and raised by `finish`.

    Every reading method returns a usable value in any case: the default where the member is absent or wrong.
    """

    def __init__(self, document: Any, path: str = "", problems: list[LongwireError] | None = None) -> None:
        """Read `document`; `path` is its JSON path, empty for the whole body."""
        self.path = path
        self.problems: list[LongwireError] = [] if problems is None else problems
        self.members: dict[str, Any] = document if isinstance(document, dict) else {}
        if not isinstance(document, dict):
            self._wrong_type("", dict, document)

    def at(self, name: str) -> str:
        """Return the JSON path of a member."""
        return f"{self.path}.{name}" if self.path and name else self.path or name

    def wrong(self, name: str, problem: str) -> None:
        """Note that a member is wrong."""
        self.problems.append(InvalidInput(self.at(name) or "body", problem))

    def note(self, problem: LongwireError) -> None:
        """Note an error that was made elsewhere."""
        self.problems.append(problem)

    def check_names(self, known: Known) -> None:
        """Note every member that is unknown, or not built yet."""
        for name in self.members:
            if name in known.planned:
                self.note(NotAvailableYet(self.at(name)))
            elif name not in known.built and name not in known.ignored:
                self.wrong(name[:100], f"unknown member{known.hint(name)}")

    def text(self, name: str, default: str | None = None, *, longest: int = 8192) -> str | None:
        """Return a string member of at most `longest` characters."""
        value: str | None = self._typed(name, str, default)
        if value is not None and len(value) > longest:
            self.wrong(name, f"longer than {longest} characters")
        return value

    def required_text(self, name: str, *, longest: int = 8192) -> str:
        """Return a string member that must be there and not be empty."""
        value = self.text(name, longest=longest)
        if name not in self.members:
            self.wrong(name, "required")
        elif value == "":
            self.wrong(name, "must not be empty")
        return value or ""

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return a boolean member."""
        return bool(self._typed(name, bool, default))

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return an integer member within `low` and `high`."""
        value = self._typed(name, int, default)
        if not low <= value <= high:
            self.wrong(name, f"expected {low}..{high}, got {value}")
            return default
        return int(value)

    def duration(self, name: str, default: timedelta, low: timedelta, high: timedelta) -> timedelta:
        """Return a duration member written `10s`, `5m` or `1h`, within `low` and `high`."""
        text = self._typed(name, str, None)
        if text is None:
            return default
        match = _DURATION.fullmatch(text)
        value = int(match[1]) * _UNITS[match[2]] if match else None
        if value is None or not low <= value <= high:
            bounds = f"{low.total_seconds():.0f}s to {high.total_seconds():.0f}s"
            self.wrong(name, f"expected a duration such as '10s' from {bounds}, got {text[:40]!r}")
            return default
        return value

    def number(self, name: str, low: float, high: float) -> float | None:
        """Return a number member within `low` and `high`, or None."""
        value = self.members.get(name)
        if name not in self.members:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(name, f"expected a number, got {describe(value)}")
        elif not low <= value <= high:
            self.wrong(name, f"expected {low:g}..{high:g}, got {value:g}")
        else:
            return value
        return None

    def choice(self, name: str, default: str, allowed: Collection[str]) -> str:
        """Return a string member that is one of those allowed."""
        value: str = self._typed(name, str, default)
        if value not in allowed:
            self.wrong(name, f"expected {', '.join(allowed)}, got {value[:40]!r}")
            return default
        return value

    def secret(self, name: str, stored: str | None) -> str | None:
        """Return a secret string member; the mask keeps the stored value."""
        value = self.text(name)
        if value == MASK and stored is None:
            self.wrong(name, f"{MASK} keeps a stored value, and there is none")
        return stored if value == MASK else value

    def inner(self, name: str, *, required: bool = False) -> "Fields":
        """Return the reader of an object member; of an empty object where it is absent."""
        if required and name not in self.members:
            self.wrong(name, "required")
        return Fields(self.members.get(name, {}), self.at(name), self.problems)

    def elements(self, name: str) -> list[tuple[str, Any]]:
        """Return path and value of each element of an array member."""
        return [(f"{self.at(name)}[{i}]", value) for i, value in enumerate(self._typed(name, list, []))]

    def empty_array(self, name: str) -> None:
        """Note any element of an array member whose elements are not built yet."""
        if self.elements(name):
            self.note(NotAvailableYet(self.at(name)))

    def finish(self) -> None:
        """Raise InvalidDocument when anything is wrong."""
        if self.problems:
            raise InvalidDocument(self.problems)

    def _typed(self, name: str, kind: type, default: Any) -> Any:
        if name not in self.members:
            return default
        value = self.members[name]
        # bool is an int in Python, and no number in JSON.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            self._wrong_type(name, kind, value)
            return default
        return value

    def _wrong_type(self, name: str, kind: type, value: Any) -> None:
        self.wrong(name, f"expected {_KINDS[kind]}, got {describe(value)}")


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
