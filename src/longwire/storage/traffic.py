"""What connections carry, counted: small rows for each minute, and when each device was active last.

Counting is done in memory and costs no write; `flush` writes what has come together. After a clean end nothing is
missing; after a kill what was not written yet is counted again from the delivery log (specification, section 13).
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire import log
from longwire.core.delivery import Outcome
from longwire.core.errors import StorageUnavailable
from longwire.core.meters import Meters
from longwire.core.traffic import COUNTED, DAY_MINUTES, HOUR_MINUTES, MINUTE, Counts, Sums, Tally, count
from longwire.storage.database import Database
from longwire.storage.micros import MICROSECOND, from_micros, to_micros
from longwire.storage.rows import write_rows
from longwire.storage.schema import active_thing, delivery, setting
from longwire.storage.schema import connection as connection_table
from longwire.storage.schema import traffic as table
from longwire.storage.slices import delete_found, slices
from longwire.storage.waited import Waited

_MINUTE = MINUTE // MICROSECOND
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


@dataclass(frozen=True, slots=True)
class Window:
    """How many minutes a series reaches back, in steps of how many."""

    minutes: int
    step: int


@dataclass(frozen=True, slots=True)
class Step:
    """What one connection carried in a step that begins then, and how many messages waited on it at most."""

    begin: datetime
    counts: Counts
    lag: int


class Traffic:
    """Counts what ended on each connection; nothing may be counted before `open`."""

    def __init__(self, database: Database, now: Callable[[], datetime], meters: Meters) -> None:
        """Count nothing yet; `meters` get every outcome too."""
        self._database = database
        self._now = now
        self._meters = meters
        self._waited = Waited(database)
        self._flushing = asyncio.Lock()
        self._tallies: dict[int, dict[int, Tally]] = {}
        self._unwritten: dict[tuple[int, int], Counts] = {}
        self._unwritten_things: dict[tuple[int, str], int] = {}
        # Of all connections by the minute: 10,000 of them have too many rows to add up for a page.
        self._totals: dict[int, Counts] = {}
        self._enter_minute(now())

    async def open(self, *, recount: bool) -> None:
        """Read the sums; `recount` says that the last run did not end with a flush."""
        now = self._now()
        if recount or not await self._database.read(_was_counted):
            await self._database.write(lambda sql: _recount(sql, now))
        await self._waited.open()
        minute = to_micros(now) // _MINUTE
        self._totals = await self._read_totals(minute - DAY_MINUTES)
        self._sums = [
            Sums(minutes, minute, dict(await self._read_rows(range(minute - minutes + 1, minute + 1))))
            for minutes in (HOUR_MINUTES, DAY_MINUTES)
        ]

    def tally(self, connection_id: int, at: datetime) -> Tally:
        """Return where to count what ends on a connection at this time; never waits."""
        if not self._begin <= at < self._end:
            self._enter_minute(at)
        tally = self._current.get(connection_id)
        if tally is None:
            tally = self._current[connection_id] = Tally()
        return tally

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

    async def series(self, connection_id: int, window: Window) -> list[Step]:
        """Return what a connection carried and what waited on it, step by step, oldest first; raises NotFound."""
        await self.flush()
        first, last = self._steps(window)
        column = table.c
        query = sa.select(column.minute, column.uplinks, column.failed, column.lost).where(
            column.connection_id == connection_id, column.minute >= first * window.step
        )
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        counted = _in_steps(window, first, [(minute, Counts(*counts)) for minute, *counts in rows])
        minutes = range(first * window.step, last + 1)
        waited = await self._waited.series(connection_id, minutes, window.step)
        return [Step(*step, lag) for step, lag in zip(counted, waited, strict=True)]

    async def total_series(self, window: Window) -> list[tuple[datetime, Counts]]:
        """Return what all connections carried together, each step with its beginning; it reads no row."""
        await self.flush()
        return _in_steps(window, self._steps(window)[0], self._totals.items())

    def most_lost(self, most: int) -> list[int]:
        """Return the connections that lost most in the last hour, at most that many."""
        return self._sums[0].most_lost(most)

    async def purge(self) -> None:
        """Delete what no window reaches any more, in slices."""
        minute = to_micros(self._now()) // _MINUTE - _KEPT_MINUTES
        counts = sa.select(table.c.connection_id, table.c.minute).where(table.c.minute < minute)
        await delete_found(self._database, counts, _DELETE_TRAFFIC)
        thing = active_thing.c
        things = sa.select(thing.connection_id, thing.dev_eui).where(thing.step < minute // STEP_MINUTES)
        await delete_found(self._database, things, _DELETE_THINGS)
        await self._waited.purge(minute)

    def _steps(self, window: Window) -> tuple[int, int]:
        """Return the first step of a window, and the current minute, which lies in the last one."""
        minute = to_micros(self._now()) // _MINUTE
        return minute // window.step - window.minutes // window.step + 1, minute

    async def _read_totals(self, since: int) -> dict[int, Counts]:
        column = table.c
        sums = (sa.func.sum(each) for each in (column.uplinks, column.failed, column.lost))
        query = sa.select(column.minute, *sums).where(column.minute >= since).group_by(column.minute)
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return {row[0]: Counts(*row[1:]) for row in rows}

    async def _flush(self) -> None:
        async with self._flushing:
            now = self._now()
            self._take_tallies()
            while (
                self._totals
                and (oldest := next(iter(self._totals))) < to_micros(now) // _MINUTE - _KEPT_MINUTES
            ):
                del self._totals[oldest]
            try:
                await self._write(now)
                await self._waited.sample(to_micros(now) // _MINUTE - 1)
                for sums in self._sums:
                    if minutes := sums.leaving(to_micros(now) // _MINUTE):
                        sums.leave(minutes, await self._read_rows(minutes))
            except StorageUnavailable as error:
                log.warning(log.STORAGE_COMMIT_FAILED, error=str(error))

    def _enter_minute(self, at: datetime) -> None:
        """Let `tally` give the tallies of the minute that `at` lies in."""
        minute = to_micros(at) // _MINUTE
        self._begin = from_micros(minute * _MINUTE)
        self._end = self._begin + MINUTE
        self._current = self._tallies.setdefault(minute, {})

    def _take_tallies(self) -> None:
        """Turn what was tallied into rows to write."""
        tallies, self._tallies = self._tallies, {}
        self._enter_minute(self._begin)
        for minute, by_connection in tallies.items():
            for connection_id, tally in by_connection.items():
                outcomes = tally.outcomes()
                self._meters.count_outcomes(connection_id, outcomes)
                self._unwritten.setdefault((connection_id, minute), Counts()).move(count(outcomes), 1)
                for sender in tally.senders:
                    if ":" not in sender:  # gateways are no devices
                        self._unwritten_things[connection_id, sender] = minute // STEP_MINUTES

    async def _write(self, now: datetime) -> None:
        """Write what is not written; raises StorageUnavailable, then the rest stays for the next flush."""
        if not self._unwritten and not self._unwritten_things:
            return
        for keys in slices(list(self._unwritten)):
            rows = [
                (*key, each.total, each.failed, each.lost) for key in keys for each in [self._unwritten[key]]
            ]
            await self._database.write(lambda sql, rows=rows: write_rows(sql, _ADD, rows))  # type: ignore[misc]
            for key in keys:
                counts = self._unwritten.pop(key)
                for sums in self._sums:
                    sums.add(key[0], key[1], counts)
                self._totals.setdefault(key[1], Counts()).move(counts, 1)
        for things in slices(list(self._unwritten_things.items())):
            seen = [(*key, step) for key, step in things]
            await self._database.write(lambda sql, seen=seen: write_rows(sql, _SEEN, seen))  # type: ignore[misc]
            for thing, _ in things:
                del self._unwritten_things[thing]
        await self._database.write(lambda sql: _note_counted(sql, now))

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


def _in_steps(
    window: Window, first: int, rows: Iterable[tuple[int, Counts]]
) -> list[tuple[datetime, Counts]]:
    steps = {step: Counts() for step in range(first, first + window.minutes // window.step)}
    for minute, counts in rows:
        if (sums := steps.get(minute // window.step)) is not None:
            sums.move(counts, 1)
    return [(from_micros(step * window.step * _MINUTE), counts) for step, counts in steps.items()]


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
        ~column.test,
        column.outcome.in_([outcome.value for outcome in COUNTED]),
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


def _counted_row(connection_id: int, minute: int, outcome: str, number: int) -> tuple[int, ...]:
    counts = count({Outcome(outcome): number})
    return (connection_id, minute, counts.total, counts.failed, counts.lost)
