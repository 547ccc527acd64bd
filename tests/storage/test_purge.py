"""What the log keeps, for how long, and that the file becomes smaller again."""

import asyncio
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection as Sql
from tests.storage.uplinks import DAY, HOUR, SECOND, T0, connection, count, outcomes, settlement, uplink

from longwire.core.configuration import to_document
from longwire.core.delivery import DEAD_LETTERS, Outcome
from longwire.core.window import ReadPage
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.edit import replaced_by
from longwire.storage.purge import Retention, purge, unused_revisions
from longwire.storage.queue_sql import Queue
from longwire.storage.schema import attempt, connection_revision, delivery, message, seen
from longwire.storage.schema import connection as connection_table
from longwire.storage.secrets import Sealer

TICK = timedelta(microseconds=1)


@pytest.fixture
async def queue(database: Database) -> Queue:
    """Give a queue with the connections 1 and 2."""
    configurations = Configurations(database, Sealer("secret"), lambda: T0)
    assert [await configurations.create(connection()) for _ in range(2)] == [1, 2]
    queue = Queue(database, "store")
    await queue.open()
    return queue


async def waiting(queue: Queue, connection_id: int = 1) -> list[int]:
    return [each.delivery_id for each in await queue.read_ahead(connection_id, ReadPage(0, 100_000))]


async def put(queue: Queue, count: int, *, size: int = 20, at: datetime = T0) -> list[int]:
    """Put messages for connection 1 and return their delivery ids."""
    await asyncio.gather(*(queue.put(uplink(str(number), 1, size=size, at=at)) for number in range(count)))
    return await waiting(queue)


async def settle(queue: Queue, delivery_ids: list[int], outcome: Outcome, at: datetime = T0) -> None:
    await asyncio.gather(*(queue.settle(settlement(i, outcome, at=at)) for i in delivery_ids))


async def pragma(database: Database, name: str) -> int:
    return await database.read(lambda sql: int(sql.exec_driver_sql(f"PRAGMA {name}").scalar_one()))


@pytest.mark.parametrize(
    ("outcome", "kept_for"),
    [(Outcome.DELIVERED, DAY), *((outcome, 30 * DAY) for outcome in (*DEAD_LETTERS, Outcome.FILTERED))],
)
async def test_an_outcome_is_kept_for_its_retention(
    database: Database, queue: Queue, outcome: Outcome, kept_for: timedelta
) -> None:
    (delivery_id,) = await put(queue, 1)
    await settle(queue, [delivery_id], outcome, T0 + SECOND)

    assert await purge(database, Retention(), T0 + SECOND + kept_for) == 0
    assert await outcomes(database) == {delivery_id: outcome}

    assert await purge(database, Retention(), T0 + SECOND + kept_for + TICK) == 1
    assert [await count(database, table) for table in (delivery, message, attempt)] == [0, 0, 0]


async def test_what_waits_longer_than_the_backlogs_retention_expires(
    database: Database, queue: Queue
) -> None:
    (delivery_id,) = await put(queue, 1)

    await purge(database, Retention(), T0 + 7 * DAY)
    assert await outcomes(database) == {delivery_id: Outcome.QUEUED}

    assert await purge(database, Retention(), T0 + 7 * DAY + TICK) == 0
    assert await outcomes(database) == {delivery_id: Outcome.EXPIRED}
    assert await waiting(queue) == []
    await purge(database, Retention(), T0 + 38 * DAY)
    assert await outcomes(database) == {}


async def test_a_message_stays_as_long_as_any_of_its_deliveries(database: Database, queue: Queue) -> None:
    await queue.put(uplink("a", 1, 2))
    (first,), (second,) = await waiting(queue, 1), await waiting(queue, 2)
    await settle(queue, [first], Outcome.DELIVERED)

    await purge(database, Retention(), T0 + 2 * DAY)

    assert await outcomes(database) == {second: Outcome.QUEUED}
    assert await queue.load_bodies({second: second}, 1000) == {second: b"a".ljust(20, b".")}


async def test_more_than_one_slice_is_purged(database: Database, queue: Queue) -> None:
    ids = await put(queue, 1201)
    await settle(queue, ids, Outcome.DELIVERED)

    assert await purge(database, Retention(), T0 + 2 * DAY) == 1201
    assert [await count(database, table) for table in (delivery, message, attempt)] == [0, 0, 0]


async def test_the_file_becomes_smaller_by_what_was_purged(database: Database, queue: Queue) -> None:
    ids = await put(queue, 300, size=4000)
    await settle(queue, ids, Outcome.DELIVERED)
    full = await pragma(database, "page_count")

    await purge(database, Retention(), T0 + 2 * DAY)

    assert await pragma(database, "freelist_count") == 0
    assert await pragma(database, "page_count") < full / 2


async def test_a_purge_gives_back_a_bounded_number_of_pages_at_once(database: Database, queue: Queue) -> None:
    ids = await put(queue, 700, size=16_000)
    await settle(queue, ids, Outcome.DELIVERED)
    await purge(database, Retention(), T0 + 2 * DAY)
    left = await pragma(database, "freelist_count")
    assert left > 0

    await purge(database, Retention(), T0 + 2 * DAY)

    assert await pragma(database, "freelist_count") == max(0, left - 2000)


async def test_marks_of_repeats_go_when_their_hour_is_over(database: Database, queue: Queue) -> None:
    await put(queue, 3)

    await purge(database, Retention(), T0 + HOUR)
    assert (await queue.put(uplink("0", 1, at=T0 + HOUR - SECOND))).is_repeat
    await purge(database, Retention(), T0 + 2 * HOUR)

    assert await count(database, seen) == 0


async def test_a_backlog_whose_connection_was_deleted_just_before_a_crash_is_discarded(
    database: Database, queue: Queue
) -> None:
    await queue.put(uplink("other", 2))
    ids = await put(queue, 1201)
    deletion = sa.delete(connection_table).where(connection_table.c.id == 1)
    assert await database.write(lambda sql: sql.execute(deletion).rowcount) == 1

    await purge(database, Retention(), T0 + SECOND)

    found = await outcomes(database)
    assert {found.pop(i) for i in ids} == {Outcome.DISCARDED}
    assert list(found.values()) == [Outcome.QUEUED]


async def test_the_revisions_of_a_deleted_connection_stay_as_long_as_the_log_needs_them(
    database: Database, queue: Queue
) -> None:
    (delivery_id,) = await put(queue, 1)
    await settle(queue, [delivery_id], Outcome.DELIVERED)
    await Configurations(database, Sealer("secret"), lambda: T0).delete(1, keep_backlog=False)

    await purge(database, Retention(), T0 + SECOND)
    assert await count(database, connection_revision) == 2
    await purge(database, Retention(), T0 + 2 * DAY)
    assert await count(database, connection_revision) == 1


async def test_of_a_living_connection_the_revisions_stay_that_run_are_newest_or_were_sent_with(
    database: Database, queue: Queue
) -> None:
    configurations = Configurations(database, Sealer("secret"), lambda: T0)
    (delivery_id,) = await put(queue, 1)
    await settle(queue, [delivery_id], Outcome.DELIVERED)  # with revision 1
    await save(configurations, 1)
    await configurations.load_to_run(1)  # revision 2
    await save(configurations, 3)

    await purge(database, Retention(), T0 + SECOND)
    assert await revisions(database) == [1, 2, 5]
    await purge(database, Retention(), T0 + 2 * DAY)
    assert await revisions(database) == [2, 5]
    await configurations.load_to_run(1)
    await purge(database, Retention(), T0 + 2 * DAY)
    assert await revisions(database) == [5]


@pytest.mark.usefixtures("queue")
async def test_the_search_for_unused_revisions_goes_by_the_indexes(database: Database) -> None:
    await save(Configurations(database, Sealer("secret"), lambda: T0), 2)

    def explain(sql: Sql) -> list[str]:
        query = unused_revisions().compile(sql.engine, compile_kwargs={"literal_binds": True})
        return [row.detail for row in sql.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]

    plan = await database.read(explain)
    scanned = [line for line in plan if line.startswith("SCAN")]
    assert scanned == ["SCAN connection_revision"]


async def save(configurations: Configurations, times: int) -> None:
    """Save connection 1 as it is, so often."""

    async def accept(_: object) -> None:
        pass

    for _ in range(times):
        await configurations.replace(1, replaced_by(to_document(connection())), accept)


async def revisions(database: Database) -> list[int]:
    column = connection_revision.c
    query = sa.select(column.revision).where(column.connection_id == 1).order_by(column.revision)
    return await database.read(lambda sql: list(sql.scalars(query)))
