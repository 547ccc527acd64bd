"""Replays of many deliveries: a job places them behind what waits, slice by slice, and counts what becomes of them.

The theory. A job walks through the log from the oldest delivery to the newest, and its place in the log moves in the
same commit as the deliveries it places: so none is left out and none placed twice, whatever ends Longwire in between.
It takes only what was settled before it began, so never what it has placed itself. What it placed carries its id until
its outcome is counted. Cancelled, it takes back what has not been sent since it was placed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.access import Author
from longwire.core.change import Change, differences
from longwire.core.delivery import Outcome
from longwire.core.errors import Conflict, InvalidInput, NotFound
from longwire.storage.audit import record
from longwire.storage.database import Database
from longwire.storage.delivery_search import BEGIN, DeliveryFilter, Mark, scan
from longwire.storage.micros import to_micros
from longwire.storage.queue_sql import MAY_BE_IN_FLIGHT_FOR, Queue, Requeued, TakePosition
from longwire.storage.replays import copy, requeue
from longwire.storage.schema import connection, delivery
from longwire.storage.schema import replay as table

SLICE = 250
CANCELLED = "the replay that made it was cancelled"

_RESOURCE = "replays"
_SETTLED = tuple(each.value for each in Outcome if each is not Outcome.QUEUED)


class ReplayState(Enum):
    """Where a job is."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ReplayOrder:
    """What is to be replayed, and to which connection; None: each delivery to its own."""

    wanted: DeliveryFilter
    target_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """A job as it stands: of `count` deliveries `done` were delivered since, `failed` not."""

    id: int
    count: int
    done: int
    failed: int
    state: ReplayState


@dataclass(frozen=True, slots=True)
class _Work:
    """What the job has to do next."""

    job_id: int
    order: ReplayOrder
    created_at: int
    mark: Mark
    is_placed: bool
    is_cancelled: bool


class ReplayJobs:
    """Begins, shows, cancels and carries out jobs; one task alone calls `advance`."""

    def __init__(self, database: Database, queue: Queue, now: Callable[[], datetime]) -> None:
        """Take up what is in the store."""
        self._database = database
        self._queue = queue
        self._now = now
        self.begun: Callable[[], None] = lambda: None

    async def count(self, order: ReplayOrder) -> int:
        """Return how many deliveries a job would place now."""
        at = to_micros(self._now())
        mark: Mark | None = BEGIN
        found = 0
        while mark is not None:
            slice_, mark = await scan(self._database, order.wanted, mark, _replayable(order, at, at))
            found += len(slice_)
        return found

    async def begin(self, order: ReplayOrder, by: Author | None = None) -> ReplayJob:
        """Return the job, durable; raises Conflict where one runs on the connection, InvalidInput for the target."""
        count = await self.count(order)
        at = to_micros(self._now())
        job_id = await self._database.write(lambda sql: _insert(sql, order, (count, at), by))
        self.begun()
        return await self.load(job_id)

    async def load(self, job_id: int) -> ReplayJob:
        """Return a job; raises NotFound."""
        query = sa.select(table).where(table.c.id == job_id)
        row = await self._database.read(lambda sql: sql.execute(query).mappings().first())
        if row is None:
            raise NotFound("there is no such replay")
        return ReplayJob(row["id"], row["count"], row["done"], row["failed"], ReplayState(row["state"]))

    async def cancel(self, job_id: int, by: Author | None = None) -> None:
        """Place nothing more; `advance` takes back what has not been sent. Raises NotFound, or Conflict: it is done."""
        await self.load(job_id)
        await self._database.write(lambda sql: _cancel(sql, job_id, by))
        self.begun()

    async def advance(self) -> tuple[bool, bool]:
        """Do a slice of every job's work; return whether there are jobs, and whether any of them has more at once."""
        unfinished = await self._database.read(_unfinished)
        busy = False
        for work in unfinished:
            if work.is_cancelled:
                busy |= await self._take_back(work)
            elif not work.is_placed:
                busy |= await self._place(work)
            busy |= await self._database.write(lambda sql, work=work: _count_settled(sql, work))  # type: ignore[misc]
        return bool(unfinished), busy

    async def _place(self, work: _Work) -> bool:
        """Place what the next slice of the log holds; true: what follows can be done at once."""
        at = to_micros(self._now())
        where = _replayable(work.order, at, work.created_at)
        found, end = await scan(self._database, work.order.wanted, work.mark, where)
        for begin in range(0, len(found), SLICE):
            part = found[begin : begin + SLICE]
            await self._queue.requeue(lambda sql, take, part=part: _place(sql, take, (work, part), at))  # type: ignore[misc]
        await self._database.write(lambda sql: _go_on(sql, work.job_id, end))
        return True

    async def _take_back(self, work: _Work) -> bool:
        now = self._now()
        at, until = to_micros(now), to_micros(now + MAY_BE_IN_FLIGHT_FOR)
        taken = await self._database.write(lambda sql: _take_back(sql, work.job_id, at, until))
        self._queue.reread(taken)
        return bool(taken)


def _replayable(order: ReplayOrder, at: int, created_at: int) -> list[sa.ColumnElement[bool]]:
    """Return what a delivery must be: settled by then, no test, with a connection to go to, and not in flight."""
    column = delivery.c
    target = column.connection_id if order.target_id is None else sa.literal(order.target_id)
    return [
        column.outcome.in_([each.value for each in order.wanted.outcomes]),
        column.settled_at <= created_at,
        ~column.test,
        sa.or_(column.not_before.is_(None), column.not_before <= at),
        sa.exists().where(connection.c.id == target),
    ]


def _insert(sql: Sql, order: ReplayOrder, counted: tuple[int, int], by: Author | None) -> int:
    count, at = counted
    known = sa.exists().where(connection.c.id == order.target_id)
    if order.target_id is not None and not sql.scalar(sa.select(known)):
        raise InvalidInput("connectionId", f"there is no connection {order.target_id}")
    connection_id = order.wanted.connection_id
    running = sa.select(table.c.id).where(table.c.state == ReplayState.RUNNING.value)
    if connection_id is not None:
        running = running.where(
            sa.or_(table.c.connection_id.is_(None), table.c.connection_id == connection_id)
        )
    if (other := sql.scalar(running.limit(1))) is not None:
        raise Conflict(f"replay {other} runs on this connection; wait for its end, or cancel it")
    values = {
        "filter": msgspec.json.encode(order.wanted).decode(),
        "connection_id": connection_id,
        "target_id": order.target_id,
        "state": ReplayState.RUNNING.value,
        "count": count,
        "done": 0,
        "failed": 0,
        "created_at": at,
        "after_time": BEGIN.received_at,
        "after_id": BEGIN.id,
        "is_placed": False,
    }
    key = sql.execute(sa.insert(table).values(values)).inserted_primary_key
    job_id = int(key[0]) if key else 0
    told = {"filter": msgspec.to_builtins(order.wanted), "connectionId": order.target_id, "count": count}
    record(sql, by, Change("create", _RESOURCE, str(job_id), differences({}, told)))
    return job_id


def _cancel(sql: Sql, job_id: int, by: Author | None) -> None:
    unfinished = (table.c.id == job_id) & (table.c.state != ReplayState.DONE.value)
    change = sa.update(table).where(unfinished).values(state=ReplayState.CANCELLED.value)
    if sql.execute(change).rowcount == 0:
        raise Conflict("this replay is done; nothing is left to cancel")
    record(sql, by, Change("cancel", _RESOURCE, str(job_id)))


def _unfinished(sql: Sql) -> list[_Work]:
    """Return the running jobs, and the cancelled ones that have something to take back."""
    running = table.c.state == ReplayState.RUNNING.value
    cancelled = table.c.state == ReplayState.CANCELLED.value
    left = sa.exists().where(delivery.c.replay_id == table.c.id, delivery.c.replay_id.is_not(None))
    rows = sql.execute(sa.select(table).where(sa.or_(running, cancelled & left)).order_by(table.c.id))
    return [_work(row) for row in rows]


def _work(row: Row[Any]) -> _Work:
    wanted = msgspec.json.decode(row.filter, type=DeliveryFilter)
    mark = Mark(row.after_time, row.after_id)
    is_cancelled = row.state == ReplayState.CANCELLED.value
    order = ReplayOrder(wanted, row.target_id)
    return _Work(row.id, order, row.created_at, mark, row.is_placed, is_cancelled)


def _place(sql: Sql, take: TakePosition, part: tuple[_Work, Sequence[Mark]], at: int) -> Requeued:
    """Place a part of the log, and move the job's mark behind it; runs in the writer."""
    work, marks = part
    if sql.scalar(sa.select(table.c.state).where(table.c.id == work.job_id)) != ReplayState.RUNNING.value:
        return Requeued((), frozenset())
    query = (
        sa.select(delivery)
        .where(delivery.c.id.in_([each.id for each in marks]), *_replayable(work.order, at, work.created_at))
        .order_by(delivery.c.received_at, delivery.c.id)
    )
    rows = sql.execute(query).all()
    _go_on(sql, work.job_id, marks[-1])
    if work.order.target_id is None:
        return requeue(sql, take, rows, at, work.job_id)
    return copy(sql, take, rows, (work.order.target_id, at), work.job_id)


def _go_on(sql: Sql, job_id: int, mark: Mark | None) -> None:
    """Note how far a job has come; None: to the end."""
    end = {"is_placed": True}
    values = end if mark is None else {"after_time": mark.received_at, "after_id": mark.id}
    sql.execute(sa.update(table).where(table.c.id == job_id).values(values))


def _count_settled(sql: Sql, work: _Work) -> bool:
    """Count what became of what a job placed; return whether there may be more. Ends a job with nothing left."""
    placed = delivery.c.replay_id == work.job_id
    query = sa.select(delivery.c.id, delivery.c.outcome).where(placed, delivery.c.outcome.in_(_SETTLED))
    rows = sql.execute(query.limit(SLICE)).all()
    if rows:
        ids = [row.id for row in rows]
        sql.execute(sa.update(delivery).where(delivery.c.id.in_(ids)).values(replay_id=None))
        delivered = sum(row.outcome == Outcome.DELIVERED.value for row in rows)
        counts = {"done": table.c.done + delivered, "failed": table.c.failed + len(rows) - delivered}
        sql.execute(sa.update(table).where(table.c.id == work.job_id).values(counts))
    elif work.is_placed and not sql.scalar(sa.select(sa.exists().where(placed))):
        # What was counted at first and could not be placed any more has failed: purged, its connection deleted.
        running = (table.c.id == work.job_id, table.c.state == ReplayState.RUNNING.value)
        end = {"state": ReplayState.DONE.value, "failed": table.c.count - table.c.done}
        sql.execute(sa.update(table).where(*running).values(end))
    return len(rows) == SLICE


def _take_back(sql: Sql, job_id: int, at: int, until: int) -> list[int]:
    """Give some of what a cancelled job has placed and what still waits its outcome back, unless it was sent since.

    Return the connections they wait on; none when all is done. What was sent goes on, and is counted no more.
    """
    column = delivery.c
    query = sa.select(column.id, column.connection_id)
    waits = (column.replay_id == job_id) & (column.outcome == Outcome.QUEUED.value)
    rows = sql.execute(query.where(waits).limit(SLICE)).all()
    back = column.attempt_count == column.replayed_after
    values = {
        "outcome": sa.case(
            (back, sa.func.coalesce(column.replayed_from, Outcome.DISCARDED.value)), else_=column.outcome
        ),
        "reason": sa.case((back & column.replayed_from.is_(None), CANCELLED), else_=column.reason),
        "settled_at": sa.case((back, at), else_=column.settled_at),
        "not_before": sa.case((back, until), else_=column.not_before),
        "replay_id": None,
    }
    sql.execute(sa.update(delivery).where(column.id.in_([row.id for row in rows])).values(values))
    return sorted({row.connection_id for row in rows})
