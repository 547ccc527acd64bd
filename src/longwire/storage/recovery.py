"""After an unclean end: which messages may have been sent without a record, and their `unknown` attempts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.connection_state import Status
from longwire.core.delivery import UNKNOWN_DETAIL, Attempt, Outcome, Settlement, Trigger, Waiting
from longwire.storage.database import Database
from longwire.storage.schema import connection as connection_table
from longwire.storage.schema import connection_revision, connection_state, setting
from longwire.storage.settling import settle_batch
from longwire.storage.waiting import as_waiting, waiting_in_order

_RUNNING = "running"
_SENDING = tuple(each.value for each in (Status.OPENED, Status.CLOSING, Status.AUTHENTICATION_FAILED))


@dataclass(frozen=True, slots=True)
class _Sender:
    """A connection that may have had messages in flight."""

    connection_id: int
    revision: int
    max_in_flight: int


async def begin_run(database: Database, now: datetime) -> int | None:
    """Note that a run has begun; return how many messages were marked as possibly sent, None after a clean end."""
    return await database.write(lambda sql: _begin(sql, now))


async def end_run(database: Database) -> None:
    """Note that the run ended with nothing in flight."""
    await database.write(lambda sql: sql.execute(sa.delete(setting).where(setting.c.name == _RUNNING)))


def _begin(sql: Sql, now: datetime) -> int | None:
    if sql.scalar(sa.select(setting.c.value).where(setting.c.name == _RUNNING)) is None:
        sql.execute(sa.insert(setting).values(name=_RUNNING, value=now.isoformat()))
        return None
    marked = [
        _mark(waiting, sender.revision, now)
        for sender in _senders(sql)
        for waiting in _possibly_sent(sql, sender, now)
    ]
    settle_batch(sql, marked)
    return len(marked)


def _senders(sql: Sql) -> Iterable[_Sender]:
    """Return the connections that were open, as wide as the revision was that ran.

    Lanes of one connection run one after another, so it is one revision that had messages in flight, however many
    were saved while it ended.
    """
    revision, table = connection_revision.c, connection_table.c
    query = (
        sa.select(table.id, revision.revision, revision.document)
        .join(connection_state, connection_state.c.connection_id == table.id)
        .join(connection_revision, revision.connection_id == table.id)
        .where(connection_state.c.status.in_(_SENDING))
        .where(revision.revision == sa.func.coalesce(table.running, table.revision))
        .order_by(table.id)
    )
    for row in sql.execute(query).all():
        size: int = msgspec.json.decode(row.document)["configuration"]["maxInFlight"]
        yield _Sender(row.id, row.revision, size)


def _possibly_sent(sql: Sql, sender: _Sender, now: datetime) -> Iterable[Waiting]:
    """Return the first `max_in_flight` waiting deliveries of different devices; see core/window.

    A device whose resend is not due yet has nothing in flight; one whose resend came due while Longwire was down
    is marked too, but does not count.
    """
    devices: set[str] = set()
    counted = 0
    for row in sql.execute(waiting_in_order(sender.connection_id)):
        waiting = as_waiting(row)
        if waiting.order_key in devices:
            continue
        devices.add(waiting.order_key)
        if waiting.not_before is None:
            counted += 1
        if waiting.not_before is None or waiting.not_before <= now:
            yield waiting
        if counted == sender.max_in_flight:
            return


def _mark(waiting: Waiting, revision: int, now: datetime) -> Settlement:
    attempt = Attempt(
        number=waiting.attempt_count + 1,
        at=now,
        trigger=Trigger.UNKNOWN,
        duration=timedelta(0),
        revision=revision,
        cause=Trigger.UNKNOWN.value,
        detail=UNKNOWN_DETAIL,
    )
    return Settlement(
        waiting.delivery_id,
        (attempt,),
        Outcome.QUEUED,
        UNKNOWN_DETAIL,
        now,
        waiting.resends,
        waiting.not_before,
    )
