"""What the operator is told of a destination that flaps: at most one pair of closed and opened a minute."""

from collections.abc import MutableMapping
from datetime import datetime, timedelta
from typing import Any

from structlog.testing import capture_logs
from tests.engine.scripted_server import Reaction, Received, ScriptedServer
from tests.engine.stage import T0, S, Stage

from longwire import log
from longwire.core.connection_state import Status

MINUTE = timedelta(minutes=1)


def refuse_twice(request: Received) -> int | Reaction:
    return 200 if request.attempt > 2 else Reaction.CLOSE


def told(events: list[MutableMapping[str, Any]]) -> list[MutableMapping[str, Any]]:
    return [event for event in events if event["event"] == log.LANE_STATE_CHANGED]


async def flap(stage: Stage, connection: int, seconds: int) -> dict[str, list[datetime]]:
    """Put a message every second; return when each state was told."""
    times: dict[str, list[datetime]] = {"CLOSING": [], "OPENED": []}
    for _ in range(seconds):
        number = int((stage.clock.now() - T0) / S) + 1
        await stage.put(connection, f"A{number}")
        with capture_logs() as events:
            await stage.pass_time(1 * S)
        for event in told(events):
            times[event["state"]].append(stage.clock.now())
    return times


async def test_a_destination_that_flaps_is_told_once_a_minute(stage: Stage, server: ScriptedServer) -> None:
    server.script = refuse_twice
    connection = await stage.connect(server.url)
    await stage.run_lane(connection)
    times = await flap(stage, connection, 125)

    # What is told in a second is noted at its end.
    closed, opened = times["CLOSING"], times["OPENED"]
    assert len(server.requests) > 300
    assert [at - T0 for at in closed] == [1 * S, 60 * S, 120 * S]
    assert len(opened) <= len(closed)


async def test_a_closing_that_was_kept_back_is_told_with_the_count_when_the_minute_is_over(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = refuse_twice
    connection = await stage.connect(server.url)
    await stage.run_lane(connection)
    await flap(stage, connection, 20)
    await server.close()
    await stage.put(connection, "B1")
    with capture_logs() as events:
        await stage.pass_time(2 * MINUTE)

    (event,) = told(events)
    assert "times more since it was last told" in event["reason"]
    assert await stage.status(connection) is Status.CLOSED
