"""Events: recorded without waiting, written every second, read in pages (specification, section 13)."""

import asyncio
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire import log
from longwire.core.errors import StorageUnavailable
from longwire.core.event import Event, Kind, Level, Occurrence
from longwire.core.ledger import Ledger
from longwire.storage.database import Database
from longwire.storage.micros import to_micros
from longwire.storage.page import Page
from longwire.storage.rows import write_rows
from longwire.storage.schema import connection_revision
from longwire.storage.schema import event as table

KEPT_FOR = timedelta(days=30)
MOST_KEPT = 250_000
_SLICE = 500
_QUIET = (Level.DEBUG, Level.INFO)

# A counted event that has grown replaces its row.
_WRITE = "INSERT OR REPLACE INTO event (id, at, level, code, connection_id, message, data) VALUES {rows}"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are asked for: `begin` is inclusive, `end` exclusive; a text is found in any case of ASCII."""

    connection_id: int | None = None
    begin: datetime | None = None
    end: datetime | None = None
    text: str | None = None


class Events:
    """Takes what occurs, writes it with `flush`, and finds it again.

    A kill loses what occurred since the last flush: with one a second, at most the last second.
    """

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        """Nothing may be told before `open`."""
        self._database = database
        self._now = now
        self._ledger = Ledger()

    async def open(self) -> None:
        """Find the first free number."""
        query = sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0))
        self._ledger = Ledger(1 + await self._database.read(lambda sql: sql.scalar(query) or 0))

    def tell(self, occurrence: Occurrence) -> None:
        """Keep an occurrence in memory until the next flush; never waits. What makes a new event is logged too."""
        if self._ledger.add(occurrence):
            _log(occurrence)

    async def flush(self) -> None:
        """Write what is new; what cannot be written is kept for the next flush."""
        # A flush that has begun is ended also when its caller is cancelled: half of it would be lost.
        await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        self._ledger.forget_old(self._now())
        events = self._ledger.take()
        unrecorded = self._ledger.unrecorded
        while events:
            part = events[:_SLICE]
            try:
                await self._write(part)
            except StorageUnavailable:
                self._ledger.put_back(events)
                return
            events = events[_SLICE:]
        if unrecorded:
            self._ledger.unrecorded -= unrecorded
            self.tell(Occurrence(Kind.EVENTS_UNRECORDED, self._now(), facts={"unrecorded": unrecorded}))

    async def list(self, wanted: EventFilter, page: Page) -> tuple[int, Sequence[Row[Any]]]:
        """Return how many events match, and a page of them, newest first."""
        where = _where(wanted)
        count = sa.select(sa.func.count()).select_from(table).where(*where)
        rows = (
            sa.select(table)
            .where(*where)
            # For a text every row is looked at: in the order of the table that takes a tenth of the time.
            .order_by((table.c.at if wanted.text is None else table.c.at + 0).desc(), table.c.id.desc())
            .limit(page.size)
            .offset((page.number - 1) * page.size)
        )
        return await self._database.read(lambda sql: (sql.scalar(count) or 0, sql.execute(rows).all()))

    async def purge(self) -> None:
        """Delete what is past its retention, or beyond the number that is kept, in slices."""
        oldest = to_micros(self._now() - KEPT_FOR)
        newest_first = sa.select(table.c.id).order_by(table.c.id.desc())
        while True:
            excess = await self._database.read(
                lambda sql: sql.scalar(newest_first.offset(MOST_KEPT).limit(1))
            )
            where = (table.c.at < oldest) | (table.c.id <= (excess or 0))
            ids = sa.select(table.c.id).where(where).order_by(table.c.id).limit(_SLICE)
            deletion = sa.delete(table).where(table.c.id.in_(ids))
            if await self._database.write(lambda sql, deletion=deletion: sql.execute(deletion).rowcount) == 0:  # type: ignore[misc]
                return

    async def _write(self, events: Sequence[Event]) -> None:
        """Write events as they are now; the texts are made here, as the writer must not see them change."""
        ids = {each.first.connection_id for each in events if each.first.connection_id is not None}
        names = await self._database.read(lambda sql: _names(sql, ids))
        rows = [_row(each, names.get(each.first.connection_id)) for each in events]
        await self._database.write(lambda sql: write_rows(sql, _WRITE, rows))


def _log(occurrence: Occurrence) -> None:
    write = log.info if occurrence.kind.level in _QUIET else log.warning
    write(
        log.EVENT_TOLD,
        code=occurrence.kind.code,
        what=occurrence.kind.value.title,
        connection=occurrence.connection_id,
        cause=occurrence.cause,
        **occurrence.facts,
    )


def _row(event: Event, name: str | None) -> tuple[Any, ...]:
    first = event.first
    return (
        event.number,
        to_micros(first.at),
        first.kind.level.value,
        first.kind.code,
        first.connection_id,
        event.message(name),
        json.dumps(event.data(name), ensure_ascii=False),
    )


def _names(sql: Sql, connection_ids: Collection[int]) -> dict[int | None, str | None]:
    """Return the names of connections, also of deleted ones while the log refers to them."""
    column = connection_revision.c
    newest = sa.func.max(column.revision)  # SQLite takes the other columns from the row of the maximum
    query = (
        sa.select(column.connection_id, sa.func.json_extract(column.document, "$.name"), newest)
        .where(column.connection_id.in_(connection_ids))
        .group_by(column.connection_id)
    )
    return {row[0]: row[1] for row in sql.execute(query)}


def _where(wanted: EventFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if wanted.connection_id is not None:
        where.append(table.c.connection_id == wanted.connection_id)
    if wanted.begin is not None:
        where.append(table.c.at >= to_micros(wanted.begin))
    if wanted.end is not None:
        where.append(table.c.at < to_micros(wanted.end))
    if wanted.text:
        where.append(table.c.message.contains(wanted.text, autoescape=True))
    return where
