"""Keeps the running lanes equal to the desired configuration."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from longwire import log
from longwire.clock import sleep
from longwire.core.configuration import Run, plan_changes
from longwire.core.connection_state import Event
from longwire.core.errors import NotFound, StorageUnavailable
from longwire.core.event import Kind, Occurrence
from longwire.core.request import Target
from longwire.engine.lane import GRACE, Desired, Lane, Tools
from longwire.storage.configurations import Configurations

LAST_PAUSE = timedelta(seconds=1)
CRASH_PAUSE = timedelta(seconds=1)
# Above it asking for every connection costs less than naming those that changed.
MANY_CHANGED = 500


@dataclass(slots=True)
class _Seat:
    """The place of one lane: it can be told to stop before the lane has begun."""

    run: Run
    is_stopping: bool = False
    is_deactivating: bool = False
    lane: Lane | None = None

    def stop(self, *, deactivate: bool) -> None:
        self.is_stopping = True
        self.is_deactivating = deactivate
        if self.lane is not None:
            self.lane.stop(deactivate=deactivate)


class Supervisor:
    """Owns every lane; a changed configuration is noticed, compared and carried out here, nowhere else."""

    def __init__(self, configurations: Configurations, tools: Tools, base_url: str) -> None:
        """Run nothing yet."""
        self._configurations = configurations
        self._tools = tools
        self._base_url = base_url
        self._changed = asyncio.Event()
        self._noticed: set[int] = set()
        self._stopping = False
        self._seats: dict[int, _Seat] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._lanes: set[Lane] = set()

    def notice(self, connection_id: int) -> None:
        """Learn that a connection was created, changed or deleted."""
        self._noticed.add(connection_id)
        self._changed.set()

    def stop(self) -> None:
        """Ask every lane to end, and `run` to return when they have."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        """Run the lanes until stopped; what the store has not taken a second after their grace is given up."""
        is_first = True
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                self._changed.clear()
                if await self._reconcile(group, is_first=is_first):
                    is_first = False
                    await self._changed.wait()
            for seat in self._seats.values():
                seat.stop(deactivate=False)
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=(GRACE + LAST_PAUSE).total_seconds())
            for lane in self._lanes:
                lane.give_up()

    async def _reconcile(self, group: asyncio.TaskGroup, *, is_first: bool) -> bool:
        """Make the running lanes equal to what is desired; False when the store could not be asked.

        At the start a lane resumes, unless a command was recorded that the run before has not carried out. Afterwards
        only connections that changed are looked at: all the others would wait for as long as that takes.
        """
        noticed, self._noticed = self._noticed, set()
        changed = None if is_first or len(noticed) > MANY_CHANGED else noticed
        try:
            carried_out = await self._tools.states.carried_out() if is_first else {}
            desired = await self._configurations.active_runs(changed)
        except StorageUnavailable as error:
            self._noticed |= noticed
            log.warning(log.LANE_STORAGE_WAITED, error=str(error))
            await sleep(self._tools.clock, CRASH_PAUSE)
            return False
        looked_at = self._seats.keys() if changed is None else self._seats.keys() & changed
        running = {connection_id: self._seats[connection_id].run for connection_id in looked_at}
        changes = plan_changes(running, desired)
        for connection_id in changes.stop:
            self._seats.pop(connection_id).stop(deactivate=connection_id not in desired)
        for connection_id in changes.start:
            run = desired[connection_id]
            resumes = is_first and carried_out.get(connection_id, run) == run
            self._start(group, connection_id, run, Event.RESUME if resumes else Event.CONNECT)
        return True

    def _start(self, group: asyncio.TaskGroup, connection_id: int, run: Run, begin: Event) -> None:
        seat = self._seats[connection_id] = _Seat(run)
        before = self._tasks.get(connection_id)
        task = group.create_task(
            self._run_lane(connection_id, seat, begin, before), name=f"lane {connection_id}"
        )
        self._tasks[connection_id] = task
        task.add_done_callback(lambda ended: self._forget(connection_id, ended))

    def _forget(self, connection_id: int, ended: asyncio.Task[None]) -> None:
        if self._tasks.get(connection_id) is ended:
            del self._tasks[connection_id]

    async def _run_lane(
        self, connection_id: int, seat: _Seat, begin: Event, before: asyncio.Task[None] | None
    ) -> None:
        """Run a lane, after its predecessor has ended, so that order is kept; again when it crashed.

        While the store is unavailable the command stands: to reconnect at once, or to be DEACTIVATED.
        """
        if before is not None:
            await asyncio.wait([before])
        while True:
            try:
                return await self._run_once(seat, await self._desired(connection_id, seat.run), begin)
            except NotFound:
                return None
            except StorageUnavailable as error:
                log.warning(log.LANE_STORAGE_WAITED, connection=connection_id, error=str(error))
            except Exception as error:  # noqa: BLE001 - the lane's edge: one lane's bug must not end the others
                self._tell_crash(connection_id, error)
                begin = Event.RESUME
            if seat.is_stopping and (self._stopping or not seat.is_deactivating):
                return None
            await sleep(self._tools.clock, CRASH_PAUSE)

    def _tell_crash(self, connection_id: int, error: Exception) -> None:
        log.error(log.LANE_RUN_CRASHED, connection=connection_id)
        while isinstance(error, ExceptionGroup):  # a lane runs its tasks in a group
            error = error.exceptions[0]
        now = self._tools.clock.now()
        self._tools.tell(Occurrence(Kind.CONNECTION_CRASHED, now, connection_id, type(error).__name__))

    async def _run_once(self, seat: _Seat, desired: Desired, begin: Event) -> None:
        lane = seat.lane = Lane(desired, self._tools)
        if seat.is_stopping:
            lane.stop(deactivate=seat.is_deactivating)
        self._lanes.add(lane)
        try:
            await lane.run(begin)
        finally:
            self._lanes.discard(lane)

    async def _desired(self, connection_id: int, run: Run) -> Desired:
        stored = await self._configurations.load_to_run(connection_id)
        url = f"{self._base_url}/iot-flow/downlinkMessages/{stored.downlink_uuid}"
        target = Target(stored.connection.configuration, url, stored.connection.debug)
        return Desired(connection_id, stored.revision, target, run.restarts)
