"""What a lane sends next, and how much at once: the oldest of each device, within `maxInFlight`."""

from datetime import timedelta

import pytest
from tests.engine.scripted_server import Reaction, ScriptedServer
from tests.engine.stage import T0, S, Stage

from longwire.core.connection_state import Status


@pytest.mark.parametrize("max_in_flight", [1, 3, 16])
async def test_at_most_max_in_flight_one_per_device_oldest_first(
    stage: Stage, server: ScriptedServer, max_in_flight: int
) -> None:
    server.script = lambda _: Reaction.HANG
    connection = await stage.connect(server.url, maxInFlight=max_in_flight)
    await stage.put(connection, "A1", "A2", "B1", "C1", "B2", "D1", "E1")
    await stage.run_lane(connection)
    await stage.settle()

    assert sorted(server.names) == ["A1", "B1", "C1", "D1", "E1"][:max_in_flight]


async def test_a_device_that_floods_holds_no_other_up(stage: Stage, server: ScriptedServer) -> None:
    server.script = lambda request: Reaction.HANG if request.name[0] == "A" else 200
    connection = await stage.connect(server.url, maxInFlight=2)
    await stage.put(connection, *(f"A{n}" for n in range(1, 1001)), "B1", "C1")
    await stage.run_lane(connection)
    await stage.settle()

    assert sorted(server.names) == ["A1", "B1", "C1"]


async def test_a_slow_pace_wakes_nobody_while_the_connection_is_closed(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.CLOSE
    connection = await stage.connect(server.url, maxRequestsPerSecond=0.5, blamePeriod=0)
    await stage.put(connection, "A1", "B1", "C1")
    await stage.run_lane(connection)
    await stage.pass_time(60 * S)

    assert await stage.status(connection) is Status.CLOSED
    assert stage.clock.next_due() == T0 + timedelta(minutes=5)
