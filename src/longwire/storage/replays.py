"""Replaying: stored deliveries wait again, behind what waits (specification, section 14; docs/decisions)."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.access import Author
from longwire.core.change import Change, differences
from longwire.core.delivery import Outcome
from longwire.core.errors import Conflict, InvalidInput, NotFound
from longwire.storage.audit import record
from longwire.storage.micros import to_micros
from longwire.storage.queue_sql import Queue, Requeued, TakePosition
from longwire.storage.rows import write_rows
from longwire.storage.schema import connection, delivery

_REQUEUE = (
    "UPDATE delivery SET position=v.column2, replayed_at=v.column3, replay_id=v.column4, replayed_from=outcome,"
    " replayed_after=attempt_count, outcome='QUEUED', resends=0, settled_at=NULL, not_before=NULL"
    " FROM (VALUES {rows}) AS v WHERE delivery.id=v.column1"
)
_COPY = (
    "INSERT INTO delivery (id, position, message_id, connection_id, order_key, received_at, aged_from, replayed_at,"
    " replay_id, replayed_after, outcome, reason, attempt_count, resends) VALUES {rows}"
)


async def replay(
    queue: Queue, delivery_id: int, target_id: int | None, now: datetime, by: Author | None = None
) -> int:
    """Return the id of the delivery that waits again: the same one; a new one where the target is another connection.

    Raises NotFound; Conflict where it waits already, or has no connection to go to; InvalidInput for a target that
    does not exist.
    """
    at = to_micros(now)

    def change(sql: Sql, take: TakePosition) -> Requeued:
        requeued = _replay(sql, take, (delivery_id, target_id), at)
        to = {} if target_id is None else {"connectionId": str(target_id)}
        record(sql, by, Change("replay", "deliveries", str(delivery_id), differences({}, to)))
        return requeued

    return (await queue.requeue(change)).delivery_ids[0]


def _replay(sql: Sql, take: TakePosition, asked: tuple[int, int | None], at: int) -> Requeued:
    delivery_id, target_id = asked
    row = sql.execute(sa.select(delivery).where(delivery.c.id == delivery_id)).first()
    if row is None:
        raise NotFound("there is no such delivery; it may be past its retention")
    _check_target(sql, row, target_id)
    if target_id in {None, row.connection_id}:
        _check_idle(row, at)
        return requeue(sql, take, [row], at)
    return copy(sql, take, [row], (target_id or 0, at))


def _check_target(sql: Sql, row: Row[Any], target_id: int | None) -> None:
    if row.test:
        raise Conflict("this is a test; send another test instead")
    wanted = row.connection_id if target_id is None else target_id
    if wanted is None:
        raise Conflict("no flow routed this message to a connection; name one as connectionId")
    if sql.scalar(sa.select(connection.c.id).where(connection.c.id == wanted)) is not None:
        return
    if target_id is None:
        raise Conflict("its connection was deleted; name another one as connectionId")
    raise InvalidInput("connectionId", f"there is no connection {target_id}")


def _check_idle(row: Row[Any], at: int) -> None:
    if row.outcome == Outcome.QUEUED.value:
        raise Conflict("this delivery waits already; it will be sent in its turn")
    if row.not_before is not None and row.not_before > at:
        raise Conflict("its last attempt may still be under way; replay it in some minutes")


def requeue(
    sql: Sql, take: TakePosition, rows: Iterable[Row[Any]], at: int, replay_id: int | None = None
) -> Requeued:
    """Let settled deliveries wait again, in the order given, at the end of their connections' queues."""
    found = list(rows)
    write_rows(sql, _REQUEUE, [(row.id, take(), at, replay_id) for row in found])
    return Requeued(tuple(row.id for row in found), frozenset(row.connection_id for row in found))


def copy(
    sql: Sql,
    take: Callable[[], int],
    rows: Iterable[Row[Any]],
    to: tuple[int, int],
    replay_id: int | None = None,
) -> Requeued:
    """Make new deliveries of the same messages to another connection: `to` is its id and the time."""
    target_id, at = to
    made = [_copy_of(row, take(), target_id, (at, replay_id)) for row in rows]
    write_rows(sql, _COPY, made)
    return Requeued(tuple(each[0] for each in made), frozenset([target_id]))


def _copy_of(row: Row[Any], new_id: int, target_id: int, by: tuple[int, int | None]) -> tuple[Any, ...]:
    of_message = (row.message_id, target_id, row.order_key, row.received_at, row.aged_from)
    return (new_id, new_id, *of_message, *by, 0, Outcome.QUEUED.value, "", 0, 0)
