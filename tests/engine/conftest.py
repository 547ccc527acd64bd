"""A stage with a destination, for every test of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.engine.scripted_server import ScriptedServer
from tests.engine.stage import T0, Stage
from tests.engine.supervised import Supervised

from longwire.clock import SimulatedClock


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(T0)


@pytest_asyncio.fixture
async def server(clock: SimulatedClock) -> AsyncIterator[ScriptedServer]:
    """A destination that is open."""
    server = ScriptedServer(clock.now)
    await server.open()
    yield server
    await server.end()


@pytest_asyncio.fixture
async def stage(server: ScriptedServer, clock: SimulatedClock, tmp_path: Path) -> AsyncIterator[Stage]:
    stage = Stage(tmp_path, clock)
    stage.hanging = lambda: server.hanging
    await stage.open()
    yield stage
    server.script = lambda _: 200
    server.release()
    await stage.close()


@pytest_asyncio.fixture
async def supervised(stage: Stage) -> AsyncIterator[Supervised]:
    supervised = Supervised(stage)
    yield supervised
    await supervised.stop()
    stage.lanes.clear()
