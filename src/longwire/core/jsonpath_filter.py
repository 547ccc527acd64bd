"""What stands in `[?(...)]`: comparisons of paths and literals, `&&`, `||` and `!`, with Jayway's rules of equality."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from longwire.core.jsonpath import JsonPath, find
from longwire.core.jsonpath_functions import LONGEST_NUMBER, MISSING, number_of
from longwire.core.reading import Reading
from longwire.core.regex import Regex

Predicate = Callable[[Any, Reading], bool]
Operand = Callable[[Any, Reading], Any]
Comparison = Callable[[Any, Any, Reading], bool]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


class _NoVerdict(Exception):
    """An operator met what it cannot work on: the whole filter does not hold."""


@dataclass(frozen=True, slots=True)
class Filtering:
    """The whole of a filter."""

    predicate: Predicate

    def __call__(self, item: Any, reading: Reading) -> bool:
        """Return whether the filter holds for an element or object."""
        reading.spend(2)
        try:
            return self.predicate(item, reading)
        except _NoVerdict:
            return False


def literal(value: Any) -> Operand:
    """Return an operand that is always the same."""
    return lambda _item, _reading: value


def path_value(path: JsonPath) -> Operand:
    """Return an operand that is what a path leads to; MISSING where it leads nowhere."""
    if not path.steps and not path.is_from_root and path.function is None:
        return lambda item, _reading: item
    return lambda item, reading: find(path, item, reading)


def exists(path: JsonPath) -> Predicate:
    """Return whether a path leads somewhere; an indefinite one leads to a list, even if to an empty one."""
    return lambda item, reading: find(path, item, reading, required=True) is not MISSING


def compare(left: Operand, operator: str, right: Operand) -> Predicate:
    """Return the predicate of `left operator right`."""
    comparison = COMPARISONS[operator]

    def holds(item: Any, reading: Reading) -> bool:
        reading.spend(2)
        return comparison(left(item, reading), right(item, reading), reading)

    return holds


def all_of(predicates: list[Predicate]) -> Predicate:
    """Return the predicate of `a && b`."""
    return lambda item, reading: all(holds(item, reading) for holds in predicates)


def any_of(predicates: list[Predicate]) -> Predicate:
    """Return the predicate of `a || b`."""
    return lambda item, reading: any(holds(item, reading) for holds in predicates)


def none_of(predicate: Predicate) -> Predicate:
    """Return the predicate of `!a`."""
    return lambda item, reading: not predicate(item, reading)


def _equal(left: Any, right: Any, reading: Reading) -> bool:
    """Return whether two values are equal.

    A number equals a string that spells it, as the untyped JSON of ThingPark does; what is missing equals nothing.
    """
    kind = type(left)
    if kind is list or kind is dict:
        return type(right) is kind and len(left) == len(right) and _same_parts(left, right, reading)
    if kind is str and type(right) is str:
        reading.spend(len(left) >> 8)
        return bool(left == right)
    if number_of(left) is not None or number_of(right) is not None:
        ours, theirs = _spelled_number(left), _spelled_number(right)
        return ours is not None and ours == theirs
    return left is right and left is not MISSING


def _same_parts(left: Any, right: Any, reading: Reading) -> bool:
    reading.spend(len(left))
    if type(left) is list:
        return all(_equal(ours, theirs, reading) for ours, theirs in zip(left, right, strict=True))
    return all(name in right and _equal(value, right[name], reading) for name, value in left.items())


def _spelled_number(value: Any) -> int | float | None:
    """Return the value of a number, or of a string that spells one."""
    if type(value) is str and len(value) <= LONGEST_NUMBER and _NUMBER.fullmatch(value):
        return float(value)
    return number_of(value)


def _ordered(holds: Callable[[Any, Any], bool]) -> Comparison:
    """Return an order of two numbers or two strings; nothing else is before anything."""

    def comparison(left: Any, right: Any, reading: Reading) -> bool:
        if type(left) is str and type(right) is str:
            reading.spend(len(left) >> 8)
            return holds(left, right)
        ours, theirs = number_of(left), number_of(right)
        return ours is not None and theirs is not None and holds(ours, theirs)

    return comparison


def _matches(left: Any, right: Any, reading: Reading) -> bool:
    """Return whether a value, or any element of an array, matches as a whole."""
    pattern, value = (right, left) if isinstance(right, Regex) else (left, right)
    if not isinstance(pattern, Regex) or isinstance(value, Regex):
        return False
    if type(value) is list:
        reading.spend(len(value))
        return any(_matches_one(pattern, each, reading) for each in value)
    return _matches_one(pattern, value, reading)


def _matches_one(pattern: Regex, value: Any, reading: Reading) -> bool:
    text = ""  # as Jayway has it: what is no scalar is matched as an empty text
    if isinstance(value, str):
        text = value
    elif isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, int):
        text = str(value)
    reading.spend(pattern.steps_for(text))
    return pattern.matches(text)


def _list(value: Any) -> list[Any]:
    if type(value) is not list:
        raise _NoVerdict
    return value


def _is_in(left: Any, right: Any, reading: Reading) -> bool:
    if type(right) is dict:
        return False
    return _any_equal(left, _list(right), reading)


def _any_equal(value: Any, values: list[Any], reading: Reading) -> bool:
    reading.spend(len(values))
    return any(_equal(value, each, reading) for each in values)


def _contains(left: Any, right: Any, reading: Reading) -> bool:
    if type(left) is list:
        return _any_equal(right, left, reading)
    if type(left) is str and type(right) is str:
        reading.spend(len(left) >> 6)
        return right in left
    return False


def _is_subset(left: Any, right: Any, reading: Reading) -> bool:
    return all(_any_equal(each, _list(right), reading) for each in _list(left))


def _meets(left: Any, right: Any, reading: Reading) -> bool:
    return any(_any_equal(each, _list(right), reading) for each in _list(left))


def _has_size(left: Any, right: Any, _reading: Reading) -> bool:
    size = number_of(right)
    if size is None or type(left) not in {str, list}:
        return False
    return len(left) == int(size)


def _is_empty(left: Any, right: Any, _reading: Reading) -> bool:
    return type(left) in {str, list, dict} and (not left) is right


COMPARISONS: Final[dict[str, Comparison]] = {
    "==": _equal,
    "!=": lambda left, right, reading: not _equal(left, right, reading),
    "<": _ordered(lambda left, right: left < right),
    "<=": _ordered(lambda left, right: left <= right),
    ">": _ordered(lambda left, right: left > right),
    ">=": _ordered(lambda left, right: left >= right),
    "=~": _matches,
    "in": _is_in,
    "nin": lambda left, right, reading: not _is_in(left, right, reading),
    "subsetof": _is_subset,
    "anyof": _meets,
    "noneof": lambda left, right, reading: not _meets(left, right, reading),
    "contains": _contains,
    "size": _has_size,
    "empty": _is_empty,
}
