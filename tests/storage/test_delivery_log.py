"""The delivery log: what is written of each attempt, and how it is read back."""

import pytest
from msgspec.structs import replace
from tests.storage.uplinks import HOUR, SECOND, T0, connection, settlement, uplink

from longwire.core.delivery import MAX_LOGGED_BODY_BYTES, Attempt, Outcome, Settlement, Trigger
from longwire.core.errors import NotFound
from longwire.core.http import HttpResponse
from longwire.core.window import ReadPage
from longwire.storage.activity import Activity
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.delivery_search import DeliveryFilter
from longwire.storage.micros import from_micros
from longwire.storage.page import Page
from longwire.storage.queue_sql import Queue
from longwire.storage.secrets import Sealer


@pytest.fixture
async def queue(database: Database) -> Queue:
    """Give a queue with the connections 1 and 2."""
    configurations = Configurations(database, Sealer("secret"), lambda: T0)
    assert [await configurations.create(connection()) for _ in range(2)] == [1, 2]
    opened = Queue(database, "store")
    await opened.open()
    return opened


async def put(queue: Queue, name: str = "a") -> int:
    await queue.put(uplink(name, 1))
    return (await queue.read_ahead(1, ReadPage(0, 1000)))[-1].delivery_id


async def test_an_attempt_is_read_back_as_it_was_recorded(database: Database, queue: Queue) -> None:
    delivery_id = await put(queue)
    response = HttpResponse(503, (("Retry-After", "3600"), ("x", "é")), b"x" * 5000, True, "192.0.2.1:80")
    attempt = Attempt(
        1, T0, Trigger.FIRST, 3 * SECOND, 2, status=503, remote_address="192.0.2.1:80", response=response
    )
    await queue.settle(Settlement(delivery_id, (attempt,), Outcome.LOST, "why", T0 + HOUR, 0))

    record = await Activity(database).get(delivery_id)

    (row,) = record.attempts
    assert (row.number, row.trigger, row.status, row.cause, row.detail) == (1, "first", 503, None, None)
    assert (from_micros(row.at), row.duration, row.remote_address) == (T0, 3_000_000, "192.0.2.1:80")
    assert row.response_headers == '[["Retry-After", "3600"], ["x", "\\u00e9"]]'
    assert (row.response_body, row.truncated) == (b"x" * MAX_LOGGED_BODY_BYTES, True)
    assert (record.row.outcome, record.row.reason, from_micros(record.row.settled_at)) == (
        "LOST",
        "why",
        T0 + HOUR,
    )
    assert (record.row.last_status, record.row.attempt_count, record.revisions) == (503, 1, {2})
    assert (record.row.body, record.row.root, record.row.f_cnt) == (b"a".ljust(20, b"."), "DevEUI_uplink", 1)


async def test_several_attempts_of_one_visit_are_recorded_in_order(database: Database, queue: Queue) -> None:
    delivery_id = await put(queue)
    first = Attempt(1, T0, Trigger.FIRST, SECOND, 1, cause="reset", detail="closed")
    second = Attempt(2, T0 + SECOND, Trigger.FRESH_SOCKET, SECOND, 1, status=200)
    await queue.settle(Settlement(delivery_id, (first, second), Outcome.DELIVERED, "", T0 + SECOND, 0))

    record = await Activity(database).get(delivery_id)

    assert [(row.number, row.trigger, row.cause, row.status) for row in record.attempts] == [
        (1, "first", "reset", None),
        (2, "fresh-socket", None, 200),
    ]
    assert (record.row.attempt_count, record.row.last_status, record.row.last_cause) == (2, 200, None)


@pytest.mark.parametrize("outcome", [Outcome.EXPIRED, Outcome.FAILED])
async def test_an_outcome_without_an_attempt_leaves_what_came_last(
    database: Database, queue: Queue, outcome: Outcome
) -> None:
    delivery_id = await put(queue)
    await queue.settle(settlement(delivery_id, Outcome.QUEUED, not_before=T0 + SECOND))

    await queue.settle(Settlement(delivery_id, (), outcome, "why", T0 + HOUR, 1))

    row = (await Activity(database).get(delivery_id)).row
    assert (row.outcome, row.last_status, row.attempt_count, row.not_before) == (outcome.value, 503, 1, None)


async def test_a_message_that_is_kept_shows_when_it_is_sent_again(database: Database, queue: Queue) -> None:
    delivery_id = await put(queue)
    due = T0 + 2 * SECOND
    kept = replace(settlement(delivery_id, Outcome.QUEUED, not_before=due), resends=1)

    await queue.settle(kept)

    (waiting,) = await queue.read_ahead(1, ReadPage(0))
    assert (waiting.attempt_count, waiting.resends, waiting.not_before) == (1, 1, due)
    row = (await Activity(database).get(delivery_id)).row
    assert (row.outcome, row.reason, row.settled_at) == ("QUEUED", "why", None)


async def test_the_list_is_paged_newest_first(database: Database, queue: Queue) -> None:
    ids = [await put(queue, str(number)) for number in range(5)]
    await queue.put(uplink("other", 2))
    activity = Activity(database)

    async def look(connection_id: int | None, page: Page) -> tuple[int, list[int]]:
        found = await activity.list(DeliveryFilter(connection_id), page)
        return found.total, [row.id for row in found.rows]

    assert await look(1, Page(1, 2)) == (5, [ids[4], ids[3]])
    assert await look(1, Page(3, 2)) == (5, [ids[0]])
    assert await look(1, Page(4, 2)) == (5, [])
    assert await look(99, Page(1, 2)) == (0, [])
    of_all, everything = await look(None, Page(1, 100))
    assert (of_all, len(everything)) == (6, 6)


async def test_what_waits_is_counted_by_connection(database: Database, queue: Queue) -> None:
    ids = [await put(queue, str(number)) for number in range(3)]
    await queue.put(uplink("both", 1, 2))
    await queue.settle(settlement(ids[0], Outcome.DELIVERED))
    activity = Activity(database)

    assert await activity.count_waiting() == {1: 3, 2: 1}
    assert await activity.count_waiting([2, 99]) == {2: 1}


async def test_a_delivery_that_is_not_there_is_told(database: Database) -> None:
    with pytest.raises(NotFound, match="past its retention"):
        await Activity(database).get(1)
