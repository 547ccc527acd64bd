"""What the log no longer keeps: deleted in slices of some milliseconds, so that the writer stays free for others."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.delivery import DEAD_LETTERS, Outcome
from longwire.storage.audit import forget_changes
from longwire.storage.database import Database
from longwire.storage.micros import MICROSECOND, to_micros
from longwire.storage.queue_sql import DEDUPE_FOR, LAST_ID, MAY_BE_IN_FLIGHT_FOR, discard_backlog, highest_id
from longwire.storage.schema import (
    attempt,
    connection,
    connection_revision,
    delivery,
    message,
    replay,
    seen,
    setting,
)
from longwire.storage.slices import change_found

OVERDUE = "past the backlog's retention"

_SLICE = 500
_VACUUM_SLICE = 250
_VACUUM_SLICES = 8
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the log keeps what: after settling, the backlog after receipt, changes after they were made."""

    delivered: timedelta = timedelta(hours=24)
    dead_letters: timedelta = timedelta(days=30)
    backlog: timedelta = timedelta(days=7)
    audit: timedelta = timedelta(days=365)


def _ignore(_expired: Mapping[int, int]) -> None:
    pass


async def purge(
    database: Database,
    retention: Retention,
    now: datetime,
    saw_expired: Callable[[Mapping[int, int]], None] = _ignore,
) -> int:
    """Delete what is past its retention, expire what waited too long; return how many deliveries went.

    `saw_expired` is told how many messages of which connections have expired, slice by slice.
    """
    await database.write(lambda sql: sql.execute(_old_fingerprints(now)))
    await database.write(_remember_last_id)
    await database.write(lambda sql: sql.execute(forget_changes(now - retention.audit)))
    kept_long = [each.value for each in (*DEAD_LETTERS, Outcome.FILTERED)]
    purged = 0
    for outcomes, age in (
        ([Outcome.DELIVERED.value], retention.delivered),
        (kept_long, retention.dead_letters),
    ):
        query = sa.select(delivery.c.id).where(
            delivery.c.settled_at < to_micros(now - age), delivery.c.outcome.in_(outcomes)
        )
        purged += await change_found(database, query, _delete_deliveries)
    overdue = sa.select(delivery.c.id).where(
        sa.text("outcome = 'QUEUED'"),
        delivery.c.received_at < to_micros(now - retention.backlog),
        sa.func.coalesce(delivery.c.replayed_at, 0) < to_micros(now - retention.backlog),
    )
    await change_found(database, overdue, lambda sql, ids: _expire(sql, ids, now), saw_expired)
    for connection_id in await database.read(_deleted_with_backlog):
        await discard_backlog(database, connection_id, lambda: now)
    await _delete_unused_revisions(database)
    await database.write(lambda sql: sql.execute(_old_replays(now - retention.dead_letters)))
    await _give_back_pages(database)
    return purged


def _delete_deliveries(sql: Sql, found: list[int]) -> None:
    """Delete deliveries with their attempts; one that was replayed since it was found stays."""
    query = sa.select(delivery.c.id, delivery.c.message_id)
    rows = sql.execute(query.where(delivery.c.id.in_(found), delivery.c.settled_at.is_not(None))).all()
    ids, messages = [row.id for row in rows], [row.message_id for row in rows]
    sql.execute(sa.delete(attempt).where(attempt.c.delivery_id.in_(ids)))
    sql.execute(sa.delete(delivery).where(delivery.c.id.in_(ids)))
    still_used = sa.exists().where(delivery.c.message_id == message.c.id)
    sql.execute(sa.delete(message).where(message.c.id.in_(messages), ~still_used))


def _expire(sql: Sql, ids: list[int], now: datetime) -> Counter[int]:
    """Return how many messages of which connections have expired."""
    change = (
        sa.update(delivery)
        .where(delivery.c.id.in_(ids), sa.text("outcome = 'QUEUED'"))
        .values(
            outcome=Outcome.EXPIRED.value,
            reason=OVERDUE,
            settled_at=to_micros(now),
            not_before=to_micros(now + MAY_BE_IN_FLIGHT_FOR),
        )
        .returning(delivery.c.connection_id)
    )
    return Counter(sql.scalars(change))


def _deleted_with_backlog(sql: Sql) -> list[int]:
    """Return the connections that were deleted just before a crash: their backlog is not discarded yet."""
    connection_id = delivery.c.connection_id
    waiting = sa.select(connection_id).distinct().where(sa.text("outcome = 'QUEUED'"))
    return list(sql.scalars(waiting.where(connection_id.not_in(sa.select(connection.c.id)))))


async def _give_back_pages(database: Database) -> None:
    """Make the file smaller by what is free in it, as far as a purge may take."""
    for _ in range(_VACUUM_SLICES):
        if await database.write(_give_back_slice) < _VACUUM_SLICE:
            return


def _give_back_slice(sql: Sql) -> int:
    free = min(sql.exec_driver_sql("PRAGMA freelist_count").scalar_one(), _VACUUM_SLICE)
    # One page a statement: the driver ends a statement without columns after its first row.
    for _ in range(free):
        sql.exec_driver_sql("PRAGMA incremental_vacuum(1)")
    return int(free)


def _remember_last_id(sql: Sql) -> None:
    """Keep the highest id: the newest rows may be deleted, and no id is given twice."""
    sql.execute(sa.delete(setting).where(setting.c.name == LAST_ID))
    sql.execute(sa.insert(setting).values(name=LAST_ID, value=str(highest_id(sql))))


async def _delete_unused_revisions(database: Database) -> None:
    """Delete the revisions that nobody needs; a reader finds them, so that the writer does not search the log."""
    for connection_id, number in await database.read(lambda sql: sql.execute(unused_revisions()).all()):
        column = connection_revision.c
        one = sa.delete(connection_revision).where(
            column.connection_id == connection_id, column.revision == number
        )
        await database.write(lambda sql, one=one: sql.execute(one))  # type: ignore[misc]


def unused_revisions() -> sa.Select[Any]:
    """Return the query of the revisions that are unused for good: no lane of an old revision can begin any more.

    In use are the newest one, for it names the connection, as long as there is the connection or a delivery of it;
    the one whose lane runs; and those of the attempts in the log, which are shown with it.
    """
    column, later = connection_revision.c, connection_revision.alias()
    is_old = sa.exists().where(
        later.c.connection_id == column.connection_id, later.c.revision > column.revision
    )
    is_there = sa.exists().where(connection.c.id == column.connection_id)
    runs = sa.exists().where(connection.c.id == column.connection_id, connection.c.running == column.revision)
    in_log = sa.exists().where(delivery.c.connection_id == column.connection_id)
    was_used = sa.exists().where(
        delivery.c.connection_id == column.connection_id,
        attempt.c.delivery_id == delivery.c.id,
        attempt.c.revision == column.revision,
    )
    unused = sa.or_(is_old & ~runs & ~was_used, ~is_old & ~is_there & ~in_log)
    return sa.select(column.connection_id, column.revision).where(unused).limit(_SLICE)


def _old_replays(before: datetime) -> sa.Delete:
    return sa.delete(replay).where(replay.c.state != "running", replay.c.created_at < to_micros(before))


def _old_fingerprints(now: datetime) -> sa.Delete:
    oldest = to_micros(now - DEDUPE_FOR) // (_HOUR // MICROSECOND)
    return sa.delete(seen).where(seen.c.hour < oldest)
