"""Messages to store, and the rows the tests look at."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from longwire.core.configuration import Connection, parse_connection
from longwire.core.delivery import Attempt, Outcome, Settlement, Trigger
from longwire.core.message import DevEui, Message, fingerprint
from longwire.storage.database import Database
from longwire.storage.queue_sql import Put
from longwire.storage.schema import delivery

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def uplink(name: str, *connection_ids: int, at: datetime = T0, device: str = "A", size: int = 20) -> Put:
    """Return a message for the connections (none: no route)."""
    message = Message(
        network_server_id="ns",
        root="DevEUI_uplink",
        dev_eui=DevEui(device * 16),
        order_key=device * 16,
        f_cnt=1,
        body=name.encode().ljust(size, b"."),
        fingerprint=fingerprint(name),
        received_at=at,
        aged_from=at,
    )
    return Put(message, connection_ids)


def settlement(
    delivery_id: int,
    outcome: Outcome,
    *,
    at: datetime = T0,
    number: int = 1,
    not_before: datetime | None = None,
) -> Settlement:
    """Return what one attempt that was answered with 200 or 503 did to a delivery."""
    status = 200 if outcome is Outcome.DELIVERED else 503
    attempt = Attempt(number, at, Trigger.FIRST, SECOND, 1, status=status)
    return Settlement(delivery_id, (attempt,), outcome, "why", at, 0, not_before)


def connection(headers: dict[str, str] | None = None, *, max_in_flight: int = 16) -> Connection:
    configuration = {"destinationURL": "http://sink/", "maxInFlight": max_in_flight, "headers": headers or {}}
    return parse_connection(
        {"connectorId": "actility-http-iot", "name": "sink", "configuration": configuration}
    )


async def outcomes(database: Database) -> dict[int, Outcome]:
    """Return the outcome of every delivery by its id."""
    query = sa.select(delivery.c.id, delivery.c.outcome)
    rows = await database.read(lambda sql: sql.execute(query).all())
    return {row.id: Outcome(row.outcome) for row in rows}


async def count(database: Database, table: sa.Table) -> int:
    query = sa.select(sa.func.count()).select_from(table)
    return await database.read(lambda sql: sql.scalar(query) or 0)
