"""How things stand now, for `/metrics`: the state and the backlog of each connection, the size of the files."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.connection_state import Status
from longwire.storage.database import Database
from longwire.storage.micros import from_micros
from longwire.storage.schema import connection, connection_state, delivery
from longwire.storage.waiting import count_by_connection


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many messages wait on a connection, and when the one that is next came."""

    depth: int
    oldest: datetime


@dataclass(frozen=True, slots=True)
class Gauges:
    """One look; `states` and `backlogs` by connection, a connection without a backlog has none."""

    states: Mapping[int, str]
    backlogs: Mapping[int, Backlog]
    waiting_writes: int
    file_bytes: int
    wal_bytes: int


async def read_gauges(database: Database) -> Gauges:
    """Return how things stand."""
    states, backlogs = await database.read(lambda sql: (_states(sql), _backlogs(sql)))
    return Gauges(states, backlogs, database.waiting, *database.file_sizes())


def _states(sql: Sql) -> dict[int, str]:
    """Return the state of each connection; one that has not run yet is about to, or DEACTIVATED."""
    query = sa.select(connection.c.id, connection.c.active, connection_state.c.status).outerjoin(
        connection_state, connection_state.c.connection_id == connection.c.id
    )
    return {
        row.id: row.status or (Status.OPENING if row.active else Status.DEACTIVATED).value
        for row in sql.execute(query)
    }


def _backlogs(sql: Sql) -> dict[int, Backlog]:
    """Return the backlogs: counted in the index of what waits, the oldest looked up by its place."""
    found: dict[int, Backlog] = {}
    first = (
        sa.select(delivery.c.received_at)
        .where(delivery.c.connection_id == sa.bindparam("id"), sa.text("outcome = 'QUEUED'"))
        .order_by(delivery.c.position)
        .limit(1)
    )
    for connection_id, depth in count_by_connection(sql).items():
        oldest = sql.scalar(first, {"id": connection_id})
        if oldest is not None:
            found[connection_id] = Backlog(depth, from_micros(oldest))
    return found
