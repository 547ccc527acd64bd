"""Downlinks on their way to the network servers: one at a time for each device, in order (specification, section 9).

A device whose downlink has to be tried again holds up nobody else; a network server that is away holds up only its own.
"""

import asyncio
import heapq
import itertools
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from longwire import log
from longwire.clock import Clock, Timer, sleep
from longwire.core.downlink import (
    MAY_HAVE_BEEN_SENT,
    Accepted,
    Again,
    Downlink,
    Rejected,
    Status,
    Verdict,
    is_doubtful,
    wait_after,
    with_doubt,
)
from longwire.core.errors import StorageUnavailable
from longwire.net.client import Client
from longwire.sources.thingpark_downlink import Lrc, build_downlink, read_downlink_answer
from longwire.storage.downlinks import Conclusion, Downlinks, Ticket

MAX_IN_FLIGHT = 16
"""Requests at once to one network server."""
TIMEOUT = timedelta(seconds=10)
GRACE = timedelta(seconds=8)
STORAGE_PAUSE = timedelta(seconds=1)

T = TypeVar("T")
_Device = tuple[str, str]


@dataclass(frozen=True, slots=True)
class DownlinkTools:
    """What the lane works with.

    `lrc_of` gives None for a network server that takes no downlinks any more; `tell_rejected` makes the refusal a
    message of the connection.
    """

    downlinks: Downlinks
    client: Client
    clock: Clock
    lrc_of: Callable[[str], Lrc | None]
    tell_rejected: Callable[[Ticket, Downlink, str], Awaitable[None]]


class DownlinkLane:
    """Holds a ticket for every queued downlink; `run` hands them over until `stop`."""

    def __init__(self, tools: DownlinkTools) -> None:
        """Hold none yet."""
        self._tools = tools
        self._waiting: dict[_Device, list[Ticket]] = {}
        self._due: list[tuple[datetime, int, _Device]] = []
        self._order = itertools.count()
        self._held: dict[str, deque[_Device]] = {}
        self._in_flight: Counter[str] = Counter()
        self._sends: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._timer: Timer | None = None
        self._stopping = False

    def add(self, ticket: Ticket) -> None:
        """Take a downlink that has become durable; those of one device come in their order."""
        device = (ticket.route.network_server_id, ticket.dev_eui)
        tickets = self._waiting.setdefault(device, [])
        tickets.append(ticket)
        if len(tickets) == 1:
            self._plan(device, ticket.not_before)
        self._changed.set()

    def count(self, dev_eui: str, network_server_id: str) -> int:
        """Return how many downlinks of a device wait or are under way."""
        return len(self._waiting.get((network_server_id, dev_eui), ()))

    def stop(self) -> None:
        """Ask the lane to end: what is under way gets 8 s."""
        self._stopping = True
        self._changed.set()

    async def load(self) -> None:
        """Take up what was queued before: at the start, when nothing new can come yet."""
        for ticket in await self._tools.downlinks.queued():
            self.add(ticket)

    async def run(self) -> None:
        """Hand over until stopped."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._changed.clear()
                self._start_due(group)
                await self._changed.wait()
            if self._timer is not None:
                self._timer.cancel()
            if self._sends:
                await asyncio.wait(self._sends, timeout=GRACE.total_seconds())
            for task in self._sends:
                task.cancel()

    def _plan(self, device: _Device, due: datetime | None) -> None:
        heapq.heappush(self._due, (due or self._tools.clock.now(), next(self._order), device))

    def _start_due(self, group: asyncio.TaskGroup) -> None:
        now = self._tools.clock.now()
        while self._due and self._due[0][0] <= now:
            device = heapq.heappop(self._due)[2]
            if self._in_flight[device[0]] >= MAX_IN_FLIGHT:
                self._held.setdefault(device[0], deque()).append(device)
                continue
            self._in_flight[device[0]] += 1
            task = group.create_task(self._visit(device))
            self._sends.add(task)
            task.add_done_callback(self._sends.discard)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._tools.clock.call_at(self._due[0][0], self._changed.set) if self._due else None

    async def _visit(self, device: _Device) -> None:
        """Work on the oldest downlink of a device, then plan the device's next."""
        tickets = self._waiting[device]
        left = await self._hand_over(tickets[0])
        if left is None:
            del tickets[0]
        else:
            tickets[0] = left
        self._in_flight[device[0]] -= 1
        if tickets:
            self._plan(device, tickets[0].not_before)
        else:
            del self._waiting[device]
        if held := self._held.get(device[0]):
            self._plan(held.popleft(), None)
        self._changed.set()

    async def _hand_over(self, ticket: Ticket) -> Ticket | None:
        """Return the ticket as it goes on waiting, or None when the downlink is over."""
        try:
            downlink = await self._stored(lambda: self._tools.downlinks.content(ticket))
            if downlink is None:
                return None
            verdict = await self._try(ticket, downlink)
            if ticket.is_marked or is_doubtful(ticket.cause):
                verdict = with_doubt(verdict)
            return await self._conclude(ticket, downlink, verdict)
        except Exception:  # noqa: BLE001 - the lane's edge: a bug costs this downlink, the others go on
            log.error(log.DOWNLINK_CRASHED, downlink=ticket.id)
            lost = Conclusion(Status.REJECTED, "a bug in Longwire; see its log", self._tools.clock.now())
            await self._stored(lambda: self._tools.downlinks.conclude(ticket, lost))
            return None

    async def _conclude(self, ticket: Ticket, downlink: Downlink, verdict: Verdict) -> Ticket | None:
        """Record what a try came to; a refusal becomes a message of the connection first."""
        attempts = ticket.attempts + 1
        conclusion = _conclusion(verdict, downlink, attempts, self._tools.clock.now())
        if isinstance(verdict, Rejected):
            if await self._stored(lambda: self._tools.downlinks.content(ticket)) is None:
                return None
            cause = verdict.cause
            await self._stored(lambda: self._tools.tell_rejected(ticket, downlink, cause))
        await self._stored(lambda: self._tools.downlinks.conclude(ticket, conclusion))
        if conclusion.status is not Status.QUEUED:
            return None
        return replace(
            ticket,
            attempts=attempts,
            not_before=conclusion.not_before,
            cause=conclusion.cause,
            is_marked=False,
        )

    async def _try(self, ticket: Ticket, downlink: Downlink) -> Verdict:
        now = self._tools.clock.now()
        if ticket.is_marked and downlink.f_cnt_dn is None:
            return Rejected(MAY_HAVE_BEEN_SENT)
        if downlink.expires_at <= now:
            return Again(f"its validity is over; {ticket.cause or 'it was not tried'}")
        lrc = self._tools.lrc_of(ticket.route.network_server_id)
        if lrc is None:
            return Rejected(
                "there is no way to its network server any more: no lrcUrl, or the server was deleted"
            )
        await self._stored(lambda: self._tools.downlinks.mark(ticket))
        request = build_downlink(downlink, lrc, now)
        # Without a counter a keep-alive race could not be told from a downlink that was taken.
        result = await self._tools.client.send(request, TIMEOUT, fresh=downlink.f_cnt_dn is None)
        return read_downlink_answer(result, downlink)

    async def _stored(self, work: Callable[[], Awaitable[T]]) -> T:
        """Return what the store gives; while it is unavailable, wait and ask again."""
        while True:
            try:
                return await work()
            except StorageUnavailable as error:
                log.warning(log.LANE_STORAGE_WAITED, error=str(error))
                await sleep(self._tools.clock, STORAGE_PAUSE)


def _conclusion(verdict: Verdict, downlink: Downlink, attempts: int, now: datetime) -> Conclusion:
    match verdict:
        case Accepted():
            return Conclusion(Status.ACCEPTED, None, now)
        case Rejected(cause):
            return Conclusion(Status.REJECTED, cause, now)
        case Again(cause) if now < downlink.expires_at:
            due = min(now + wait_after(attempts), downlink.expires_at)
            return Conclusion(Status.QUEUED, cause, now, due)
        case Again(cause):
            return Conclusion(Status.EXPIRED, cause, now)
