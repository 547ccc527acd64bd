"""Tests in the log: a message that is sent once, past the queue, has its rows before it goes (section 14)."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql

from longwire.core.access import Author
from longwire.core.change import Change
from longwire.core.delivery import Outcome
from longwire.core.message import Message
from longwire.storage.audit import record
from longwire.storage.micros import to_micros
from longwire.storage.queue_sql import Queue, Requeued, TakePosition
from longwire.storage.schema import delivery, message

UNRECORDED = "the test ended before its result was recorded"


async def begin_trial(queue: Queue, connection_id: int, tested: Message, by: Author | None) -> int:
    """Return the id of the test's delivery, durable as LOST until its result is recorded; no lane sees it."""

    def change(sql: Sql, take: TakePosition) -> Requeued:
        delivery_id = _insert(sql, take, connection_id, tested)
        record(sql, by, Change("test", "connections", str(connection_id)))
        return Requeued((delivery_id,), frozenset())

    return (await queue.requeue(change)).delivery_ids[0]


def _insert(sql: Sql, take: TakePosition, connection_id: int, tested: Message) -> int:
    message_id, delivery_id = take(), take()
    at = to_micros(tested.received_at)
    sql.execute(
        sa.insert(message).values(
            id=message_id,
            network_server_id=tested.network_server_id,
            root=tested.root,
            dev_eui=tested.dev_eui,
            f_cnt=tested.f_cnt,
            received_at=at,
            body=tested.body,
        )
    )
    sql.execute(
        sa.insert(delivery).values(
            id=delivery_id,
            message_id=message_id,
            connection_id=connection_id,
            order_key=tested.order_key,
            position=delivery_id,
            received_at=at,
            outcome=Outcome.LOST.value,
            reason=UNRECORDED,
            attempt_count=0,
            resends=0,
            settled_at=at,
            test=True,
        )
    )
    return delivery_id
