"""Long work on the store, in slices of some milliseconds: between them the writer is free for others.

What is to be changed is found by a reader, never by the writer.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.storage.database import Database
from longwire.storage.rows import Row, write_rows

_ROWS = 250
_FOUND = 500
_KEYS_AT_ONCE = 10_000

T = TypeVar("T")


def slices(rows: Sequence[T], size: int = _ROWS) -> Iterator[Sequence[T]]:
    """Return the rows in parts that do not hold up the writer."""
    return (rows[begin : begin + size] for begin in range(0, len(rows), size))


async def write_in_slices(database: Database, statement: str, rows: Sequence[Row]) -> None:
    """Run a statement of `write_rows` for all rows, in order; raises StorageUnavailable."""
    for part in slices(rows):
        await database.write(lambda sql, part=part: write_rows(sql, statement, part))  # type: ignore[misc]


async def delete_found(database: Database, keys: sa.Select[Any], deletion: str) -> None:
    """Delete by a statement of `write_rows` whatever has the keys that a query finds; raises StorageUnavailable."""
    limited = keys.limit(_KEYS_AT_ONCE)
    while found := await database.read(lambda sql: sql.execute(limited).all()):
        await write_in_slices(database, deletion, [tuple(key) for key in found])


async def change_found(
    database: Database,
    ids: sa.Select[Any],
    change: Callable[[Sql, list[int]], T],
    then: Callable[[T], None] = lambda _result: None,
) -> int:
    """Change what the ids are of that a query finds; return how many there were. Raises StorageUnavailable.

    `then` gets what each change returned, once it is durable.
    """
    changed = 0
    while found := await database.read(lambda sql: list(sql.scalars(ids.limit(_FOUND)))):
        then(await database.write(lambda sql, found=found: change(sql, found)))  # type: ignore[misc]
        changed += len(found)
    return changed
