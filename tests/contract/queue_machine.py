"""Everything that can happen to a queue, in any order, on the queue and on its model; and what must always hold."""

import asyncio
import itertools
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.contract.conftest import OpenQueue
from tests.contract.queue_model import QueueModel, Served
from tests.contract.sql_queue import Logged

from longwire.core.delivery import Attempt, Outcome, Settlement, Trigger, Waiting
from longwire.core.message import DevEui, Message, fingerprint
from longwire.core.window import ReadDevice, ReadPage
from longwire.storage.queue_sql import Accepted, Put
from longwire.storage.replays import replay

T = TypeVar("T")

START = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
SERVED = (Served(2, opened=True), Served(3, opened=True), Served(2, opened=False))
LATE = (Outcome.DISCARDED, Outcome.EXPIRED)
SETTLED_BY_A_LANE = (Outcome.DELIVERED, Outcome.LOST, Outcome.REJECTED, Outcome.FAILED)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to put: the device's letter, the numbers of the connections, and a mark that makes repeats.

    `too_old_for` numbers the connections for which it is too old on arrival.
    """

    device: str
    connections: tuple[int, ...]
    mark: int
    too_old_for: frozenset[int]


@dataclass(frozen=True, slots=True)
class Visit:
    """What to do to a delivery: the status of each attempt (None: no response), and what follows."""

    statuses: tuple[int | None, ...]
    outcome: Outcome
    resend: bool


PLANS = st.builds(
    Plan,
    st.sampled_from("ABCD"),
    st.lists(st.integers(0, 2), unique=True, max_size=3).map(tuple),
    st.integers(0, 12),
    st.sampled_from([frozenset(), frozenset(), frozenset({0}), frozenset({0, 2})]),
)
STATUSES = st.sampled_from([None, 200, 404, 503])
ENDINGS = st.sampled_from([Outcome.DELIVERED, Outcome.LOST, Outcome.REJECTED, Outcome.FAILED])
VISITS = st.builds(
    Visit, st.lists(STATUSES, max_size=2).map(tuple), ENDINGS, st.just(value=False)
) | st.builds(
    Visit, st.lists(STATUSES, min_size=1, max_size=2).map(tuple), st.just(Outcome.QUEUED), st.booleans()
)
INDEX = st.integers(0, 999)


def _pick(ids: list[int], index: int) -> list[int]:
    """Return one of the ids, or none where there is none."""
    return [ids[index % len(ids)]] if ids else []


class QueueMachine(RuleBasedStateMachine):
    """The steps and the invariants; each example has its own folder and event loop.

    What a `kill -9` leaves depends on the moment, so no step may depend on what is there: it does nothing instead.
    """

    def __init__(self, open_queue: OpenQueue, folder: Path) -> None:
        super().__init__()
        self.open_queue = open_queue
        self.runner = asyncio.Runner()
        self.folders = (folder / str(n) for n in itertools.count())
        self.now = START
        self.step = 0
        self.model = QueueModel()
        self.ids: set[int] = set()
        self.log: dict[int, Logged] = {}
        self.waiting: dict[int, list[Waiting]] = {}
        self.connections: list[int] = []
        self.run(self._open())

    def run(self, steps: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(steps)

    def teardown(self) -> None:
        self.run(self.store.end())
        self.runner.close()

    # What is put

    @rule(plan=PLANS)
    def put_a_message(self, plan: Plan) -> None:
        self.run(self._put([plan]))

    @rule(plans=st.lists(PLANS, min_size=2, max_size=6))
    def put_messages_at_the_same_time(self, plans: list[Plan]) -> None:
        self.run(self._put(plans))

    @rule(plans=st.lists(PLANS, min_size=2, max_size=4))
    def lose_the_first_of_several_callers(self, plans: list[Plan]) -> None:
        self.run(self._put(plans, lost=1))

    # What is read

    @rule(connection=st.integers(0, 2), limit=st.integers(1, 4))
    def read_in_pages(self, connection: int, limit: int) -> None:
        found: list[Waiting] = []
        while page := self._read(connection, ReadPage(found[-1].position if found else 0, limit)):
            assert len(page) <= limit
            found += page
        assert found == self.model.waiting_on(self.connections[connection])

    @rule(connection=st.integers(0, 2), device=st.sampled_from("ABCD"), limit=st.integers(1, 3), skip=INDEX)
    def read_a_device(self, connection: int, device: str, limit: int, skip: int) -> None:
        everything = self.model.waiting_on(self.connections[connection])
        positions = [0, *(each.position for each in everything)]
        after, up_to = sorted([positions[skip % len(positions)], positions[skip // 7 % len(positions)]])

        found = self._read(connection, ReadDevice(device, after, up_to, limit))

        behind = [each for each in everything if after < each.position <= up_to]
        assert found == [each for each in behind if each.order_key == device][:limit]

    @rule(indexes=st.lists(INDEX, max_size=5))
    def load_bodies(self, indexes: list[int]) -> None:
        known = sorted(self.ids)
        asked = [known[index % len(known)] for index in indexes if known]

        places = {i: self.log[i].position if i in self.log else i for i in asked}
        bodies = self.run(self.store.queue.load_bodies(places, 1000))

        waiting = set(asked).intersection(self.model.of(Outcome.QUEUED))
        assert bodies == {i: self.model.deliveries[i].body if i in waiting else None for i in asked}

    # What becomes of it

    @rule(index=INDEX, visit=VISITS)
    def settle_one(self, index: int, visit: Visit) -> None:
        self.run(self._settle(_pick(self.model.of(Outcome.QUEUED), index), visit))

    @rule(count=st.integers(2, 5), visit=VISITS)
    def settle_several_at_the_same_time(self, count: int, visit: Visit) -> None:
        self.run(self._settle(self.model.of(Outcome.QUEUED)[:count], visit))

    @rule(index=INDEX, visit=VISITS)
    def settle_what_was_in_flight_when_it_was_discarded_or_expired(self, index: int, visit: Visit) -> None:
        self.run(self._settle(_pick(self.model.of(*LATE), index), visit))

    @rule(index=INDEX)
    def replay_one(self, index: int) -> None:
        ended = self.model.of(*SETTLED_BY_A_LANE)
        there = [i for i in ended if self.model.deliveries[i].connection_id in self.model.served]
        for delivery_id in _pick(there, index):
            self.run(self._replay(delivery_id))

    @precondition(lambda self: len(self.model.served) > 1)
    @rule(index=INDEX)
    def delete_a_connection(self, index: int) -> None:
        served = sorted(self.model.served)
        connection_id = served[index % len(served)]
        self.run(self.store.delete_connection(connection_id))
        self.model.delete_connection(connection_id, self.now)
        self.run(self._look())

    # What time and the machine do

    @rule(hours=st.sampled_from([0.2, 0.9, 1.1, 25, 24 * 8, 24 * 31]))
    def wait(self, hours: float) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def purge(self) -> None:
        self.run(self.store.purge())
        self.model.purge(self.now)
        self.run(self._look())

    @rule()
    def end_and_start_again(self) -> None:
        self.run(self._end_and_start_again())

    @rule(plans=st.lists(PLANS, max_size=3))
    def be_killed_while_messages_come_in_and_start_again(self, plans: list[Plan]) -> None:
        self.run(self._be_killed(plans))

    # What must always hold

    @invariant()
    def an_acknowledged_message_is_in_the_queue_or_has_an_outcome(self) -> None:
        known = {
            i: (each.connection_id, each.outcome, each.body) for i, each in self.model.deliveries.items()
        }
        assert {i: (each.connection_id, each.outcome, each.body) for i, each in self.log.items()} == known

    @invariant()
    def positions_grow_in_the_order_of_commits(self) -> None:
        for connection_id in self.connections:
            on_it = [
                i
                for i, each in self.log.items()
                # A place behind the others is taken for as long as the message waits there.
                if each.connection_id == connection_id
                and (each.outcome is Outcome.QUEUED or not self.model.deliveries[i].is_replayed)
            ]
            by_position = sorted(on_it, key=lambda i: self.log[i].position)
            steps = [self.model.deliveries[i].step for i in by_position]
            assert steps == sorted(steps)
            assert len({self.log[i].position for i in on_it}) == len(on_it)

    @invariant()
    def every_attempt_is_counted(self) -> None:
        for delivery_id, each in self.log.items():
            assert each.attempts == self.model.deliveries[delivery_id].attempts
            assert each.attempt_count == len(each.attempts)
            assert [number for number, _ in each.attempts] == list(range(1, each.attempt_count + 1))

    @invariant()
    def nothing_that_has_an_outcome_is_read_ahead(self) -> None:
        for connection_id, found in self.waiting.items():
            assert found == self.model.waiting_on(connection_id)
            assert all(self.log[each.delivery_id].outcome is Outcome.QUEUED for each in found)

    # How the steps are done

    async def _open(self) -> None:
        folder = next(self.folders)
        folder.mkdir()
        self.store = await self.open_queue(folder, lambda: self.now)
        assert self.store.marked is None
        for each in SERVED:
            connection_id = await self.store.add_connection(each.max_in_flight, opened=each.opened)
            self.connections.append(connection_id)
            self.model.served[connection_id] = each

    async def _end_and_start_again(self) -> None:
        await self.store.end()
        self.store = await self.open_queue(self.store.folder, lambda: self.now)
        assert self.store.marked is None
        await self._look()

    async def _be_killed(self, plans: Sequence[Plan]) -> None:
        """What was being put may be there afterwards or not; what may have been sent is marked."""
        self.step += 1
        puts = [self._message(plan) for plan in plans]
        coming = [asyncio.create_task(self.store.queue.put(put)) for put in puts]
        await asyncio.sleep(0)
        successor = next(self.folders)
        successor.mkdir()
        await self.store.kill(successor)
        await asyncio.gather(*coming)
        self.store = await self.open_queue(successor, lambda: self.now)
        self._learn(await self.store.log(), puts)
        assert self.store.marked == self.model.mark_possibly_sent(self.now)
        await self._look()

    def _message(self, plan: Plan) -> Put:
        """Return what the plan means now; every body is another one, also that of a repeat."""
        self.step += 1
        return Put(
            Message(
                network_server_id="ns",
                root="DevEUI_uplink",
                dev_eui=DevEui(plan.device * 16),
                order_key=plan.device,
                f_cnt=plan.mark,
                body=f"body {self.step}".encode(),
                fingerprint=fingerprint(str(plan.mark)),
                received_at=self.now,
                aged_from=self.now,
            ),
            tuple(self.connections[number] for number in plan.connections),
            frozenset(self.connections[n] for n in plan.too_old_for.intersection(plan.connections)),
        )

    async def _put(self, plans: Sequence[Plan], lost: int = 0) -> None:
        """Put at the same time; the first `lost` callers go away before the answer."""
        puts = [self._message(plan) for plan in plans]
        known = [self.model.is_repeat(put.message) for put in puts]
        tasks = [asyncio.create_task(self.store.queue.put(put)) for put in puts]
        if lost:
            await asyncio.sleep(0)
        for task in tasks[:lost]:
            task.cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        await self.store.database.write(lambda _sql: None)  # behind what nobody waits for
        self._learn(await self.store.log(), puts)
        for put, was_known, answer in list(zip(puts, known, answers, strict=True))[lost:]:
            is_there = any(each.body == put.message.body for each in self.model.deliveries.values())
            assert answer == (Accepted(put.connection_ids) if is_there else Accepted((), is_repeat=True))
            assert not (was_known and is_there)
        marks = {put.message.fingerprint for put, was_known in zip(puts, known, strict=True) if not was_known}
        assert marks == {put.message.fingerprint for put in puts if put.message.body in self._bodies()}
        await self._look()

    def _bodies(self) -> set[bytes]:
        return {each.body for each in self.model.deliveries.values()}

    def _learn(self, log: dict[int, Logged], puts: Sequence[Put]) -> None:
        """Take the ids of what was put from the log: none was ever given before, each message is there once."""
        by_body = {put.message.body: put for put in puts}
        new = {i: each for i, each in log.items() if i not in self.model.deliveries}
        assert not self.ids.intersection(new), "an id is never given twice"
        self.ids.update(new)
        for body, put in by_body.items():
            there = [each.connection_id for each in new.values() if each.body == body]
            assert sorted(there, key=str) in ([], sorted(put.connection_ids or (None,), key=str))
        for delivery_id, each in sorted(new.items()):
            waiting = Waiting(
                delivery_id,
                each.position,
                each.order_key,
                by_body[each.body].message.aged_from,
                by_body[each.body].message.received_at,
            )
            self.model.add(by_body[each.body], waiting, each.connection_id, self.step)

    async def _replay(self, delivery_id: int) -> None:
        self.step += 1
        assert await replay(self.store.queue, delivery_id, None, self.now) == delivery_id
        position = (await self.store.log())[delivery_id].position
        self.model.replay(delivery_id, position, self.step, self.now)
        await self._look()

    async def _settle(self, delivery_ids: Sequence[int], visit: Visit) -> None:
        settlements = [self._settlement(delivery_id, visit) for delivery_id in delivery_ids]
        await asyncio.gather(*map(self.store.queue.settle, settlements))
        for settlement in settlements:
            self.model.settle(settlement)
        await self._look()

    def _settlement(self, delivery_id: int, visit: Visit) -> Settlement:
        waiting = self.model.deliveries[delivery_id].waiting
        attempts = tuple(
            Attempt(number, self.now, Trigger.FIRST, timedelta(milliseconds=5), 1, status)
            for number, status in enumerate(visit.statuses, waiting.attempt_count + 1)
        )
        due = self.now + timedelta(seconds=2) if visit.resend else None
        resends = waiting.resends + visit.resend
        return Settlement(delivery_id, attempts, visit.outcome, "why", self.now, resends, due)

    def _read(self, connection: int, read: ReadPage | ReadDevice) -> list[Waiting]:
        return self.run(self.store.queue.read_ahead(self.connections[connection], read))

    async def _look(self) -> None:
        """See what the invariants judge: the log, and what waits."""
        self.log = await self.store.log()
        self.waiting = {
            connection_id: await self.store.queue.read_ahead(connection_id, ReadPage(0, 10_000))
            for connection_id in self.connections
        }
