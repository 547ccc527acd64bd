"""One connection's loop: it takes what waits, sends it, records what became of it, and lives the connection's life.

The lane is the only writer of its connection's state and deliveries. Its loop alone changes the state and takes
messages; the tasks that send only report back to it.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from longwire import log
from longwire.clock import Clock, Timer, sleep
from longwire.core.configuration import Run
from longwire.core.connection_state import (
    Event,
    Happened,
    Policy,
    Probe,
    Report,
    State,
    Status,
    allowance,
    idle_at,
    step,
)
from longwire.core.delivery import Outcome, Settlement, Waiting
from longwire.core.errors import StorageUnavailable
from longwire.core.event import Kind, Occurrence, of_report
from longwire.core.http import Cause
from longwire.core.hysteresis import Told, tell, tell_due
from longwire.core.rate import FIRST_STEP, climb, make_pace, ramped
from longwire.core.request import Target
from longwire.engine.backlog import Backlog, Ready
from longwire.engine.bodies import Budget
from longwire.engine.sender import Sender, Visit
from longwire.engine.turns import Turns
from longwire.net.client import Client
from longwire.storage.lane_states import LaneStates
from longwire.storage.queue_sql import Placed, Queue

GRACE = timedelta(seconds=8)
STORAGE_PAUSE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Tools:
    """What every lane works with; `jitter` gives -1 to 1.

    `tell` takes what the operator shall know; `settled` every settlement of a connection, once it is durable. Neither
    waits.
    """

    queue: Queue
    states: LaneStates
    client: Client
    clock: Clock
    jitter: Callable[[], float]
    tell: Callable[[Occurrence], None]
    settled: Callable[[int, Waiting, Settlement], None]
    budget: Budget = field(default_factory=Budget)
    turns: Turns = field(default_factory=Turns)


@dataclass(frozen=True, slots=True)
class Desired:
    """What one lane runs: a revision of a connection, and up to which restart its commands have come."""

    connection_id: int
    revision: int
    target: Target
    restarts: int = 0


class Lane:
    """Runs one revision of one connection, from `run` until `stop`."""

    def __init__(self, desired: Desired, tools: Tools) -> None:
        """Begin nothing yet."""
        self._desired = desired
        self._tools = tools
        configuration = desired.target.configuration
        self._policy = Policy(configuration.strategy, configuration.blame_period)
        self._pace = make_pace(configuration.max_requests_per_second)
        self._is_held_up = False
        self._ramp: int | None = None
        self._told = Told()
        self._last_uplink_at = tools.clock.now()
        self._max_in_flight = configuration.max_in_flight
        self._sender = Sender(
            desired.target, desired.revision, tools.client, tools.clock, tools.queue.webhook_id
        )
        self._backlog = Backlog(desired.connection_id, tools.queue, tools.budget, tools.turns)
        self._state = State(Status.DEACTIVATED, tools.clock.now())
        self._happened: deque[tuple[Event, str]] = deque()
        self._changed = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()
        self._probe: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._stopping = False
        self._deactivating = False

    def stop(self, *, deactivate: bool) -> None:
        """Ask the lane to end: what is in flight gets 8 s, then it is handed back."""
        self._stopping = True
        self._deactivating = deactivate
        self._changed.set()

    def give_up(self) -> None:
        """End at once, also with records that the store has not taken; the next start marks their messages."""
        for task in self._sends:
            task.cancel()

    async def run(self, begin: Event) -> None:
        """Run until stopped; `begin` is RESUME after a restart of Longwire, CONNECT after a change."""
        self._tools.queue.listen(self._desired.connection_id, self._take_over)
        try:
            async with asyncio.TaskGroup() as self._group:
                await self._begin(begin)
                while not self._stopping:
                    await self._advance()
                    await self._changed.wait()
                    self._changed.clear()
                await self._drain()
        finally:
            self._tools.queue.unlisten(self._desired.connection_id)
            self._set_timer(None)
            self._backlog.forget_bodies()
            self._tools.client.forget(self._desired.target.configuration.destination.endpoint)
        if self._deactivating:
            await self._take_in(Event.DEACTIVATE, "")

    async def _begin(self, begin: Event) -> None:
        """Take up the saved state; while the store is unavailable, wait: a command must not be forgotten."""
        while True:
            try:
                saved = await self._tools.states.load(self._desired.connection_id)
                self._state = saved or self._state
                self._told = Told(is_open=self._state.outage is None)
                return await self._take_in(begin if saved else Event.CONNECT, "")
            except StorageUnavailable as error:
                if self._stopping:
                    raise
                await self._wait_for_the_store(error)

    def _take_over(self, placed: Placed | None) -> None:
        """Take in what has just become durable; while nothing can be sent, it is read when it can."""
        if placed is None:
            self._backlog.reread()
        elif self._state.status is Status.OPENED:
            self._backlog.take_over(placed)
        else:
            self._backlog.notice()
        self._last_uplink_at = self._tools.clock.now()
        self._changed.set()

    def _report(self, event: Event, reason: str = "") -> None:
        """Tell the loop what happened; it takes it in before it sends anything else."""
        self._happened.append((event, reason))
        self._changed.set()

    async def _advance(self) -> None:
        """Do everything that can be done now, then set the timer for what is due next."""
        try:
            await self._take_in_all()
            # What falls due while the messages are taken must ring at once, or nobody would come back for it.
            before = self._tools.clock.now()
            await self._fill()
            self._set_timer(min(self._due(before), default=None))
        except StorageUnavailable as error:
            log.warning(log.LANE_STORAGE_WAITED, connection=self._desired.connection_id, error=str(error))
            self._set_timer(self._tools.clock.now() + STORAGE_PAUSE)

    def _due(self, now: datetime) -> Iterable[datetime]:
        """Return the times at which there is something to do without being told."""
        due = (
            self._opening_due(),
            self._backlog.next_due(now),
            self._pace_due(),
            self._told.due,
        )
        return (each for each in due if each is not None)

    def _opening_due(self) -> datetime | None:
        """Return when the connection is to be opened again: by the schedule, or for want of uplinks.

        Never while something is in flight: after a crash only certain states tell that something was, and a trial is
        for one message alone.
        """
        if self._sends:
            return None
        return self._state.retry_at or idle_at(self._state, self._policy, self._last_uplink_at)

    def _pace_due(self) -> datetime | None:
        """Return when the pace lets the next message go, while it alone holds messages up."""
        return self._pace.next_at if self._is_held_up else None

    async def _take_in_all(self) -> None:
        """Take in what was reported, then what follows from the time."""
        await self._take_in_reported()
        now = self._tools.clock.now()
        opening = self._opening_due()
        if opening is not None and opening <= now:
            await self._take_in(Event.RETRY_DUE if self._state.retry_at else Event.IDLE, "")
        self._told, report = tell_due(self._told, now)
        self._tell(report)

    async def _take_in_reported(self) -> None:
        """Take in what was reported, and that nothing is in flight any more."""
        while self._happened:
            event, reason = self._happened[0]
            await self._take_in(event, reason)
            self._happened.popleft()
        if self._state.status is Status.CLOSING and not self._sends:
            await self._take_in(Event.DRAINED, "")

    async def _take_in(self, event: Event, reason: str) -> None:
        """Step the state machine; the new state is durable before anything is done with it.

        So after a crash the state tells which connections may have had messages in flight.
        """
        happened = Happened(event, self._tools.clock.now(), reason, self._tools.jitter())
        after, commands = step(self._state, happened, self._policy)
        if after == self._state and not commands:
            return
        run = Run(self._desired.revision, self._desired.restarts)
        await self._tools.states.save(self._desired.connection_id, after, run)
        if self._state.on_trial and after.status is Status.OPENED:
            self._ramp = FIRST_STEP
        self._state = after
        if after.status is not Status.OPENED:
            self._backlog.forget_bodies()
        for command in commands:
            match command:
                case Probe():
                    self._probe = self._group.create_task(self._try_to_reach())
                case Report():
                    self._told, report = tell(self._told, command, happened.at)
                    self._tell(report)

    def _tell(self, report: Report | None) -> None:
        if report is not None:
            now = self._tools.clock.now()
            self._tools.tell(of_report(self._desired.connection_id, report, self._state, now))

    async def _try_to_reach(self) -> None:
        configuration = self._desired.target.configuration
        if configuration.proxy is not None and configuration.proxy.proxy.username is not None:
            self._report(Event.CREDENTIALS_SENT)
        failure = await self._tools.client.probe(
            configuration.destination.endpoint, configuration.request_timeout
        )
        if failure is None:
            self._report(Event.REACHED)
        else:
            self._report(_trouble(failure.cause), f"{failure.cause.value}: {failure.detail}")

    async def _fill(self) -> None:
        """Send as much as the state allows; stop as soon as something is reported that may change it."""
        while not self._happened and not self._stopping:
            room = self._room()
            if room <= 0:
                return
            ready = await self._backlog.take(room, 2 * self._max_in_flight, self._tools.clock.now())
            if not ready:
                return
            if self._backlog.is_behind:
                await self._tools.turns.wait()
            else:
                self._tools.turns.notice()
            self._send_all(ready)

    def _room(self) -> int:
        """Return how many messages may be sent now: by the state, the ramp after an outage, and the pace."""
        at_once = ramped(self._ramp, allowance(self._state, self._max_in_flight))
        free = at_once - len(self._sends)
        allowed = self._pace.allowed(self._tools.clock.now())
        self._is_held_up = free > 0 and allowed == 0
        return min(free, allowed)

    def _send_all(self, ready: list[Ready]) -> None:
        """Start the visits of what was taken, unless something was reported meanwhile."""
        if self._happened or self._stopping:
            for each in ready:
                self._backlog.put_back(each.waiting)
            return
        sent = sum(not self._sender.is_expired(each.waiting) for each in ready)
        self._pace = self._pace.after(sent, self._tools.clock.now())
        for each in ready:
            task = self._group.create_task(self._deliver(each))
            self._sends.add(task)
            task.add_done_callback(self._end_send)

    def _end_send(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._changed.set()

    async def _deliver(self, ready: Ready) -> None:
        """Send one message and record it; its device and its slot are free only when the record is durable."""
        try:
            visit = await self._sender.visit(ready.waiting, ready.body)
        except Exception as error:  # noqa: BLE001 - the lane's edge: a bug parks this message, the others go on
            log.error(log.LANE_DELIVERY_CRASHED, connection=self._desired.connection_id)
            visit = self._sender.failed_by_bug(ready.waiting, error)
        await self._settle(visit.settlement)
        self._tools.settled(self._desired.connection_id, ready.waiting, visit.settlement)
        if visit.empty and not ready.waiting.attempt_count:
            self._tell_empty(visit)
        if visit.closing is not None and visit.cause is not Cause.STOPPED:
            self._report(_trouble(visit.cause), visit.closing)
        elif visit.has_answered:
            self._ramp = climb(self._ramp, self._max_in_flight)
            if self._state.outage is not None:
                self._report(Event.ANSWERED)
        if visit.settlement.outcome is Outcome.QUEUED:
            self._backlog.put_back(visit.staying)
        else:
            self._backlog.finish(ready.waiting)

    def _tell_empty(self, visit: Visit) -> None:
        connection_id = self._desired.connection_id
        for placeholder in visit.empty:
            self._tools.tell(
                Occurrence(Kind.PATTERN_EMPTY, visit.settlement.at, connection_id, cause=placeholder)
            )

    async def _settle(self, settlement: Settlement) -> None:
        """Record what a visit did; when the store cannot, keep it and try again until it can."""
        while True:
            try:
                return await self._tools.queue.settle(settlement)
            except StorageUnavailable as error:
                await self._wait_for_the_store(error)

    async def _wait_for_the_store(self, error: StorageUnavailable) -> None:
        log.warning(log.LANE_STORAGE_WAITED, connection=self._desired.connection_id, error=str(error))
        await sleep(self._tools.clock, STORAGE_PAUSE)

    def _set_timer(self, due: datetime | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._tools.clock.call_at(due, self._changed.set) if due is not None else None

    async def _drain(self) -> None:
        """Let what is in flight end; what has not after the grace is stopped, recorded as such, and kept.

        A record that the store refuses is kept until it is taken. What the destination showed meanwhile counts.
        """
        if self._probe is not None:
            self._probe.cancel()
        if self._sends:
            await asyncio.wait(self._sends, timeout=GRACE.total_seconds())
        self._sender.stop()
        if self._sends:
            await asyncio.wait(self._sends)
        try:
            await self._take_in_reported()
        except StorageUnavailable as error:
            log.warning(log.LANE_STORAGE_WAITED, connection=self._desired.connection_id, error=str(error))


def _trouble(cause: Cause | None) -> Event:
    return Event.CREDENTIALS_REFUSED if cause is Cause.PROXY_407 else Event.UNANSWERED
