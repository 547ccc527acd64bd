"""A running supervisor, as the tests drive it."""

import asyncio
from collections.abc import Mapping
from typing import Any

from tests.engine.stage import Stage, document

from longwire.core.configuration import Connection
from longwire.engine.supervisor import Supervisor
from longwire.storage.edit import replaced_by


class Supervised:
    """A running supervisor; its lanes are those the stage waits for."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.supervisor: Supervisor = stage.supervisor()
        self._task: asyncio.Task[None] | None = None
        stage.is_quiet = self._show_lanes

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self.supervisor.run())

    async def stop(self) -> None:
        if self._task is not None:
            self.supervisor.stop()
            await self._task
            self._task = None

    async def update(self, connection_id: int, url: str, **configuration: Any) -> None:
        async def check(_: Connection) -> None:
            pass

        edit = replaced_by(document(url, **configuration))
        await self.stage.configurations.replace(connection_id, edit, check)

    def _show_lanes(self) -> bool:
        """Show the stage the lanes that run; return whether nobody is about to start or end one."""
        seats: Mapping[int, Any] = self.supervisor._seats
        self.stage.lanes = {i: seat.lane for i, seat in seats.items() if seat.lane is not None}
        is_waiting = bool(self.supervisor._changed._waiters) and not self.supervisor._changed.is_set()
        is_even = self.supervisor._tasks.keys() == seats.keys() == self.stage.lanes.keys()
        return is_waiting and is_even and not self.stage.database._waiting
