"""What connections carry, counted: small rows for each minute, and when each device was active last.

Counting is done in memory and costs no write; `flush` writes what has come together. After a clean end nothing is
missing; after a kill what was not written yet is counted again from the delivery log (specification, section 13).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire import log
from longwire.core.delivery import Outcome
from longwire.core.errors import StorageUnavailable
from longwire.core.traffic import DAY_MINUTES, HOUR_MINUTES, MINUTE, PARTS, Counts, Sums
from longwire.storage.database import Database
from longwire.storage.micros import MICROSECOND, to_micros
from longwire.storage.rows import write_rows
from longwire.storage.schema import active_thing, delivery, setting
from longwire.storage.schema import connection as connection_table
from longwire.storage.schema import traffic as table

_MINUTE = MINUTE // MICROSECOND
_SLICE = 1000
_KEPT_MINUTES = DAY_MINUTES + HOUR_MINUTES
# Activity is kept to 5 minutes, so that a device that sends often costs few writes.
STEP_MINUTES = 5
_COUNTED_AT = "traffic_counted_at"

_ADD = (
    "INSERT INTO traffic (connection_id, minute, uplinks, failed, lost) VALUES {rows}"
    " ON CONFLICT (connection_id, minute) DO UPDATE SET uplinks=uplinks+excluded.uplinks,"
    " failed=failed+excluded.failed, lost=lost+excluded.lost"
)
_SEEN = (
    "INSERT INTO active_thing (connection_id, dev_eui, step) VALUES {rows}"
    " ON CONFLICT (connection_id, dev_eui) DO UPDATE SET step=excluded.step WHERE excluded.step > step"
)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What one connection carried."""

    connection_id: int
    hour: Counts
    day: Counts
    things_hour: int
    things_day: int


class Traffic:
    """Counts what ended on each connection; nothing may be counted before `open`."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Count nothing yet."""
        self._database = database
        self._now = now
        self._flushing = asyncio.Lock()
        self._counts: dict[tuple[int, int], Counts] = {}
        self._things: dict[tuple[int, str], int] = {}

    async def open(self, *, recount: bool) -> None:
        """Read the sums; `recount` says that the last run did not end with a flush."""
        now = self._now()
        if recount or not await self._database.read(_was_counted):
            await self._database.write(lambda sql: _recount(sql, now))
        minute = to_micros(now) // _MINUTE
        self._sums = [
            Sums(minutes, minute, dict(await self._read_rows(range(minute - minutes + 1, minute + 1))))
            for minutes in (HOUR_MINUTES, DAY_MINUTES)
        ]

    def count(self, connection_id: int, outcome: Outcome, at: datetime, count: int = 1) -> None:
        """Count messages that ended; never waits. Outcomes that are not counted do nothing."""
        part = PARTS.get(outcome)
        if part is None:
            return
        minute = to_micros(at) // _MINUTE
        key = (connection_id, minute)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = Counts()
        counts.add(part, count)
        for sums in self._sums:
            sums.add(connection_id, minute, part, count)

    def saw(self, connection_id: int, order_key: str, at: datetime) -> None:
        """Note that a device was active; gateways (whose key has a colon) are no devices."""
        if ":" not in order_key:
            self._things[connection_id, order_key] = to_micros(at) // _MINUTE // STEP_MINUTES

    async def flush(self) -> None:
        """Write what was counted, and let the windows move on; what cannot be done is left for the next flush."""
        # A flush that has begun is ended also when its caller is cancelled: half of it would be lost.
        await asyncio.shield(self._flush())

    async def read(self, connection_ids: Sequence[int] | None = None) -> list[Metrics]:
        """Return what connections carried, newest first: all of them, or those with the given ids."""
        await self.flush()
        step = to_micros(self._now()) // _MINUTE // STEP_MINUTES
        found = await self._database.read(lambda sql: _read_things(sql, step, connection_ids))
        hour, day = self._sums
        return [
            Metrics(connection_id, hour.get(connection_id), day.get(connection_id), *things)
            for connection_id, *things in found
        ]

    async def purge(self) -> None:
        """Delete what no window reaches any more, in slices."""
        minute = to_micros(self._now()) // _MINUTE - _KEPT_MINUTES
        for query, deletion in (
            (
                sa.select(table.c.connection_id, table.c.minute).where(table.c.minute < minute),
                _DELETE_TRAFFIC,
            ),
            (
                sa.select(active_thing.c.connection_id, active_thing.c.dev_eui).where(
                    active_thing.c.step < minute // STEP_MINUTES
                ),
                _DELETE_THINGS,
            ),
        ):
            limited = query.limit(10 * _SLICE)
            while keys := await self._database.read(lambda sql, q=limited: sql.execute(q).all()):  # type: ignore[misc]
                for part in _slices([tuple(key) for key in keys]):
                    await self._database.write(lambda sql, p=part, d=deletion: write_rows(sql, d, p))  # type: ignore[misc]

    async def _flush(self) -> None:
        async with self._flushing:
            now = self._now()
            dropped = [sums.move_to(to_micros(now) // _MINUTE) for sums in self._sums]
            try:
                await self._write(now)
                for sums, minutes in zip(self._sums, dropped, strict=True):
                    if minutes:
                        sums.subtract(minutes, await self._read_rows(minutes))
            except StorageUnavailable as error:
                log.warning(log.STORAGE_COMMIT_FAILED, error=str(error))

    async def _write(self, now: datetime) -> None:
        """Write what was counted; raises StorageUnavailable, and keeps what is not written."""
        counts, self._counts = self._counts, {}
        things, self._things = self._things, {}
        rows = [(*key, each.uplinks, each.failed, each.lost) for key, each in counts.items()]
        seen = [(*key, step) for key, step in things.items()]
        written = 0
        try:
            for part in _slices(rows):
                await self._database.write(lambda sql, p=part: write_rows(sql, _ADD, p))  # type: ignore[misc]
                written += len(part)
            for part in _slices(seen):
                await self._database.write(lambda sql, p=part: write_rows(sql, _SEEN, p))  # type: ignore[misc]
            if rows or seen:
                await self._database.write(lambda sql: _note_counted(sql, now))
        except StorageUnavailable:
            self._take_back(list(counts.items())[written:])
            self._things = things | self._things
            raise

    def _take_back(self, unwritten: Iterable[tuple[tuple[int, int], Counts]]) -> None:
        for key, counts in unwritten:
            if (newer := self._counts.get(key)) is not None:
                counts.move(newer, 1)
            self._counts[key] = counts

    async def _read_rows(self, minutes: range) -> list[tuple[int, Counts]]:
        column = table.c
        sums = (sa.func.sum(each) for each in (column.uplinks, column.failed, column.lost))
        query = (
            sa.select(column.connection_id, *sums)
            .where(column.minute >= minutes.start, column.minute < minutes.stop)
            .group_by(column.connection_id)
        )
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return [(row[0], Counts(*row[1:])) for row in rows]


_DELETE_TRAFFIC = "DELETE FROM traffic WHERE (connection_id, minute) IN (VALUES {rows})"
_DELETE_THINGS = "DELETE FROM active_thing WHERE (connection_id, dev_eui) IN (VALUES {rows})"


def _slices(rows: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (rows[begin : begin + _SLICE] for begin in range(0, len(rows), _SLICE))


def _was_counted(sql: Sql) -> bool:
    return _counted_at(sql) is not None


def _counted_at(sql: Sql) -> str | None:
    return sql.scalar(sa.select(setting.c.value).where(setting.c.name == _COUNTED_AT))


def _note_counted(sql: Sql, at: datetime) -> None:
    sql.execute(sa.delete(setting).where(setting.c.name == _COUNTED_AT))
    sql.execute(sa.insert(setting).values(name=_COUNTED_AT, value=str(to_micros(at))))


def _read_things(sql: Sql, step: int, connection_ids: Sequence[int] | None) -> list[tuple[int, int, int]]:
    """Return each connection with its active devices of the last hour and the last day."""
    column = active_thing.c
    in_hour = sa.func.count(column.connection_id).filter(column.step > step - HOUR_MINUTES // STEP_MINUTES)
    in_day = (column.connection_id == connection_table.c.id) & (
        column.step > step - DAY_MINUTES // STEP_MINUTES
    )
    query = (
        sa.select(connection_table.c.id, in_hour, sa.func.count(column.connection_id))
        .outerjoin(active_thing, in_day)
        .group_by(connection_table.c.id)
        .order_by(connection_table.c.id.desc())
    )
    if connection_ids is not None:
        query = query.where(connection_table.c.id.in_(connection_ids))
    return [(row[0], row[1], row[2]) for row in sql.execute(query)]


def _recount(sql: Sql, now: datetime) -> None:
    """Count again from the log what ended since the last flush, from the minute before it; at most a day."""
    since = max(int(_counted_at(sql) or 0), to_micros(now) - DAY_MINUTES * _MINUTE)
    minute = since // _MINUTE - 1
    sql.execute(sa.delete(table).where(table.c.minute >= minute))
    column = delivery.c
    ended_in = column.settled_at // _MINUTE
    where = (
        column.settled_at >= minute * _MINUTE,
        column.connection_id.is_not(None),
        column.outcome.in_([outcome.value for outcome in PARTS]),
    )
    counted = sa.select(column.connection_id, ended_in, column.outcome, sa.func.count()).where(*where)
    write_rows(
        sql,
        _ADD,
        [_counted_row(*row) for row in sql.execute(counted.group_by(*counted.selected_columns[:3]))],
    )
    seen = sa.select(column.connection_id, column.order_key, sa.func.max(column.settled_at)).where(*where)
    keys = sql.execute(seen.group_by(column.connection_id, column.order_key))
    write_rows(
        sql, _SEEN, [(row[0], row[1], row[2] // _MINUTE // STEP_MINUTES) for row in keys if ":" not in row[1]]
    )
    _note_counted(sql, now)


def _counted_row(connection_id: int, minute: int, outcome: str, count: int) -> tuple[int, ...]:
    counts = Counts()
    counts.add(PARTS[Outcome(outcome)], count)
    return (connection_id, minute, counts.uplinks, counts.failed, counts.lost)
