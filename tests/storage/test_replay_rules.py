"""When a stored message may be replayed, and how long it waits then."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from msgspec.structs import replace
from tests.storage.uplinks import DAY, HOUR, SECOND, T0, connection, outcomes, settlement, uplink

from longwire.core.delivery import Outcome
from longwire.core.errors import Conflict
from longwire.core.window import ReadPage
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.delivery_search import DeliveryFilter
from longwire.storage.purge import Retention, _delete_deliveries, purge
from longwire.storage.queue_sql import MAY_BE_IN_FLIGHT_FOR, Queue
from longwire.storage.replay_jobs import ReplayJobs, ReplayOrder, ReplayState
from longwire.storage.replays import replay
from longwire.storage.schema import attempt, delivery
from longwire.storage.secrets import Sealer

MICROSECOND = timedelta(microseconds=1)
LOST = DeliveryFilter(outcomes=frozenset({Outcome.LOST}))


@pytest.fixture
async def queue(database: Database) -> Queue:
    """Give a queue with the connections 1 and 2."""
    configurations = Configurations(database, Sealer("secret"), lambda: T0)
    assert [await configurations.create(connection()) for _ in range(2)] == [1, 2]
    opened = Queue(database, "store")
    await opened.open()
    return opened


async def put(queue: Queue, name: str, at: datetime = T0) -> int:
    await queue.put(uplink(name, 1, at=at))
    return (await queue.read_ahead(1, ReadPage(0, 1000)))[-1].delivery_id


async def lose(queue: Queue, name: str, at: datetime = T0) -> int:
    delivery_id = await put(queue, name, at)
    await queue.settle(settlement(delivery_id, Outcome.LOST, at=at))
    return delivery_id


# How long it waits


async def test_a_replayed_message_waits_as_long_as_a_new_one(database: Database, queue: Queue) -> None:
    delivery_id = await lose(queue, "a")
    await replay(queue, delivery_id, None, T0 + 20 * DAY)

    await purge(database, Retention(), T0 + 27 * DAY)
    assert await outcomes(database) == {delivery_id: Outcome.QUEUED}

    await purge(database, Retention(), T0 + 27 * DAY + SECOND)
    assert await outcomes(database) == {delivery_id: Outcome.EXPIRED}


async def test_what_is_replayed_while_the_purge_looks_at_it_stays(database: Database, queue: Queue) -> None:
    replayed, left = await lose(queue, "a"), await lose(queue, "b")
    await replay(queue, replayed, None, T0 + 30 * DAY)

    await database.write(lambda sql: _delete_deliveries(sql, [replayed, left]))

    assert await outcomes(database) == {replayed: Outcome.QUEUED}
    kept = await database.read(lambda sql: sql.scalars(sa.select(attempt.c.delivery_id)).all())
    assert kept == [replayed]


# What may be in flight


async def test_what_expired_in_the_queue_is_replayed_only_when_no_attempt_can_be_under_way(
    database: Database, queue: Queue
) -> None:
    delivery_id = await put(queue, "a")
    expired_at = T0 + 8 * DAY
    await purge(database, Retention(), expired_at)

    with pytest.raises(Conflict, match="may still be under way"):
        await replay(queue, delivery_id, None, expired_at + MAY_BE_IN_FLIGHT_FOR - MICROSECOND)
    await replay(queue, delivery_id, None, expired_at + MAY_BE_IN_FLIGHT_FOR)

    assert await outcomes(database) == {delivery_id: Outcome.QUEUED}


async def test_an_attempt_that_was_under_way_frees_it_when_it_is_recorded(
    database: Database, queue: Queue
) -> None:
    delivery_id = await put(queue, "a")
    await purge(database, Retention(), T0 + 8 * DAY)
    await queue.settle(settlement(delivery_id, Outcome.LOST, at=T0 + 8 * DAY))

    await replay(queue, delivery_id, None, T0 + 8 * DAY)

    assert await outcomes(database) == {delivery_id: Outcome.QUEUED}


# Where it goes


async def test_a_message_without_a_route_goes_only_where_it_is_told_to(
    database: Database, queue: Queue
) -> None:
    await queue.put(uplink("a"))
    (filtered,) = await outcomes(database)

    with pytest.raises(Conflict, match="name one as connectionId"):
        await replay(queue, filtered, None, T0)
    made = await replay(queue, filtered, 2, T0 + HOUR)

    assert await outcomes(database) == {filtered: Outcome.FILTERED, made: Outcome.QUEUED}
    (waiting,) = await queue.read_ahead(2, ReadPage(0))
    assert (waiting.delivery_id, waiting.aged_from, waiting.received_at) == (made, T0 + HOUR, T0)


# Jobs


class Clock:
    def __init__(self) -> None:
        self.now = T0 + HOUR

    def __call__(self) -> datetime:
        return self.now


async def finish(jobs: ReplayJobs) -> None:
    """Advance until nothing more can be done at once, and once more, as a second later."""
    while (await jobs.advance())[1]:
        pass
    await jobs.advance()


async def test_a_job_takes_only_what_was_settled_before_it_began(database: Database, queue: Queue) -> None:
    clock = Clock()
    jobs = ReplayJobs(database, queue, clock)
    first = await lose(queue, "a")
    job = await jobs.begin(ReplayOrder(LOST))
    later = await lose(queue, "b", T0 + 2 * HOUR)

    await finish(jobs)

    assert job.count == 1
    assert await outcomes(database) == {first: Outcome.QUEUED, later: Outcome.LOST}


async def test_what_went_from_the_log_before_its_turn_has_failed(database: Database, queue: Queue) -> None:
    jobs = ReplayJobs(database, queue, Clock())
    gone, kept = await lose(queue, "a"), await lose(queue, "b")
    job = await jobs.begin(ReplayOrder(LOST))
    await database.write(lambda sql: _delete_deliveries(sql, [gone]))

    await finish(jobs)
    await queue.settle(replace(settlement(kept, Outcome.DELIVERED, number=2), at=T0 + HOUR))
    await finish(jobs)

    ended = await jobs.load(job.id)
    assert (ended.state, ended.count, ended.done, ended.failed) == (ReplayState.DONE, 2, 1, 1)


async def test_a_cancelled_job_leaves_in_the_queue_what_was_sent_since(
    database: Database, queue: Queue
) -> None:
    jobs = ReplayJobs(database, queue, Clock())
    ids = [await lose(queue, name) for name in "abc"]
    job = await jobs.begin(ReplayOrder(LOST))
    await finish(jobs)
    delivered, tried, untouched = ids
    await queue.settle(settlement(delivered, Outcome.DELIVERED, number=2))
    await queue.settle(settlement(tried, Outcome.QUEUED, number=2))

    await jobs.cancel(job.id)
    await finish(jobs)

    assert await outcomes(database) == {
        delivered: Outcome.DELIVERED,
        tried: Outcome.QUEUED,
        untouched: Outcome.LOST,
    }
    ended = await jobs.load(job.id)
    assert (ended.state, ended.done, ended.failed) == (ReplayState.CANCELLED, 1, 0)
    marked = sa.select(sa.func.count()).where(delivery.c.replay_id.is_not(None))
    assert await database.read(lambda sql: sql.scalar(marked)) == 0
    assert await jobs.advance() == (False, False)
