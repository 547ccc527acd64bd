"""JSON objects: their members declared once, read by the declaration, everything wrong collected.

A declaration is also the object's JSON Schema, in three uses: what a request may send, what an answer holds, and
what a merge patch may hold.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from longwire.core.errors import LongwireError, NotAvailableYet
from longwire.core.fields import MASK, InvalidDocument
from longwire.core.kinds import Choice, Describe, Kind, MapOf, Nullable, Place, Schema

T = TypeVar("T")

_LONGEST_NAME_SHOWN = 100


class Use(Enum):
    """What a schema is for."""

    INPUT = "Input"
    ANSWER = ""
    PATCH = "Patch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of an object.

    `default` is written as in JSON. `read_only` members stand in answers only; in a body they are ignored whatever
    they hold, so that what GET gave can be PUT back. `required` of a read-only one: every answer has it. A `secret`
    reads back as `*****`.
    """

    kind: Kind
    description: str
    required: bool = False
    default: Any = None
    read_only: bool = False
    secret: bool = False

    @property
    def is_in_every_answer(self) -> bool:
        """Return whether an answer always has it."""
        return self.required or self.default is not None

    def schema(self, of: Describe, use: Use) -> Schema:
        """Return the member as JSON Schema."""
        if self.read_only and use is not Use.ANSWER:
            return {"description": self.description, "readOnly": True}
        inner = of(self.kind)
        schema: Schema = {"allOf": [inner]} if "$ref" in inner else inner
        if use is Use.PATCH:
            schema = {"anyOf": [schema, {"type": "null"}]}
        said: Schema = {"description": self.description}
        # Generators of clients cannot read an object as a default; an empty one says nothing either.
        if self.default not in (None, {}) and use is Use.INPUT:
            said["default"] = self.default
        if self.read_only:
            said["readOnly"] = True
        if self.secret:
            said["description"] += f" Reads back as `{MASK}`; sent back, that keeps the stored value."
            said["format"] = inner.get("format", "password")
            said["x-secret"] = True
        return {**schema, **said}


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """A declared object; `name` is its name among the schemas.

    `planned` names belong to the specification and are refused by name until they are built; `elsewhere` maps a name
    that belongs to another object to its path, for the hint.
    """

    name: str
    members: Mapping[str, Member]
    planned: frozenset[str] = frozenset()
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: Any, place: Place) -> "Document | None":
        """Return the object's members."""
        if not place.has(dict, value, "an object"):
            return None
        self._check_names(value, place)
        written = {name: member for name, member in self.members.items() if not member.read_only}
        values: dict[str, Any] = {}
        for name, member in written.items():
            if name in value:
                values[name] = member.kind.read(value[name], place.inside(name))
            elif member.required:
                place.inside(name).wrong("required")
        right = {name: inner for name, inner in values.items() if inner is not None}
        return Document(self, place, value, right)

    def _check_names(self, members: Mapping[str, Any], place: Place) -> None:
        for name in members:
            if name in self.planned:
                place.problems.append(NotAvailableYet(place.inside(name).path))
            elif name not in self.members:
                place.inside(name[:_LONGEST_NAME_SHOWN]).wrong(f"unknown member{self.hint(name)}")

    def hint(self, name: str) -> str:
        """Return `; did you mean ...?` where a known name is near, else nothing."""
        writable = [known for known, member in self.members.items() if not member.read_only]
        by_lower = {known.lower(): known for known in (*writable, *self.planned)}
        elsewhere = {known.lower(): path for known, path in self.elsewhere.items()}
        if name.lower() in elsewhere and name.lower() not in by_lower:
            return f"; did you mean {elsewhere[name.lower()]}?"
        near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.75)
        return f"; did you mean {by_lower[near[0]]}?" if near else ""

    def schema(self, of: Describe, use: Use = Use.INPUT) -> Schema:
        """Return it as JSON Schema; an answer may get members in later versions, a body has no unknown ones."""
        schema: Schema = {
            "type": "object",
            "properties": {name: member.schema(of, use) for name, member in self.members.items()},
        }
        required = [name for name, member in self.members.items() if self._is_required(member, use)]
        if required:
            schema["required"] = required
        if use is not Use.ANSWER:
            schema["additionalProperties"] = False
        return schema

    @staticmethod
    def _is_required(member: Member, use: Use) -> bool:
        match use:
            case Use.INPUT:
                return member.required and not member.read_only
            case Use.ANSWER:
                return member.is_in_every_answer
            case Use.PATCH:
                return False


@dataclass(frozen=True, slots=True)
class Document:
    """The members of one object, read; what is wrong is collected and raised by `finish`.

    Every reading method returns a usable value in any case: the default, or an empty one, where the member is absent
    or wrong. `written` is the object as it was given, `values` what is right in it.
    """

    declared: Object
    place: Place
    written: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """Return a string member."""
        return self._value(name, None)

    def required_text(self, name: str) -> str:
        """Return a string member that must be there, or has a default."""
        return self._value(name, "")

    def boolean(self, name: str) -> bool:
        """Return a boolean member."""
        return self._value(name, False)

    def integer(self, name: str) -> int:
        """Return a whole number that has a default."""
        return self._value(name, 0)

    def number(self, name: str) -> float | None:
        """Return a number."""
        return self._value(name, None)

    def duration(self, name: str) -> timedelta:
        """Return a duration; none at all where there is no default."""
        return self._value(name, timedelta(0))

    def secret(self, name: str, stored: str | None) -> str | None:
        """Return a secret; the mask keeps the stored value."""
        value = self.text(name)
        if value == MASK and stored is None:
            self.wrong(name, f"{MASK} keeps a stored value, and there is none")
        return stored if value == MASK else value

    def moment(self, name: str) -> datetime | None:
        """Return a time."""
        return self._value(name, None)

    def inner(self, name: str) -> "Document":
        """Return an object member; an empty one where it is absent or wrong."""
        kind = self.declared.members[name].kind
        assert isinstance(kind, Object)  # noqa: S101 - only objects are asked for
        return self._value(name, Document(kind, self.place.inside(name)))

    def map(self, name: str) -> Mapping[str, Any]:
        """Return an object member whose names are the caller's."""
        return self._value(name, {})

    def elements(self, name: str) -> list[Any]:
        """Return the elements of an array member that are right; objects as documents."""
        return self._value(name, [])

    def at(self, name: str) -> str:
        """Return the JSON path of a member."""
        return self.place.inside(name).path

    def wrong(self, name: str, problem: str) -> None:
        """Note that a member is wrong."""
        self.place.inside(name).wrong(problem)

    def note(self, problem: LongwireError) -> None:
        """Note an error that was made elsewhere."""
        self.place.problems.append(problem)

    def finish(self) -> None:
        """Raise InvalidDocument when anything is wrong."""
        if self.place.problems:
            raise InvalidDocument(self.place.problems)

    def _value(self, name: str, empty: T) -> T:
        if name in self.values:
            value: T = self.values[name]
            return value
        member = self.declared.members[name]
        default: T | None = (
            None if member.default is None else member.kind.read(member.default, Place("", []))
        )
        return empty if default is None else default


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """An object of one of several kinds; its member `tag` says which, by the kind's name here."""

    tag: str
    options: Mapping[str, Object]

    def read(self, value: Any, place: Place) -> Document | None:
        """Return the members of the kind it is."""
        if not place.has(dict, value, "an object"):
            return None
        if self.tag not in value:
            place.inside(self.tag).wrong("required")
            return None
        name = Choice(tuple(self.options)).read(value[self.tag], place.inside(self.tag))
        return None if name is None else self.options[name].read(value, place)

    def schema(self, of: Describe) -> Schema:
        """Return it as JSON Schema."""
        return {"oneOf": [of(each) for each in self.options.values()]}


def read_body(declared: Object, body: Any) -> Document:
    """Return a request's document; its `finish` tells what is wrong."""
    place = Place("", [])
    return declared.read(body, place) or Document(declared, place)


def describe_for(use: Use, refer: Callable[[Object, Use], Schema]) -> Describe:
    """Return what says kinds as JSON Schema in a use; `refer` says the objects inside, in its place or by name.

    A merge patch replaces arrays whole, and `null` removes a member of any object.
    """

    def of(kind: Kind) -> Schema:
        match kind:
            case Object():
                return refer(kind, use)
            case MapOf() if use is Use.PATCH:
                return replace(kind, value=Nullable(kind.value)).schema(describe_for(Use.INPUT, refer))
            case _:
                return kind.schema(describe_for(Use.INPUT, refer) if use is Use.PATCH else of)

    return of


def schema_of(kind: Kind, use: Use = Use.INPUT) -> Schema:
    """Return a kind as one JSON Schema, everything inside it in its place."""

    def in_place(inner: Object, inner_use: Use) -> Schema:
        return inner.schema(describe_for(inner_use, in_place), inner_use)

    return describe_for(use, in_place)(kind)
