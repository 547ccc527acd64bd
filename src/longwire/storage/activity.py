"""The delivery log, read: every message and every attempt within its retention (specification, section 14)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from longwire.core.delivery import Trigger
from longwire.core.errors import NotFound
from longwire.storage.database import Database
from longwire.storage.delivery_search import DeliveryFilter, Found, envelopes, find_deliveries
from longwire.storage.micros import from_micros
from longwire.storage.page import Page
from longwire.storage.schema import attempt, delivery, message
from longwire.storage.waiting import count_by_connection, waiting_in_order

TIMED = 200
"""Deliveries of a connection whose requests tell how long it takes."""


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A delivery's row, its message's row, and its attempts' rows in order."""

    row: Row[Any]
    attempts: Sequence[Row[Any]] = field(default=())

    @property
    def revisions(self) -> set[int]:
        """Return the revisions of the connection's configuration that the attempts used."""
        return {each.revision for each in self.attempts}


@dataclass(frozen=True, slots=True)
class Pulse:
    """When the message that is next came (None: none waits), and what the newest requests took.

    In microseconds, oldest first.
    """

    oldest_waiting: datetime | None
    durations: Sequence[int]


class Activity:
    """Reads the log; nothing here writes."""

    def __init__(self, database: Database) -> None:
        """Read from the database's snapshots."""
        self._database = database

    async def list(self, wanted: DeliveryFilter, page: Page) -> Found:
        """Return how many deliveries match, and a page of them, newest first."""
        return await find_deliveries(self._database, wanted, page)

    async def get(self, delivery_id: int) -> DeliveryRecord:
        """Return one delivery with its message's body and its attempts; raises NotFound."""
        query = envelopes().add_columns(message.c.body).where(delivery.c.id == delivery_id)
        attempts = sa.select(attempt).where(attempt.c.delivery_id == delivery_id).order_by(attempt.c.number)
        row, rows = await self._database.read(
            lambda sql: (sql.execute(query).first(), sql.execute(attempts).all())
        )
        if row is None:
            raise NotFound("there is no such delivery; it may be past its retention")
        return DeliveryRecord(row, rows)

    async def bodies(self, message_ids: Iterable[int]) -> dict[int, bytes]:
        """Return the bodies of messages as received, by id."""
        query = sa.select(message.c.id, message.c.body).where(message.c.id.in_(set(message_ids)))
        rows = await self._database.read(lambda sql: sql.execute(query).all())
        return {row.id: row.body for row in rows}

    async def count_waiting(self, connection_ids: Iterable[int] | None = None) -> dict[int, int]:
        """Return how many messages wait, for each connection (of all, or of those given) where any does."""
        return await self._database.read(lambda sql: count_by_connection(sql, connection_ids))

    async def pulse(self, connection_id: int) -> Pulse:
        """Return how a connection fares now; it looks at the newest `TIMED` deliveries."""
        oldest = waiting_in_order(connection_id).with_only_columns(delivery.c.received_at).limit(1)
        newest = (
            sa.select(delivery.c.id)
            .where(delivery.c.connection_id == connection_id)
            .order_by(delivery.c.received_at.desc())
            .limit(TIMED)
        )
        # What was sent before a kill has no duration that anybody knows.
        timed = attempt.c.trigger.not_in((Trigger.UNKNOWN.value, Trigger.TEST.value))
        durations = (
            sa.select(attempt.c.duration)
            .where(attempt.c.delivery_id.in_(newest), timed)
            .order_by(attempt.c.at)
        )
        return await self._database.read(
            lambda sql: Pulse(from_micros(sql.scalar(oldest)), sql.scalars(durations).all())
        )
