"""The queue in SQL tables as the contract suite drives it: opened, with its connections, and a view on its log."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from longwire.core.configuration import parse_connection
from longwire.core.connection_state import State, Status
from longwire.core.delivery import Outcome
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.lane_states import LaneStates
from longwire.storage.purge import Retention, purge
from longwire.storage.queue_sql import Queue
from longwire.storage.recovery import begin_run, end_run
from longwire.storage.schema import attempt, delivery, message
from longwire.storage.secrets import Sealer

FILE = "longwire.db"
Now = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Logged:
    """A delivery as the log has it; `attempts` holds number and trigger of each attempt."""

    connection_id: int | None
    order_key: str
    position: int
    outcome: Outcome
    attempt_count: int
    attempts: tuple[tuple[int, str], ...]
    body: bytes


class SqlQueue:
    """An opened queue; `marked` is how many messages its recovery marked, None after a clean end."""

    def __init__(self, folder: Path, now: Now) -> None:
        self.folder = folder
        self.now = now
        self.database = Database(folder / FILE)
        self.queue = Queue(self.database, "store")
        self.configurations = Configurations(self.database, Sealer("secret"), now)
        self.marked: int | None = None

    async def open(self) -> "SqlQueue":
        self.database.start()
        await self.queue.open()
        self.marked = await begin_run(self.database, self.now())
        return self

    async def end(self) -> None:
        """End as a program does that was told to."""
        await end_run(self.database)
        await self.database.close()

    async def kill(self, successor: Path) -> None:
        """Leave in the successor's folder what a `kill -9` right now would leave on disk, then let go."""
        for file in (FILE, f"{FILE}-wal"):
            shutil.copy(self.folder / file, successor / file)
        await self.database.close()

    async def add_connection(self, max_in_flight: int, *, opened: bool) -> int:
        configuration = {"destinationURL": "http://sink/", "maxInFlight": max_in_flight}
        body = {"connectorId": "actility-http-iot", "configuration": configuration}
        connection_id = await self.configurations.create(parse_connection(body))
        state = State(Status.OPENED if opened else Status.CLOSED, self.now())
        await LaneStates(self.database).save(connection_id, state)
        return connection_id

    async def delete_connection(self, connection_id: int) -> None:
        await self.configurations.delete(connection_id, keep_backlog=False)

    async def purge(self) -> None:
        await purge(self.database, Retention(), self.now())

    async def log(self) -> dict[int, Logged]:
        """Return every delivery in the log by its id."""
        deliveries = sa.select(delivery, message.c.body).join(message, message.c.id == delivery.c.message_id)
        attempts = sa.select(attempt.c.delivery_id, attempt.c.number, attempt.c.trigger).order_by(
            attempt.c.delivery_id, attempt.c.number
        )
        rows, tries = await self.database.read(
            lambda sql: (sql.execute(deliveries).all(), sql.execute(attempts).all())
        )
        return {
            row.id: Logged(
                row.connection_id,
                row.order_key,
                row.position,
                Outcome(row.outcome),
                row.attempt_count,
                tuple((each.number, each.trigger) for each in tries if each.delivery_id == row.id),
                row.body,
            )
            for row in rows
        }
