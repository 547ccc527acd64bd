"""The functions at the end of a JsonPath: `length()`, `keys()`, `sum()` and their like."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from longwire.core.json_text import WrittenNumber

LONGEST_NUMBER = 64
_BEYOND_DOUBLE = 2**1023


class _Missing:
    """What a path is worth that leads nowhere; not null."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()


@dataclass(frozen=True, slots=True)
class Function:
    """What a function makes of the value of a definite path, and of the hits of an indefinite one.

    Either may give MISSING. `of_hits` is None where the function needs a definite path.
    """

    of_value: Callable[[Any], Any]
    of_hits: Callable[[list[Any]], Any]


def number_of(value: Any) -> int | float | None:
    """Return the value of a JSON number, infinite where a double cannot hold it; None for anything else.

    What is spelled with more than 64 characters counts as no number: reading it would be work without a bound.
    """
    if type(value) is int:
        return value if -_BEYOND_DOUBLE < value < _BEYOND_DOUBLE else math.inf if value > 0 else -math.inf
    return float(value) if type(value) is WrittenNumber and len(value) <= LONGEST_NUMBER else None


def _length(value: Any) -> int | None:
    return len(value) if type(value) in {list, dict} else None


def _length_of_each(hits: list[Any]) -> list[int | None]:
    return [_length(hit) for hit in hits]


def _length_of_all(hits: list[Any]) -> int:
    return sum(_length(hit) or 0 for hit in hits)


def _keys(value: Any) -> list[str] | None:
    return list(value) if type(value) is dict else None


def _keys_of_all(hits: list[Any]) -> list[str]:
    return list(dict.fromkeys(name for hit in hits if type(hit) is dict for name in hit))


def _numbers(values: Iterable[Any]) -> list[float]:
    return [float(number) for value in values if (number := number_of(value)) is not None]


def _flattened(hits: list[Any]) -> Iterable[Any]:
    for hit in hits:
        if type(hit) is list:
            yield from hit
        else:
            yield hit


def _aggregate(compute: Callable[[list[float]], float]) -> Function:
    """Return a function of all numbers there are; without any it has no value, nor when it is beyond a double."""

    def of(numbers: list[float]) -> Any:
        result = compute(numbers) if numbers else math.nan
        return result if math.isfinite(result) else MISSING

    return Function(
        of_value=lambda value: of(_numbers(value)) if type(value) is list else MISSING,
        of_hits=lambda hits: of(_numbers(_flattened(hits))),
    )


def _element(index: int) -> Function:
    return Function(
        of_value=lambda value: value[index] if type(value) is list and value else MISSING,
        of_hits=lambda _hits: MISSING,
    )


LENGTH_OF_EACH: Final = Function(_length, _length_of_each)
LENGTH_OF_ALL: Final = Function(_length, _length_of_all)

FUNCTIONS: Final = {
    "length": LENGTH_OF_ALL,
    "size": LENGTH_OF_ALL,
    "keys": Function(_keys, _keys_of_all),
    "min": _aggregate(min),
    "max": _aggregate(max),
    "avg": _aggregate(lambda numbers: sum(numbers) / len(numbers)),
    "sum": _aggregate(sum),
    "first": _element(0),
    "last": _element(-1),
}

NEED_A_DEFINITE_PATH: Final = frozenset({"first", "last"})
