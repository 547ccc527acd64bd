"""How many messages waited on each connection, minute by minute.

A row tells the level at the end of a minute, and only where it differs from the one before: a connection with nothing
to send costs nothing, one that is closed costs no more rows than messages came. (Specification, section 16.)
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.errors import NotFound
from longwire.core.traffic import levels
from longwire.storage.database import Database
from longwire.storage.schema import connection, delivery
from longwire.storage.schema import waited as table
from longwire.storage.slices import delete_found, write_in_slices
from longwire.storage.waiting import count_by_connection

_WRITE = (
    "INSERT INTO waited (connection_id, minute, messages) VALUES {rows}"
    " ON CONFLICT (connection_id, minute) DO UPDATE SET messages=excluded.messages"
)
_DELETE = "DELETE FROM waited WHERE (connection_id, minute) IN (VALUES {rows})"


class Waited:
    """Samples what waits; minutes are since 1970."""

    def __init__(self, database: Database) -> None:
        """Know nothing before `open`."""
        self._database = database
        self._levels: dict[int, int] = {}
        self._minute = 0

    async def open(self) -> None:
        """Read the last levels."""
        self._levels = await self._database.read(_last_levels)

    async def sample(self, minute: int) -> None:
        """Write what waits as the levels of a minute that has just ended, once; raises StorageUnavailable."""
        if minute <= self._minute:
            return
        found = await self._database.read(count_by_connection)
        rows = [
            (each, minute, found.get(each, 0))
            for each in found.keys() | self._levels.keys()
            if found.get(each, 0) != self._levels.get(each, 0)
        ]
        await write_in_slices(self._database, _WRITE, rows)
        self._levels, self._minute = found, minute

    async def series(self, connection_id: int, minutes: range, step: int) -> list[int]:
        """Return the most that waited in each step of so many minutes; the last minute is the current one.

        Raises NotFound for a connection that is not there.
        """
        query = _changes(connection_id, minutes)
        changes = await self._database.read(
            lambda sql: sorted((row[0], row[1]) for row in sql.execute(query))
        )
        if not changes or changes[-1][0] != minutes[-1]:
            raise NotFound("there is no such connection")
        return levels(changes, minutes, step)

    async def purge(self, minute: int) -> None:
        """Delete what no window after that minute needs: a level is needed until another one follows it."""
        later = table.alias()
        is_followed = sa.exists().where(
            later.c.connection_id == table.c.connection_id,
            later.c.minute > table.c.minute,
            later.c.minute <= minute,
        )
        is_deleted = ~sa.exists().where(connection.c.id == table.c.connection_id)
        keys = sa.select(table.c.connection_id, table.c.minute).where(
            table.c.minute < minute, is_followed | is_deleted
        )
        await delete_found(self._database, keys, _DELETE)


def _changes(connection_id: int, minutes: range) -> sa.CompoundSelect[Any]:
    """Return the query of the changes that tell the levels of these minutes; that of the last is counted now."""
    column = table.c
    of_it = column.connection_id == connection_id
    before = sa.select(sa.func.max(column.minute)).where(of_it, column.minute < minutes.start)
    since = sa.func.coalesce(before.scalar_subquery(), minutes.start)
    waiting = sa.select(sa.func.count()).where(
        delivery.c.connection_id == connection_id, sa.text("outcome = 'QUEUED'")
    )
    return sa.union_all(
        sa.select(column.minute, column.messages).where(
            of_it, column.minute >= since, column.minute < minutes[-1]
        ),
        sa.select(sa.literal(minutes[-1]), waiting.scalar_subquery()).where(connection.c.id == connection_id),
    )


def _last_levels(sql: Sql) -> dict[int, int]:
    last = (
        sa.select(table.c.messages)
        .where(table.c.connection_id == connection.c.id)
        .order_by(table.c.minute.desc())
        .limit(1)
        .scalar_subquery()
    )
    return {row[0]: row[1] for row in sql.execute(sa.select(connection.c.id, last)) if row[1]}
