"""What waits on a connection: in order, with bodies, counted."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.delivery import Outcome, Waiting
from longwire.storage.micros import from_micros
from longwire.storage.schema import delivery, message


def waiting_in_order(connection_id: int | sa.BindParameter[int]) -> sa.Select[Any]:
    """Return the query of what waits on a connection, oldest first."""
    column = delivery.c
    return (
        sa.select(
            column.id,
            column.position,
            column.order_key,
            column.attempt_count,
            column.resends,
            column.not_before,
            column.received_at,
            column.replayed_after,
            # What is replayed is wanted whatever the flow that led here once said.
            sa.case((column.replayed_at.is_(None), column.expires_at)).label("expires_at"),
            sa.func.coalesce(column.replayed_at, column.aged_from, column.received_at).label("aged_from"),
        )
        .where(column.connection_id == connection_id, sa.text("outcome = 'QUEUED'"))
        .order_by(column.position)
    )


def as_waiting(row: Row[Any]) -> Waiting:
    """Return one row of `waiting_in_order`."""
    delivery_id, position, order_key, attempts, resends, not_before, received, replayed, expires, aged = (
        tuple(row)
    )
    return Waiting(
        delivery_id,
        position,
        order_key,
        from_micros(aged),
        from_micros(received),
        attempts,
        resends,
        from_micros(not_before),
        replayed,
        from_micros(expires),
    )


def load_bodies(sql: Sql, places: Mapping[int, int], max_bytes: int) -> dict[int, bytes | None]:
    """Return the bodies of the first of those deliveries, up to `max_bytes` together, but one at least.

    `places` maps a delivery to its position. None for one that does not wait there any more. They are measured
    before they are read: a body may have 256 KiB.
    """
    size = sa.func.length(message.c.body)
    columns = (delivery.c.id, delivery.c.position, size)
    measure = sa.select(*columns).join(message, message.c.id == delivery.c.message_id)
    where = delivery.c.id.in_(places) & (delivery.c.outcome == Outcome.QUEUED.value)
    sizes = {row[0]: row[2] for row in sql.execute(measure.where(where)) if row[1] == places[row[0]]}
    found: dict[int, bytes | None] = {}
    for delivery_id in places:
        max_bytes -= sizes.get(delivery_id, 0)
        if found and max_bytes < 0:
            break
        found[delivery_id] = None
    read = sa.select(delivery.c.id, message.c.body).join(message, message.c.id == delivery.c.message_id)
    for row in sql.execute(read.where(delivery.c.id.in_(sizes.keys() & found.keys()))):
        found[row.id] = row.body
    return found


def count_by_connection(sql: Sql, connection_ids: Iterable[int] | None = None) -> dict[int, int]:
    """Return how many messages wait, for each connection (of all, or of those given) where any does."""
    query = (
        sa.select(delivery.c.connection_id, sa.func.count())
        .where(sa.text("outcome = 'QUEUED'"))
        .group_by(delivery.c.connection_id)
    )
    if connection_ids is not None:
        query = query.where(delivery.c.connection_id.in_(list(connection_ids)))
    return {row[0]: row[1] for row in sql.execute(query)}


def count_waiting(sql: Sql, connection_ids: Iterable[int]) -> int:
    """Return how many messages wait on the connections."""
    query = sa.select(sa.func.count()).select_from(delivery)
    where = delivery.c.connection_id.in_(list(connection_ids))
    return sql.scalar(query.where(where, sa.text("outcome = 'QUEUED'"))) or 0
