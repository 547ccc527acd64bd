"""The queue's promises one by one, on every implementation: waking, repeats, callers that go away, ids."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contract.conftest import OpenQueue
from tests.contract.sql_queue import SqlQueue

from longwire.core.delivery import Attempt, Outcome, Settlement, Trigger, next_trigger
from longwire.core.message import DevEui, Message, fingerprint
from longwire.core.window import ReadPage
from longwire.storage.queue_sql import Accepted, Placed, Put
from longwire.storage.replays import replay

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)


@pytest.fixture
async def store(open_queue: OpenQueue, tmp_path: Path) -> AsyncIterator[SqlQueue]:
    """Give an open queue with one connection that is sending; its id is 1."""
    opened = await open_queue(tmp_path, lambda: T0)
    assert await opened.add_connection(4, opened=True) == 1
    yield opened
    await opened.end()


def uplink(name: str, at: datetime = T0, *connection_ids: int, expired: tuple[int, ...] = ()) -> Put:
    """Return a message for the connections (none given: for connection 1); the name makes its fingerprint."""
    message = Message(
        network_server_id="ns",
        root="DevEUI_uplink",
        dev_eui=DevEui("A" * 16),
        order_key="A" * 16,
        f_cnt=1,
        body=name.encode(),
        fingerprint=fingerprint(name),
        received_at=at,
        aged_from=at,
    )
    return Put(message, connection_ids or (1,), frozenset(expired))


def unrouted(name: str) -> Put:
    return Put(uplink(name).message, ())


def settled(delivery_id: int, outcome: Outcome, *numbers: int) -> Settlement:
    attempts = tuple(Attempt(n, T0, Trigger.FIRST, TICK, 1, status=200) for n in numbers)
    return Settlement(delivery_id, attempts, outcome, "", T0, 0)


async def waiting(store: SqlQueue, connection_id: int = 1) -> list[int]:
    return [each.delivery_id for each in await store.queue.read_ahead(connection_id, ReadPage(0, 1000))]


def places(*delivery_ids: int) -> dict[int, int]:
    """Return the positions of deliveries as they were put: a delivery's id is its first place."""
    return {each: each for each in delivery_ids}


# Waking


async def test_the_lane_is_woken_when_its_message_is_durable_and_for_no_other(store: SqlQueue) -> None:
    other = await store.add_connection(4, opened=True)
    woken: list[int] = []
    store.queue.listen(1, lambda _: woken.append(1))
    store.queue.listen(other, lambda _: woken.append(other))

    assert await store.queue.put(uplink("a")) == Accepted((1,))
    assert woken == [1]
    assert len(await waiting(store)) == 1
    await store.queue.put(uplink("a"))  # a repeat
    await store.queue.put(unrouted("b"))
    await store.queue.put(uplink("c", T0, 1, other))
    store.queue.unlisten(1)
    await store.queue.put(uplink("d"))
    assert woken == [1, 1, other]


async def test_a_caller_that_goes_away_disturbs_neither_its_message_nor_others(
    store: SqlQueue,
) -> None:
    caller = asyncio.create_task(store.queue.put(uplink("a")))
    others = [asyncio.create_task(store.queue.put(uplink(f"b{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    caller.cancel()

    assert [await other for other in others] == [Accepted((1,))] * 5
    assert caller.cancelled()
    assert len(await waiting(store)) == 6


async def test_a_caller_that_goes_away_alone_still_wakes_the_lane(store: SqlQueue) -> None:
    woken = asyncio.Event()
    store.queue.listen(1, lambda _: woken.set())
    caller = asyncio.create_task(store.queue.put(uplink("a")))
    await asyncio.sleep(0)
    caller.cancel()

    async with asyncio.timeout(5):
        await woken.wait()
    assert len(await waiting(store)) == 1


# Handing over


async def test_what_is_put_is_handed_over_with_what_was_put_before_it(store: SqlQueue) -> None:
    other = await store.add_connection(4, opened=True)
    handed: list[Placed] = []
    store.queue.listen(1, lambda placed: handed.append(placed) if placed else None)
    await asyncio.gather(
        store.queue.put(uplink("a")),
        store.queue.put(uplink("b", T0, other)),
        store.queue.put(uplink("c", T0, 1, expired=(1,))),
        store.queue.put(uplink("d")),
    )
    await store.queue.put(uplink("e"))

    assert [each.waiting for each in handed] == await store.queue.read_ahead(1, ReadPage(0))
    assert [each.body for each in handed] == [b"a", b"d", b"e"]
    positions = [each.waiting.position for each in handed]
    assert [each.after for each in handed] == [0, *positions[:-1]]


async def test_what_waits_again_stands_last_and_the_next_one_put_tells_that_it_was_missed(
    store: SqlQueue,
) -> None:
    handed: list[Placed | None] = []
    await asyncio.gather(*(store.queue.put(uplink(name)) for name in "abc"))
    first, second, third = await waiting(store)
    await store.queue.settle(settled(first, Outcome.LOST, 1))
    store.queue.listen(1, handed.append)

    assert await replay(store.queue, first, None, T0 + HOUR) == first
    await store.queue.put(uplink("d"))

    read = await store.queue.read_ahead(1, ReadPage(0))
    assert [each.delivery_id for each in read] == [second, third, first, read[-1].delivery_id]
    assert handed[0] is None, "the lane is told to read"
    assert handed[1] is not None
    assert handed[1].after >= read[2].position, "the link does not lead around it"
    again = read[2]
    assert (again.aged_from, again.attempt_count, again.resends) == (T0 + HOUR, 1, 0)
    assert next_trigger(again) is Trigger.REPLAY
    assert await store.queue.load_bodies({first: again.position}, 1000) == {first: b"a"}
    assert await store.queue.load_bodies(places(first), 1000) == {first: None}, (
        "it does not wait where it did"
    )


async def test_bodies_are_read_in_the_order_asked_as_many_as_there_is_room_for(store: SqlQueue) -> None:
    await asyncio.gather(*(store.queue.put(uplink(name)) for name in ("aaaa", "bbbb", "cccc")))
    one, two, three = await waiting(store)
    await store.queue.settle(settled(two, Outcome.DELIVERED, 1))

    assert await store.queue.load_bodies(places(three, two, one), 8) == {
        three: b"cccc",
        two: None,
        one: b"aaaa",
    }
    assert await store.queue.load_bodies(places(three, two, one), 7) == {three: b"cccc", two: None}
    assert await store.queue.load_bodies(places(three, two, one), 1) == {three: b"cccc"}
    assert await store.queue.load_bodies({}, 1) == {}


# Repeats


@pytest.mark.parametrize(("after", "is_repeat"), [(0 * HOUR, True), (HOUR - TICK, True), (HOUR, False)])
async def test_the_same_message_is_a_repeat_for_one_hour(
    store: SqlQueue, after: timedelta, *, is_repeat: bool
) -> None:
    for start in (T0, T0 + HOUR - TICK, T0 + HOUR / 2):  # wherever in the hour
        name = str(start)
        await store.queue.put(uplink(name, start))

        answer = await store.queue.put(uplink(name, start + after))

        assert answer == (Accepted((), is_repeat=True) if is_repeat else Accepted((1,)))


async def test_a_repeat_does_not_make_the_hour_longer(store: SqlQueue) -> None:
    await store.queue.put(uplink("a"))
    await store.queue.put(uplink("a", T0 + HOUR / 2))

    assert await store.queue.put(uplink("a", T0 + HOUR)) == Accepted((1,))


async def test_of_equal_messages_at_the_same_time_one_is_queued(store: SqlQueue) -> None:
    answers = await asyncio.gather(*(store.queue.put(uplink("a")) for _ in range(20)))

    assert sorted(answers, key=lambda answer: answer.is_repeat) == (
        [Accepted((1,))] + [Accepted((), is_repeat=True)] * 19
    )
    assert len(await waiting(store)) == 1


async def test_a_message_without_a_route_is_known_too(store: SqlQueue) -> None:
    assert await store.queue.put(unrouted("a")) == Accepted(())
    assert await store.queue.put(unrouted("a")) == Accepted((), is_repeat=True)
    (logged,) = (await store.log()).values()
    assert (logged.connection_id, logged.outcome) == (None, Outcome.FILTERED)


# Where a message goes


async def test_a_message_goes_to_each_of_its_connections_under_its_own_id(store: SqlQueue) -> None:
    other = await store.add_connection(4, opened=True)
    await store.queue.put(uplink("a", T0, 1, other))

    (first,), (second,) = await waiting(store), await waiting(store, other)

    assert first != second
    assert store.queue.webhook_id(first) != store.queue.webhook_id(second)
    await store.queue.settle(settled(first, Outcome.DELIVERED, 1))
    assert await waiting(store, other) == [second]
    assert await store.queue.load_bodies(places(first, second), 1000) == {first: None, second: b"a"}


async def test_a_message_too_old_for_a_connection_on_arrival_is_expired_there_only(store: SqlQueue) -> None:
    other = await store.add_connection(4, opened=True)

    await store.queue.put(uplink("a", T0, 1, other, expired=(other,)))

    outcomes = {each.connection_id: each.outcome for each in (await store.log()).values()}
    assert outcomes == {1: Outcome.QUEUED, other: Outcome.EXPIRED}
    assert await waiting(store, other) == []


async def test_what_is_put_for_a_connection_deleted_meanwhile_is_discarded(store: SqlQueue) -> None:
    await store.queue.put(uplink("a"))
    await store.delete_connection(1)

    assert await store.queue.put(uplink("b")) == Accepted((1,))

    assert [each.outcome for each in (await store.log()).values()] == [Outcome.DISCARDED] * 2
    assert await waiting(store) == []


# Settling


async def test_a_settlement_that_is_wrong_fails_alone(store: SqlQueue) -> None:
    await asyncio.gather(*(store.queue.put(uplink(name)) for name in "abc"))
    one, two, three = await waiting(store)
    await store.queue.settle(settled(two, Outcome.QUEUED, 1))

    answers = await asyncio.gather(
        store.queue.settle(settled(one, Outcome.DELIVERED, 1)),
        store.queue.settle(settled(two, Outcome.DELIVERED, 1)),  # attempt 1 is recorded already
        store.queue.settle(settled(three, Outcome.DELIVERED, 1)),
        store.queue.put(uplink("d")),
        return_exceptions=True,
    )

    assert [isinstance(answer, Exception) for answer in answers] == [False, True, False, False]
    log = await store.log()
    assert [log[i].outcome for i in (one, two, three)] == [
        Outcome.DELIVERED,
        Outcome.QUEUED,
        Outcome.DELIVERED,
    ]
    assert [log[i].attempt_count for i in (one, two, three)] == [1, 1, 1]
    assert len(await waiting(store)) == 2


async def test_what_came_late_for_a_discarded_message_is_told_by_the_log(store: SqlQueue) -> None:
    await asyncio.gather(*(store.queue.put(uplink(name)) for name in "ab"))
    delivered, unanswered = await waiting(store)
    await store.delete_connection(1)

    await store.queue.settle(settled(delivered, Outcome.DELIVERED, 1))
    await store.queue.settle(settled(unanswered, Outcome.QUEUED, 1))

    log = await store.log()
    assert (log[delivered].outcome, log[delivered].attempt_count) == (Outcome.DELIVERED, 1)
    assert (log[unanswered].outcome, log[unanswered].attempt_count) == (Outcome.DISCARDED, 1)
    assert await waiting(store) == []


# Ids


async def test_ids_go_on_after_everything_was_purged_and_the_store_was_opened_again(
    open_queue: OpenQueue, tmp_path: Path
) -> None:
    now = T0
    store = await open_queue(tmp_path, lambda: now)
    await store.add_connection(4, opened=True)
    await asyncio.gather(*(store.queue.put(uplink(name)) for name in "abc"))
    given = await waiting(store)
    webhook_ids = {store.queue.webhook_id(i) for i in given}
    for delivery_id in given:
        await store.queue.settle(settled(delivery_id, Outcome.DELIVERED, 1))
    now = T0 + 25 * HOUR
    await store.purge()
    assert await store.log() == {}
    await store.end()

    again = await open_queue(tmp_path, lambda: now)
    await again.queue.put(uplink("d", now))
    (new,) = await waiting(again)
    await again.end()

    assert new > max(given)
    assert again.queue.webhook_id(new) not in webhook_ids
