"""Writing many rows with few statements.

The driver lets other threads run for every row of an `executemany`; next to a busy event loop that handing over and
back costs many times the write itself (docs/benchmarks.md). One statement with many rows hands over once. Rows are
split into a few sizes, so that the driver's cache knows every statement.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, repeat
from typing import Any

from sqlalchemy.engine import Connection

LARGEST = 128
_SIZES = (LARGEST, 96, 64, 48, *range(32, 0, -1))

Row = tuple[Any, ...]


def write_rows(sql: Connection, statement: str, rows: Sequence[Row]) -> None:
    """Run a statement in which `{rows}` stands for `(?,...),(?,...)`, for all rows, in order."""
    for part in _parts(rows):
        places = f"({','.join('?' * len(part[0]))})"
        text = statement.replace("{rows}", ",".join([places] * len(part)))
        sql.exec_driver_sql(text, tuple(chain.from_iterable(part)))


def find_any(sql: Connection, statement: str, values: Collection[Any], *others: Any) -> set[Any]:
    """Return the first column of what a query finds; in it `{values}` stands for `?,?,...`, before `others`."""
    return {row[0] for row in find_rows(sql, statement, values, *others)}


def find_rows(sql: Connection, statement: str, values: Collection[Any], *others: Any) -> Sequence[Any]:
    """Return what a query finds; in it `{values}` stands for `?,?,...`, before `others`.

    A value is repeated up to a power of two, for the driver's cache.
    """
    if not values:
        return ()
    places = 1 << (len(values) - 1).bit_length()
    padded = (*values, *repeat(next(iter(values)), places - len(values)))
    text = statement.replace("{values}", ",".join("?" * places))
    return sql.exec_driver_sql(text, (*padded, *others)).all()


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    begin = 0
    for size in _SIZES:
        while begin + size <= len(rows):
            yield rows[begin : begin + size]
            begin += size
