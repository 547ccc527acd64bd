"""Runs a fleet as an LRC would: paced, in order per device, repeated until acknowledged."""

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from itertools import count as count_from
from itertools import islice

from longwire.core.delivery import is_accepted
from longwire.core.errors import InvalidInput
from longwire.demo.chance import draw
from longwire.demo.fleet import AS_ID, Device, Fleet, uplink_request
from longwire.demo.pace import Pace, plan_pace, put_off, share_of, wait_before_repeat
from longwire.demo.post_client import PostClient, UnansweredError, parse_target

_REQUEST_TIMEOUT = 408
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


class Outcome(Enum):
    """What one sending of an uplink came to."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """The server will never accept it (3xx, 4xx): it is not sent again."""
    REPEATED = "repeated"
    """No answer, 5xx, 408 or 429: the same message will be sent again."""


@dataclass(frozen=True, slots=True)
class UplinkResult:
    """One sending: `attempt` counts from 1; `status` is None without an answer, `detail` then says why."""

    device: Device
    counter: int
    attempt: int
    outcome: Outcome
    status: int | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class FleetCounts:
    """How many sendings came to each outcome."""

    acknowledged: int = 0
    refused: int = 0
    repeated: int = 0

    def after(self, result: UplinkResult) -> "FleetCounts":
        """Return the counts with this result in them."""
        name = result.outcome.value
        return replace(self, **{name: getattr(self, name) + 1})


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """How a fleet is run.

    `rate_per_second` is of the whole fleet; `count` ends the run after that many uplinks, None lets it go on;
    `key` (the tunnel key) signs; `first_counter` is the FCntUp every device begins with, None derives it from
    the time (see `pace`); `tls` verifies an https URL.
    """

    rate_per_second: float
    count: int | None = None
    key: str | None = None
    as_id: str = AS_ID
    first_counter: int | None = None
    connections: int = 8
    timeout: timedelta = timedelta(seconds=10)
    first_wait: timedelta = timedelta(milliseconds=200)
    """Before the first repeat of an uplink; doubled for each further one."""
    longest_wait: timedelta = timedelta(seconds=5)
    tls: ssl.SSLContext | None = None


def judge(status: int) -> Outcome:
    """Return what an answer's status means for the uplink."""
    if is_accepted(status):
        return Outcome.ACKNOWLEDGED
    if status >= _SERVER_ERROR or status in {_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS}:
        return Outcome.REPEATED
    return Outcome.REFUSED


async def run_fleet(
    fleet: Fleet,
    url: str,
    options: FleetOptions,
    now: Callable[[], datetime],
    on_result: Callable[[UplinkResult], None],
) -> FleetCounts:
    """Return the counts once `options.count` uplinks are acknowledged or refused; else run until cancelled.

    `on_result` is called for every sending, so a caller that cancels has counted already
    (`FleetCounts.after`). A device's next uplink waits for the answer to its previous one; a device that is
    late catches up at most `pace.MAX_LATE`. Raises InvalidInput for a URL or an option that cannot be used.
    """
    if options.rate_per_second <= 0 or options.connections < 1:
        raise InvalidInput("rate", "expected a rate above 0 and at least one connection")
    counts = FleetCounts()

    def count_and_tell(result: UplinkResult) -> None:
        nonlocal counts
        counts = counts.after(result)
        on_result(result)

    client = PostClient(parse_target(url), options.connections, options.timeout, options.tls)
    started = now()
    pace = plan_pace(len(fleet.devices), options.rate_per_second, started, options.first_counter)
    run = _Run(client, pace, options, now, count_and_tell)
    async with client, asyncio.TaskGroup() as group:
        for device in fleet.devices:
            group.create_task(run.live(device, started), name=f"device {device.dev_eui}")
    return counts


@dataclass(frozen=True, slots=True)
class _Run:
    """What all devices of one run share."""

    client: PostClient
    pace: Pace
    options: FleetOptions
    now: Callable[[], datetime]
    on_result: Callable[[UplinkResult], None]

    async def live(self, device: Device, started: datetime) -> None:
        """Send one device's uplinks, each when it is due and never before the previous one is answered."""
        first = self.pace.next_counter(device.index, started)
        delay = timedelta()
        for counter in islice(
            count_from(first), share_of(device.index, self.pace.devices, self.options.count)
        ):
            due = self.pace.due(device.index, counter)
            delay = put_off(delay, due, self.now())
            await self._sleep_until(due + delay)
            await self._hand_over(device, counter)

    async def _sleep_until(self, due: datetime) -> None:
        # No device is ever more than an interval early, unless the clock was set back: then the old rhythm
        # goes on.
        wait = min(due - self.now(), self.pace.interval)
        await asyncio.sleep(max(0.0, wait.total_seconds()))

    async def _hand_over(self, device: Device, counter: int) -> None:
        """Send one uplink until somebody has decided about it."""
        options = self.options
        query, body = uplink_request(device, counter, self.now(), options.key, options.as_id)
        for attempt in count_from(1):
            result = await self._send(
                UplinkResult(device, counter, attempt, Outcome.REPEATED, None), query, body
            )
            self.on_result(result)
            if result.outcome is not Outcome.REPEATED:
                return
            chance = draw(device.seed, device.index, counter, attempt, "wait")
            wait = wait_before_repeat(attempt, options.first_wait, options.longest_wait, chance)
            await asyncio.sleep(wait.total_seconds())

    async def _send(self, sending: UplinkResult, query: str, body: bytes) -> UplinkResult:
        try:
            status = await self.client.post(query, body)
        except UnansweredError as error:
            return replace(sending, detail=str(error))
        return replace(sending, outcome=judge(status), status=status)
