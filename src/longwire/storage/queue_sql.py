"""The queue: messages and their deliveries, put, read ahead in order, and settled; every write durable.

The contract, for every implementation: `put` returns when the message is on disk; positions on one connection grow
in the order of durable commits; a delivery leaves the queue only with its outcome and its attempts, in one commit.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.delivery import (
    MAX_LOGGED_BODY_BYTES,
    Attempt,
    Outcome,
    Settlement,
    Waiting,
)
from longwire.core.message import Message
from longwire.core.window import ReadDevice, ReadPage
from longwire.storage.database import Database
from longwire.storage.micros import MICROSECOND, from_micros, to_micros
from longwire.storage.rows import find_any, write_rows
from longwire.storage.schema import delivery, message, setting

DEDUPE_FOR = timedelta(hours=1)
_HOUR = timedelta(hours=1) // MICROSECOND
_SLICE = 1000
LAST_ID = "last_id"
TOO_OLD = "older than the connection's uplinkTimeValidity"
NO_ROUTE = "no flow routes this device to a connection"
CONNECTION_DELETED = "the connection was deleted"

_INSERT_MESSAGE = (
    "INSERT INTO message (id, network_server_id, root, dev_eui, f_cnt, received_at, body) VALUES {rows}"
)
_INSERT_DELIVERY = (
    "INSERT INTO delivery (id, message_id, connection_id, order_key, position, received_at, aged_from, outcome,"
    " reason, settled_at, attempt_count, resends) VALUES {rows}"
)
_FIND_SEEN = "SELECT fingerprint FROM seen WHERE fingerprint IN ({values}) AND hour IN (?,?) AND at > ?"
_FIND_CONNECTIONS = "SELECT id FROM connection WHERE id IN ({values})"
_INSERT_SEEN = "INSERT OR REPLACE INTO seen (hour, fingerprint, at) VALUES {rows}"
_INSERT_DEVICE = "INSERT OR IGNORE INTO device (dev_eui, network_server_id, created_at) VALUES {rows}"
_INSERT_ATTEMPT = (
    'INSERT INTO attempt (delivery_id, number, at, "trigger", duration, revision, status, cause, detail,'
    " remote_address, response_headers, response_body, truncated) VALUES {rows}"
)
# An outcome without an attempt (expired, cannot be rendered) leaves what came last.
_PROGRESS = (
    "attempt_count=attempt_count+v.column3, resends=v.column4,"
    " last_status=CASE v.column3 WHEN 0 THEN last_status ELSE v.column5 END,"
    " last_cause=CASE v.column3 WHEN 0 THEN last_cause ELSE v.column6 END"
)
_OF_ROWS = "FROM (VALUES {rows}) AS v WHERE delivery.id=v.column1"
_SETTLE = (
    f"UPDATE delivery SET {_PROGRESS}, reason=v.column2, outcome=v.column7, settled_at=v.column8, not_before=NULL"  # noqa: S608
    f" {_OF_ROWS}"
)
# What was discarded or has expired meanwhile stays so: only its attempt is counted.
_KEEP = (
    f"UPDATE delivery SET {_PROGRESS}, reason=CASE outcome WHEN 'QUEUED' THEN v.column2 ELSE reason END,"  # noqa: S608
    f" not_before=CASE outcome WHEN 'QUEUED' THEN v.column7 END {_OF_ROWS}"
)


@dataclass(frozen=True, slots=True)
class Put:
    """A message and the connections it goes to; none: it is kept in the log as FILTERED.

    For the connections in `expired` it is too old already: EXPIRED.
    """

    message: Message
    connection_ids: tuple[int, ...]
    expired: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The message is durable: which connections got it; a repeat went nowhere again."""

    connection_ids: tuple[int, ...]
    is_repeat: bool = False


class Queue:
    """The queue in the database's tables; `open` gives it the ids that are free."""

    def __init__(self, database: Database, store_id: str) -> None:
        """Nothing can be put before `open`."""
        self._database = database
        self._store_id = store_id
        self._next_id = 1
        self._listeners: dict[int, Callable[[], None]] = {}

    async def open(self) -> None:
        """Find the first free id: ids are never given twice, even when the newest rows were purged."""
        self._next_id = 1 + await self._database.read(highest_id)

    def webhook_id(self, delivery_id: int) -> str:
        """Return the id every attempt of a delivery carries: stable, and unique among all stores."""
        return f"msg_{self._store_id}_{delivery_id}"

    def listen(self, connection_id: int, callback: Callable[[], None]) -> None:
        """Call back, in the event loop, whenever something was put for the connection."""
        self._listeners[connection_id] = callback

    def unlisten(self, connection_id: int) -> None:
        """Stop calling back."""
        self._listeners.pop(connection_id, None)

    async def put(self, item: Put) -> Accepted:
        """Return when the message is on disk. Raises StorageUnavailable: then nothing was kept.

        The lanes are woken even when the caller has gone meanwhile.
        """
        accepted: Accepted = await self._database.submit(self._put_batch, item, self._wake)
        return accepted

    async def settle(self, settlement: Settlement) -> None:
        """Return when outcome and attempts are on disk, together; raises StorageUnavailable."""
        await self._database.submit(settle_batch, settlement)

    async def read_ahead(self, connection_id: int, read: ReadPage | ReadDevice) -> list[Waiting]:
        """Return what waits on a connection, in order, as far as the read asks."""
        query = waiting_in_order(connection_id).where(delivery.c.position > read.after).limit(read.limit)
        if isinstance(read, ReadDevice):
            query = query.where(delivery.c.order_key == read.order_key, delivery.c.position <= read.up_to)
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return [as_waiting(row) for row in rows]

    async def load_bodies(self, delivery_ids: Iterable[int]) -> Mapping[int, bytes]:
        """Return the bodies of those deliveries that still wait."""
        query = (
            sa.select(delivery.c.id, message.c.body)
            .join(message, message.c.id == delivery.c.message_id)
            .where(delivery.c.id.in_(list(delivery_ids)), delivery.c.outcome == Outcome.QUEUED.value)
        )
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return {row.id: row.body for row in rows}

    def _wake(self, accepted: Accepted) -> None:
        for connection_id in accepted.connection_ids:
            if callback := self._listeners.get(connection_id):
                callback()

    def _put_batch(self, sql: Sql, puts: Sequence[Put]) -> list[Accepted]:
        """Write messages, their deliveries, devices and fingerprints; runs in the writer."""
        known = _seen_fingerprints(sql, puts)
        live = _live_connections(sql, puts)
        rows = _Rows()
        accepted: list[Accepted] = []
        for put in puts:
            if put.message.fingerprint in known:
                accepted.append(Accepted((), is_repeat=True))
                continue
            known.add(put.message.fingerprint)
            self._add_rows(rows, put, live)
            accepted.append(Accepted(put.connection_ids))
        rows.write(sql)
        return accepted

    def _add_rows(self, rows: "_Rows", put: Put, live: set[int]) -> None:
        each = put.message
        at = to_micros(each.received_at)
        aged_from = to_micros(each.aged_from)
        message_id = self._take_id()
        rows.messages.append(
            (message_id, each.network_server_id, each.root, each.dev_eui, each.f_cnt, at, each.body)
        )
        rows.seen.append((at // _HOUR, each.fingerprint, at))
        if each.dev_eui is not None:
            rows.devices.append((each.dev_eui, each.network_server_id, at))
        for connection_id in put.connection_ids or (None,):
            state = _first_state(connection_id, put.expired, live, at)
            delivery_id = self._take_id()
            rows.deliveries.append(
                (
                    delivery_id,
                    message_id,
                    connection_id,
                    each.order_key,
                    delivery_id,
                    at,
                    aged_from,
                    *state,
                    0,
                    0,
                )
            )

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1


class _Rows:
    """The rows of one batch, table by table."""

    def __init__(self) -> None:
        self.messages: list[tuple[Any, ...]] = []
        self.deliveries: list[tuple[Any, ...]] = []
        self.seen: list[tuple[Any, ...]] = []
        self.devices: list[tuple[Any, ...]] = []

    def write(self, sql: Sql) -> None:
        for statement, rows in (
            (_INSERT_MESSAGE, self.messages),
            (_INSERT_DELIVERY, self.deliveries),
            (_INSERT_SEEN, self.seen),
            (_INSERT_DEVICE, self.devices),
        ):
            write_rows(sql, statement, rows)


def _first_state(
    connection_id: int | None, expired: frozenset[int], live: set[int], at: int
) -> tuple[str, str, int | None]:
    """Return outcome, reason and settling time of a new delivery."""
    if connection_id in expired:
        return Outcome.EXPIRED.value, TOO_OLD, at
    if connection_id is None:
        return Outcome.FILTERED.value, NO_ROUTE, at
    if connection_id not in live:
        return Outcome.DISCARDED.value, CONNECTION_DELETED, at
    return Outcome.QUEUED.value, "", None


def _seen_fingerprints(sql: Sql, puts: Sequence[Put]) -> set[bytes]:
    """Return which fingerprints of the batch were put within the last hour."""
    newest = max(to_micros(put.message.received_at) for put in puts)
    hour = newest // _HOUR
    fingerprints = {put.message.fingerprint for put in puts}
    return find_any(sql, _FIND_SEEN, fingerprints, hour, hour - 1, newest - DEDUPE_FOR // MICROSECOND)


def _live_connections(sql: Sql, puts: Sequence[Put]) -> set[int]:
    wanted = {connection_id for put in puts for connection_id in put.connection_ids}
    return find_any(sql, _FIND_CONNECTIONS, wanted)


def settle_batch(sql: Sql, settlements: Sequence[Settlement]) -> list[None]:
    """Write attempts and outcomes; runs in the writer."""
    write_rows(
        sql, _INSERT_ATTEMPT, [_attempt_row(each, row) for each in settlements for row in each.attempts]
    )
    settled = [each for each in settlements if each.outcome is not Outcome.QUEUED]
    kept = [each for each in settlements if each.outcome is Outcome.QUEUED]
    write_rows(sql, _SETTLE, [(*_progress(each), each.outcome.value, to_micros(each.at)) for each in settled])
    write_rows(sql, _KEEP, [(*_progress(each), to_micros(each.not_before)) for each in kept])
    return [None] * len(settlements)


def _progress(each: Settlement) -> tuple[Any, ...]:
    last = each.attempts[-1] if each.attempts else None
    return (
        each.delivery_id,
        each.reason,
        len(each.attempts),
        each.resends,
        last.status if last else None,
        last.cause if last else None,
    )


def _attempt_row(each: Settlement, row: Attempt) -> tuple[Any, ...]:
    response = row.response
    return (
        each.delivery_id,
        row.number,
        to_micros(row.at),
        row.trigger.value,
        row.duration // MICROSECOND,
        row.revision,
        row.status,
        row.cause,
        row.detail or None,
        row.remote_address,
        json.dumps(response.headers) if response else None,
        response.body[:MAX_LOGGED_BODY_BYTES] if response else None,
        response.truncated if response else None,
    )


def waiting_in_order(connection_id: int) -> sa.Select[Any]:
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
            sa.func.coalesce(column.aged_from, column.received_at).label("aged_from"),
        )
        .where(column.connection_id == connection_id, sa.text("outcome = 'QUEUED'"))
        .order_by(column.position)
    )


def as_waiting(row: Row[Any]) -> Waiting:
    """Return one row of `waiting_in_order`."""
    return Waiting(
        row.id,
        row.position,
        row.order_key,
        from_micros(row.aged_from),
        row.attempt_count,
        row.resends,
        from_micros(row.not_before),
    )


def highest_id(sql: Sql) -> int:
    """Return the highest id that was ever given to a message or a delivery."""
    floor = sql.scalar(sa.select(setting.c.value).where(setting.c.name == LAST_ID))
    highest = (sa.func.max(message.c.id), sa.func.max(delivery.c.id))
    found = [sql.scalar(sa.select(each)) or 0 for each in highest]
    waiting = (
        sql.scalar(sa.select(sa.func.max(delivery.c.position)).where(sa.text("outcome = 'QUEUED'"))) or 0
    )
    return max(int(floor or 0), waiting, *found)


def count_waiting(sql: Sql, connection_ids: Iterable[int]) -> int:
    """Return how many messages wait on the connections."""
    query = sa.select(sa.func.count()).select_from(delivery)
    where = delivery.c.connection_id.in_(list(connection_ids))
    return sql.scalar(query.where(where, sa.text("outcome = 'QUEUED'"))) or 0


async def discard_backlog(database: Database, connection_id: int, now: Callable[[], datetime]) -> None:
    """Make what waits on a deleted connection DISCARDED, in slices, so that the writer stays free for others."""
    changed = _SLICE
    while changed == _SLICE:
        changed = await database.write(lambda sql: _discard_slice(sql, connection_id, to_micros(now())))


def _discard_slice(sql: Sql, connection_id: int, at: int) -> int:
    ids = sql.scalars(waiting_in_order(connection_id).limit(_SLICE)).all()
    values = {"outcome": Outcome.DISCARDED.value, "reason": CONNECTION_DELETED, "settled_at": at}
    sql.execute(sa.update(delivery).where(delivery.c.id.in_(ids)).values(values))
    return len(ids)
