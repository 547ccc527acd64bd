"""The state of each connection's lane: a row, so that a restart continues where it was."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.connection_state import Outage, State, Status
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
        if row is None:
            return None
        outage = None
        if row.down_since is not None:
            outage = Outage(from_micros(row.down_since), row.planned * MICROSECOND, from_micros(row.retry_at))
        return State(Status(row.status), from_micros(row.since), row.reason, outage)

    async def save(self, connection_id: int, state: State) -> None:
        """Return when the state is durable; a connection that was deleted meanwhile gets none."""
        await self._database.write(lambda sql: _save(sql, connection_id, state))

    async def deactivate_idle(self, now: datetime) -> None:
        """Show every connection that shall not run as DEACTIVATED: at the start, when no lane runs yet."""
        inactive = (
            sa.select(connection.c.id)
            .outerjoin(table, table.c.connection_id == connection.c.id)
            .where(sa.not_(connection.c.active), table.c.status.is_distinct_from(Status.DEACTIVATED.value))
        )
        await self._database.write(
            lambda sql: _save_all(sql, sql.scalars(inactive).all(), State(Status.DEACTIVATED, now))
        )


def _save_all(sql: Sql, connection_ids: Iterable[int], state: State) -> None:
    for connection_id in connection_ids:
        _save(sql, connection_id, state)


def _save(sql: Sql, connection_id: int, state: State) -> None:
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
    if state.status is Status.OPENED:
        values["startup_time"] = to_micros(state.since)
    where = table.c.connection_id == connection_id
    if sql.execute(sa.update(table).where(where).values(values)).rowcount == 0:
        sql.execute(sa.insert(table).values(connection_id=connection_id, **values))
