"""Downlinks: kept until a network server has answered for them, then for the log (specification, section 9).

What an application asked for is sealed as a whole: it may carry an AS_KEY. A request is marked before it is written, so
that after a kill it is known which downlinks may have been sent.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from sqlalchemy.engine import Row

from longwire.core.downlink import Downlink, Report, Status
from longwire.core.errors import NotFound
from longwire.core.message import DevEui
from longwire.core.traffic import DAY_MINUTES, HOUR_MINUTES, MINUTE, Counts
from longwire.storage.database import Database
from longwire.storage.micros import from_micros, to_micros
from longwire.storage.page import Page
from longwire.storage.schema import connection
from longwire.storage.schema import downlink as table
from longwire.storage.secrets import Sealer
from longwire.storage.slices import change_found

_QUEUED = sa.text("status = 'QUEUED'")
_TICKET = (
    table.c.id,
    table.c.connection_id,
    table.c.network_server_id,
    table.c.dev_eui,
    table.c.attempts,
    table.c.not_before,
    table.c.cause,
    table.c.marked,
)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a downlink comes from and where it goes."""

    connection_id: int
    network_server_id: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A queued downlink as its lane waits for it: no content. `is_marked`: a request of it may be under way."""

    id: int
    route: Route
    dev_eui: DevEui
    attempts: int = 0
    not_before: datetime | None = None
    cause: str | None = None
    is_marked: bool = False


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What an attempt came to; QUEUED: it is tried again at `not_before`."""

    status: Status
    cause: str | None
    at: datetime
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which downlinks to list; None: all."""

    dev_eui: DevEui | None = None
    connection_id: int | None = None
    status: Status | None = None


class Downlinks:
    """Reads and saves downlinks."""

    def __init__(self, database: Database, sealer: Sealer, now: Callable[[], datetime]) -> None:
        """Nothing is read yet."""
        self._database = database
        self._sealer = sealer
        self._now = now

    async def put(self, downlink: Downlink, route: Route) -> Ticket:
        """Return the ticket of a downlink that is durable.

        Raises StorageUnavailable, or NotFound when its connection was deleted meanwhile.
        """
        number = await self._database.write(lambda sql: self._insert(sql, downlink, route))
        return Ticket(number, route, downlink.dev_eui)

    async def queued(self) -> list[Ticket]:
        """Return what waits, oldest first: at the start."""
        query: sa.Select[Any] = sa.select(*_TICKET).where(_QUEUED).order_by(table.c.id)
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return [_ticket(row) for row in rows]

    async def content(self, ticket: Ticket) -> Downlink | None:
        """Return what the application asked for; None when that is over.

        A report of the network ends it, which may come before its answer, and the end of its connection.
        """
        query = sa.select(table.c.sealed).where(table.c.id == ticket.id, _QUEUED)
        sealed = await self._database.read(lambda sql: sql.scalar(query))
        if sealed is None:
            return None
        return msgspec.json.decode(self._sealer.open(sealed, "downlink"), type=Downlink)

    async def mark(self, ticket: Ticket) -> None:
        """Note, durably, that a request is about to be written."""
        values = {"marked": True, "attempts": table.c.attempts + 1, "updated_at": to_micros(self._now())}
        change = sa.update(table).where(table.c.id == ticket.id).values(values)
        await self._database.write(lambda sql: sql.execute(change))

    async def conclude(self, ticket: Ticket, conclusion: Conclusion) -> None:
        """Record what came of it, unless it is over already."""
        values = {
            "status": conclusion.status.value,
            "cause": conclusion.cause,
            "not_before": to_micros(conclusion.not_before),
            "marked": False,
            "updated_at": to_micros(conclusion.at),
        }
        change = sa.update(table).where(table.c.id == ticket.id, _QUEUED).values(values)
        await self._database.write(lambda sql: sql.execute(change))

    async def note_report(self, report: Report) -> None:
        """Take in what a network server reports of a downlink; one that was SENT stays so.

        The report may come before the answer to the request: then the downlink is over without it.
        """
        change: dict[str, Any] = {} if report.status is None else {"status": report.status.value}
        where = (
            sa.func.upper(table.c.correlation_id) == report.correlation_id.upper(),
            table.c.dev_eui == report.dev_eui,
            table.c.network_server_id == report.network_server_id,
            table.c.status != Status.SENT.value,
            table.c.attempts > 0,
        )
        values = {**change, "cause": report.cause, "updated_at": to_micros(self._now())}
        await self._database.write(lambda sql: sql.execute(sa.update(table).where(*where).values(values)))

    async def list(self, wanted: Filter, page: Page) -> tuple[int, list[Row[Any]]]:
        """Return how many there are, and a page of them, newest first."""
        where = list(_conditions(wanted))
        count = sa.select(sa.func.count()).select_from(table).where(*where)
        rows = (
            sa.select(table)
            .where(*where)
            .order_by(table.c.id.desc())
            .offset((page.number - 1) * page.size)
            .limit(page.size)
        )
        return await self._database.read(lambda sql: (sql.scalar(count) or 0, list(sql.execute(rows).all())))

    async def count(self, connection_ids: Sequence[int] | None = None) -> dict[int, tuple[Counts, Counts]]:
        """Return how many were asked for in the last hour and the last day, for each connection where any was.

        REJECTED ones are FAILED, EXPIRED ones LOST.
        """
        now, column = self._now(), table.c
        in_hour = column.created_at > to_micros(now - HOUR_MINUTES * MINUTE)
        query = (
            sa.select(column.connection_id, column.status, sa.func.count().filter(in_hour), sa.func.count())
            .where(column.created_at > to_micros(now - DAY_MINUTES * MINUTE))
            .group_by(column.connection_id, column.status)
        )
        if connection_ids is not None:
            query = query.where(column.connection_id.in_(connection_ids))
        counts: dict[int, tuple[Counts, Counts]] = {}
        for connection_id, status, *numbers in await self._database.read(
            lambda sql: sql.execute(query).all()
        ):
            for sums, number in zip(
                counts.setdefault(connection_id, (Counts(), Counts())), numbers, strict=True
            ):
                sums.move(_counted(Status(status), number), 1)
        return counts

    async def purge(self, begin: datetime) -> None:
        """Delete what has been over since before then, in slices."""
        old = sa.select(table.c.id).where(
            table.c.updated_at < to_micros(begin), table.c.status != Status.QUEUED.value
        )
        await change_found(
            self._database, old, lambda sql, ids: sql.execute(sa.delete(table).where(table.c.id.in_(ids)))
        )

    def _insert(self, sql: Sql, downlink: Downlink, route: Route) -> int:
        if sql.scalar(sa.select(connection.c.id).where(connection.c.id == route.connection_id)) is None:
            raise NotFound("there is no such downlink address")
        at = to_micros(self._now())
        values = {
            "correlation_id": downlink.correlation_id,
            "dev_eui": downlink.dev_eui,
            "connection_id": route.connection_id,
            "network_server_id": route.network_server_id,
            "f_port": downlink.f_port,
            "payload_hex": downlink.payload_hex,
            "confirmed": bool(downlink.confirmed),
            "sealed": self._sealer.seal(msgspec.json.encode(downlink).decode(), "downlink"),
            "status": Status.QUEUED.value,
            "attempts": 0,
            "marked": False,
            "expires_at": to_micros(downlink.expires_at),
            "created_at": at,
            "updated_at": at,
        }
        key = sql.execute(sa.insert(table).values(values)).inserted_primary_key
        return int(key[0]) if key else 0


def end_for_connection(sql: Sql, connection_id: int, at: int) -> None:
    """End what waits for a connection that is deleted, `at` in microseconds; what is under way may still be sent."""
    values = {"status": Status.REJECTED.value, "cause": "its connection was deleted", "updated_at": at}
    where = (table.c.connection_id == connection_id, _QUEUED)
    sql.execute(sa.update(table).where(*where).values(values))


def _counted(status: Status, number: int) -> Counts:
    return Counts(number, number * (status is Status.REJECTED), number * (status is Status.EXPIRED))


def _conditions(wanted: Filter) -> Iterable[sa.ColumnElement[bool]]:
    if wanted.dev_eui is not None:
        yield table.c.dev_eui == wanted.dev_eui
    if wanted.connection_id is not None:
        yield table.c.connection_id == wanted.connection_id
    if wanted.status is not None:
        yield table.c.status == wanted.status.value


def _ticket(row: Row[Any]) -> Ticket:
    route = Route(row.connection_id, row.network_server_id)
    return Ticket(
        row.id, route, row.dev_eui, row.attempts, from_micros(row.not_before), row.cause, row.marked
    )
