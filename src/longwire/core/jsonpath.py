"""JsonPath in the Jayway dialect: a path is a tuple of steps, each leads from values to the values one step on.

The evaluation follows the Jayway library, whose answers are the oracle (specification, section 7), with its quirks:
a definite path that meets nothing has no value; an indefinite one gives what it finds. All values of a step are found
before the next is taken, so neither the length of a path nor what it finds makes the stack deeper; the work is counted
by `Reading.spend`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from longwire.core.jsonpath_functions import MISSING, Function
from longwire.core.reading import Reading


class Step(Protocol):
    """One step of a path.

    In those below `is_definite` says that the step leads from one value to one value, `is_sure` that all before it do,
    `is_last` that it ends the path.
    """

    def lead(self, values: list[Any], reading: Reading, *, required: bool) -> list[Any] | None:
        """Return where the step leads from `values`, or None when the whole path has no value.

        `required`: a member that is missing somewhere is missing altogether, as Jayway has it where a filter asks
        only whether a path exists.
        """
        ...


@dataclass(frozen=True, slots=True)
class JsonPath:
    """A compiled path; `is_many` says that its result is a list of hits, not one value."""

    steps: tuple[Step, ...]
    is_from_root: bool
    is_definite: bool
    function: Function | None
    is_many: bool


def find(path: JsonPath, item: Any, reading: Reading, *, required: bool = False) -> Any:
    """Return the value of a path, the list of its hits when it `is_many`, or MISSING.

    `item` is what `@` stands for. Raises OverBudget.
    """
    values = [reading.tree if path.is_from_root else item]
    for step in path.steps:
        reading.spend(1 + len(values))
        found = step.lead(values, reading, required=required)
        if found is None:
            return MISSING
        values = found
    if path.is_definite:
        value = values[-1] if values else MISSING
        return value if path.function is None or value is MISSING else path.function.of_value(value)
    if path.function is None:
        return values
    reading.spend(len(values))
    return path.function.of_hits(values)


@dataclass(frozen=True, slots=True)
class Name:
    """`.name`."""

    is_definite: ClassVar = True
    name: str
    is_sure: bool

    def lead(self, values: list[Any], _reading: Reading, *, required: bool) -> list[Any] | None:
        """Return the member of each object that has it."""
        found = []
        for value in values:
            if type(value) is dict:
                if self.name in value:
                    found.append(value[self.name])
                elif self.is_sure or required:
                    return None
            elif self.is_sure:
                return None
        return found

    def suits(self, value: Any, _reading: Reading, *, required: bool) -> bool:
        """Return whether `..name` takes this step from an object or array."""
        return type(value) is dict and (required or self.name in value)


@dataclass(frozen=True, slots=True)
class Names:
    """`['a','b']`: at the end of a path one object of those members, before another step each of them."""

    names: tuple[str, ...]
    is_sure: bool
    is_last: bool

    @property
    def is_definite(self) -> bool:
        """Return whether the step leads from one value to one value."""
        return self.is_last

    def lead(self, values: list[Any], reading: Reading, *, required: bool) -> list[Any] | None:
        """Return the members of each object."""
        found: list[Any] = []
        for value in values:
            reading.spend(len(self.names))
            if type(value) is not dict:
                if self.is_sure:
                    return None
                continue
            if required and not all(name in value for name in self.names):
                return None
            members = {name: value[name] for name in self.names if name in value}
            found += [members] if self.is_last else members.values()
        return found

    def suits(self, value: Any, reading: Reading, *, required: bool) -> bool:
        """Return whether `..['a','b']` takes this step from an object or array."""
        reading.spend(len(self.names))
        return type(value) is dict and (
            required or not self.is_last or all(name in value for name in self.names)
        )


@dataclass(frozen=True, slots=True)
class Indexes:
    """`[0]`, `[-1]`, `[0,2]`: the elements at these places, where they are."""

    indexes: tuple[int, ...]
    is_sure: bool

    @property
    def is_definite(self) -> bool:
        """Return whether the step leads from one value to one value."""
        return len(self.indexes) == 1

    def lead(self, values: list[Any], reading: Reading, *, required: bool) -> list[Any] | None:  # noqa: ARG002
        """Return the elements of each array."""
        found = []
        for value in values:
            if type(value) is list:
                reading.spend(len(self.indexes))
                size = len(value)
                found += [value[index] for index in self.indexes if -size <= index < size]
            elif self.is_sure:
                return None
        return found

    def suits(self, value: Any, _reading: Reading, *, required: bool) -> bool:  # noqa: ARG002
        """Return whether `..[0]` takes this step from an object or array."""
        return type(value) is list


@dataclass(frozen=True, slots=True)
class Slice:
    """`[1:]`, `[:2]`, `[1:2]`.

    With both ends given Jayway counts from the one to the other before it looks where a negative place lies.
    """

    is_definite: ClassVar = False
    first: int | None
    end: int | None
    is_sure: bool

    def lead(self, values: list[Any], reading: Reading, *, required: bool) -> list[Any] | None:  # noqa: ARG002
        """Return the elements of each array."""
        found = []
        for value in values:
            if type(value) is list:
                part = self._part(value)
                reading.spend(len(part))
                found += part
            elif self.is_sure:
                return None
        return found

    def suits(self, value: Any, _reading: Reading, *, required: bool) -> bool:  # noqa: ARG002
        """Return whether `..[1:]` takes this step from an object or array."""
        return type(value) is list

    def _part(self, value: list[Any]) -> list[Any]:
        if self.first is None or self.end is None:
            return value[self.first : self.end]
        size = len(value)
        return [value[index] for index in range(max(self.first, -size), min(self.end, size))]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`*`: every member or element."""

    is_definite: ClassVar = False
    is_sure: bool
    is_last: bool

    def lead(self, values: list[Any], reading: Reading, *, required: bool) -> list[Any] | None:  # noqa: ARG002
        """Return the members and elements of each value; what has none is passed over."""
        found: list[Any] = []
        for value in values:
            if type(value) is dict:
                reading.spend(len(value))
                found += value.values()
            elif type(value) is list:
                reading.spend(len(value))
                found += value
            elif self.is_sure and not self.is_last:
                return None
        return found

    def suits(self, _value: Any, _reading: Reading, *, required: bool) -> bool:  # noqa: ARG002
        """Return whether `..*` takes this step from an object or array."""
        return True


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?(...)]`: the elements of an array for which it holds, or an object itself."""

    is_definite: ClassVar = False
    holds: Callable[[Any, Reading], bool]
    is_sure: bool

    def lead(self, values: list[Any], reading: Reading, *, required: bool) -> list[Any] | None:  # noqa: ARG002
        """Return what the filter lets through."""
        found = []
        for value in values:
            if type(value) is list:
                reading.spend(len(value))
                found += [each for each in value if self.holds(each, reading)]
            elif type(value) is dict:
                if self.holds(value, reading):
                    found.append(value)
            elif self.is_sure:
                return None
        return found

    def suits(self, value: Any, reading: Reading, *, required: bool) -> bool:  # noqa: ARG002
        """Return whether `..[?()]` takes this step from an object or array: when the filter holds for itself."""
        return self.holds(value, reading)


Target = Name | Names | Indexes | Slice | Wildcard | Filter


@dataclass(frozen=True, slots=True)
class Scan:
    """`..` and the step after it, taken from every object and array that suits it."""

    target: Target
    is_last: bool

    def lead(self, values: list[Any], reading: Reading, *, required: bool) -> list[Any] | None:
        """Return where the step leads from each value and all that lies in it."""
        found: list[Any] = []
        for value in values:
            containers = reading.containers(value)
            reading.spend(len(containers))
            for each in containers:
                if not self.target.suits(each, reading, required=required):
                    continue
                if type(each) is list and not self.is_last:
                    # As Jayway does: an array that suits is not filtered or indexed again before another step.
                    found += each
                elif type(each) is dict and isinstance(self.target, Filter):
                    found.append(each)
                elif (led := self.target.lead([each], reading, required=required)) is not None:
                    found += led
                else:
                    return None
        return found
