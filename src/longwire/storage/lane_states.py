"""The state of each connection's lane: a row, so that a restart continues where it was."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.configuration import Run
from longwire.core.connection_state import Outage, State, Status, deactivated
from longwire.storage.database import Database
from longwire.storage.micros import MICROSECOND, from_micros, to_micros
from longwire.storage.schema import connection
from longwire.storage.schema import connection_state as table


class LaneStates:
    """Reads and saves states."""

    def __init__(self, database: Database) -> None:
        """Nothing is read yet."""
        self._database = database

    async def load(self, connection_id: int) -> State | None:
        """Return the saved state, or None for a connection that has not run yet."""
        query = sa.select(table).where(table.c.connection_id == connection_id)
        row = await self._database.read(lambda sql: sql.execute(query).first())
        return None if row is None else _as_state(row)

    async def carried_out(self) -> dict[int, Run]:
        """Return up to what each connection's commands were carried out, where that is known."""
        column = table.c
        query = sa.select(column.connection_id, column.revision, column.restarts)
        known = query.where(column.restarts.is_not(None))
        rows = await self._database.read(lambda sql: sql.execute(known).all())
        return {row.connection_id: Run(row.revision, row.restarts) for row in rows}

    async def save(self, connection_id: int, state: State, run: Run | None = None) -> None:
        """Return when the state is durable; a connection that was deleted meanwhile gets none.

        `run` is what the lane runs: its command has been carried out with this state.
        """
        await self._database.write(lambda sql: _save(sql, connection_id, state, run))

    async def deactivate_idle(self, now: datetime) -> None:
        """Show every connection that shall not run as DEACTIVATED: at the start, when no lane runs yet."""
        inactive = (
            sa.select(connection.c.id.label("inactive_id"), table)
            .outerjoin(table, table.c.connection_id == connection.c.id)
            .where(sa.not_(connection.c.active), table.c.status.is_distinct_from(Status.DEACTIVATED.value))
        )
        await self._database.write(lambda sql: _deactivate(sql, sql.execute(inactive).all(), now))


def _deactivate(sql: Sql, rows: Iterable[Row[Any]], now: datetime) -> None:
    for row in rows:
        outage = None if row.status is None else deactivated(_as_state(row).outage)
        _save(sql, row.inactive_id, State(Status.DEACTIVATED, now, outage=outage))


def _as_state(row: Row[Any]) -> State:
    outage = None
    if row.down_since is not None:
        outage = Outage(from_micros(row.down_since), row.planned * MICROSECOND, from_micros(row.retry_at))
    return State(Status(row.status), from_micros(row.since), row.reason, outage)


def _save(sql: Sql, connection_id: int, state: State, run: Run | None = None) -> None:
    if sql.scalar(sa.select(connection.c.id).where(connection.c.id == connection_id)) is None:
        return
    outage = state.outage
    values = {
        "status": state.status.value,
        "since": to_micros(state.since),
        "reason": state.reason,
        "down_since": to_micros(outage.down_since) if outage else None,
        "planned": outage.planned // MICROSECOND if outage else None,
        "retry_at": to_micros(state.retry_at),
    }
    if run is not None:
        values |= {"revision": run.revision, "restarts": run.restarts}
    if state.status is Status.OPENED:
        values["startup_time"] = to_micros(state.since)
    where = table.c.connection_id == connection_id
    if sql.execute(sa.update(table).where(where).values(values)).rowcount == 0:
        sql.execute(sa.insert(table).values(connection_id=connection_id, **values))
