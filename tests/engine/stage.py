"""A real lane or supervisor on a real SQLite file, with a real client and a clock that moves when the test says so."""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from longwire.clock import SimulatedClock
from longwire.core.address_policy import parse_allow_list
from longwire.core.configuration import parse_connection
from longwire.core.connection_state import Event, State, Status
from longwire.core.delivery import Outcome, Settlement, Waiting
from longwire.core.event import Occurrence
from longwire.core.message import DevEui, Message, fingerprint
from longwire.core.request import Target
from longwire.engine.lane import Desired, Lane, Tools
from longwire.engine.supervisor import Supervisor
from longwire.net.client import Client
from longwire.net.resolver import Resolver
from longwire.net.tls import default_context
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.lane_states import LaneStates
from longwire.storage.queue_sql import Put, Queue
from longwire.storage.schema import attempt, delivery, message
from longwire.storage.secrets import Sealer

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
S = timedelta(seconds=1)
PATIENCE_S = 10
MOST_WAKINGS = 10_000
# Loading the system's authorities takes longer than a test.
CONTEXT = default_context()


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery as the log has it; `attempts` holds trigger and result (status, or cause) of each."""

    outcome: str
    attempts: tuple[tuple[str, int | str], ...]
    resends: int
    reason: str


class Stage:
    """What a lane works with, and the view of the test on it."""

    def __init__(self, folder: Path, clock: SimulatedClock) -> None:
        self.clock = clock
        self.database = Database(folder / "longwire.db")
        self.queue = Queue(self.database, "store")
        self.configurations = Configurations(self.database, Sealer("secret"), clock.now)
        self.states = LaneStates(self.database)
        self._resolver = Resolver()
        self.client = Client(self._resolver, parse_allow_list("loopback"), tls=CONTEXT)
        self.events: list[Occurrence] = []
        self.settled: list[tuple[int, str, Outcome]] = []
        self.tools = Tools(
            self.queue,
            self.states,
            self.client,
            clock,
            lambda: 0.0,
            tell=self.events.append,
            settled=self._note_settled,
        )
        self.lanes: dict[int, Lane] = {}
        self.hanging: Callable[[], int] = lambda: 0
        self.is_quiet: Callable[[], bool] = lambda: True
        self._lane_tasks: dict[int, asyncio.Task[None]] = {}
        self._numbers = itertools.count(1)

    def _note_settled(self, connection_id: int, waiting: Waiting, settlement: Settlement) -> None:
        self.settled.append((connection_id, waiting.order_key, settlement.outcome))

    async def open(self) -> None:
        self.database.start()
        await self.queue.open()

    async def close(self) -> None:
        for connection_id in list(self._lane_tasks):
            await self.stop_lane(connection_id)
        await self.client.close()
        await self._resolver.close()
        await self.database.close()

    # What is asked of Longwire

    async def connect(self, url: str, **configuration: Any) -> int:
        """Return the id of a new connection."""
        return await self.configurations.create(parse_connection(document(url, **configuration)))

    async def put(self, connection_id: int, *names: str, **members: str) -> None:
        """Put messages in order: `A1` is the first of device A; each has the members too."""
        await asyncio.gather(*(self.queue.put(self.message(connection_id, name, members)) for name in names))

    async def run_lane(
        self, connection_id: int, begin: Event = Event.RESUME, *, patience: timedelta | None = None
    ) -> Lane:
        """Start a lane; `patience` stands for `requestTimeout`, which is a second at least and passes for real."""
        stored = await self.configurations.load(connection_id)
        configuration = stored.connection.configuration
        if patience is not None:
            configuration = replace(configuration, request_timeout=patience)
        target = Target(configuration, "http://longwire/iot-flow/downlinkMessages/uuid")
        lane = self.lanes[connection_id] = Lane(Desired(connection_id, stored.revision, target), self.tools)
        task = asyncio.get_running_loop().create_task(lane.run(begin), name=f"lane {connection_id}")
        self._lane_tasks[connection_id] = task
        return lane

    async def stop_lane(self, connection_id: int, *, deactivate: bool = False) -> None:
        self.lanes.pop(connection_id).stop(deactivate=deactivate)
        await self._lane_tasks.pop(connection_id)

    def supervisor(self) -> Supervisor:
        supervisor = Supervisor(self.configurations, self.tools, "http://longwire")
        self.configurations.announce = supervisor.notice
        return supervisor

    # Time

    async def settle(self) -> None:
        """Return when nothing happens any more unless time passes or what hangs is answered."""
        await until(lambda: self.is_quiet() and self._is_idle())

    async def pass_time(self, duration: timedelta) -> None:
        """Let time pass, each thing that becomes due at its own time, and all that follows before the next."""
        end = self.clock.now() + duration
        await self.settle()
        for _ in range(MOST_WAKINGS):
            due = self.clock.next_due()
            if due is None or due > end:
                self.clock.advance(end - self.clock.now())
                return await self.settle()
            self.clock.advance(max(due - self.clock.now(), 0 * S))
            await self.settle()
        raise AssertionError("something wakes up again and again while nothing happens")

    # What has come of it

    async def log(self) -> dict[str, Logged]:
        """Return what became of each message, by its name."""
        deliveries = sa.select(delivery, message.c.dev_eui, message.c.f_cnt).join(
            message, message.c.id == delivery.c.message_id
        )
        attempts = sa.select(attempt).order_by(attempt.c.delivery_id, attempt.c.number)
        rows, tries = await self.database.read(
            lambda sql: (sql.execute(deliveries).all(), sql.execute(attempts).all())
        )
        return {
            f"{row.dev_eui[-1]}{row.f_cnt}": Logged(
                row.outcome,
                tuple(
                    (each.trigger, each.status or each.cause) for each in tries if each.delivery_id == row.id
                ),
                row.resends,
                row.reason,
            )
            for row in sorted(rows, key=lambda row: row.position)
        }

    async def outcomes(self) -> dict[str, str]:
        return {name: logged.outcome for name, logged in (await self.log()).items()}

    async def state(self, connection_id: int) -> State:
        """Return the state as it is on disk."""
        state = await self.states.load(connection_id)
        assert state is not None
        return state

    async def status(self, connection_id: int) -> Status:
        return (await self.state(connection_id)).status

    def _is_idle(self) -> bool:
        sends = sum(len(lane._sends) for lane in self.lanes.values())
        lanes_wait = all(_waits(lane) for lane in self.lanes.values())
        return lanes_wait and sends == self.hanging() and not self.database._waiting

    def message(self, connection_id: int, name: str, members: Mapping[str, str] | None = None) -> Put:
        """Return a message to put: `A1` is the first of device A."""
        dev_eui = DevEui(f"70B3D5E75E00000{name[0]}")
        uplink = {"DevEUI": dev_eui, "FCntUp": int(name[1:]), **(members or {})}
        sent = Message(
            network_server_id="ns",
            root="DevEUI_uplink",
            dev_eui=dev_eui,
            order_key=dev_eui,
            f_cnt=int(name[1:]),
            body=msgspec.json.encode({"DevEUI_uplink": uplink}),
            fingerprint=fingerprint(str(next(self._numbers))),
            received_at=self.clock.now(),
            aged_from=self.clock.now(),
        )
        return Put(sent, (connection_id,))


def document(url: str, *, active: bool = True, **configuration: Any) -> dict[str, Any]:
    """Return the body of a POST or PUT."""
    return {
        "connectorId": "actility-http-iot",
        "active": active,
        "configuration": {"destinationURL": url, **configuration},
    }


def _waits(lane: Lane) -> bool:
    """Return whether a lane has nothing to do: its loop waits, its probe has ended."""
    is_waiting = bool(lane._changed._waiters) and not lane._changed.is_set()
    return is_waiting and not lane._happened and (lane._probe is None or lane._probe.done())


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 (what is waited for is other tasks' inner life: no event tells)
            await asyncio.sleep(0.001)
