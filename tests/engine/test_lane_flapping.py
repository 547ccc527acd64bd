"""What the operator is told of a destination that flaps: at most one pair of closed and opened a minute."""

from datetime import datetime, timedelta

from tests.engine.scripted_server import Reaction, Received, ScriptedServer
from tests.engine.stage import T0, S, Stage

from longwire.core.connection_state import Status
from longwire.core.event import Kind

MINUTE = timedelta(minutes=1)


def refuse_twice(request: Received) -> int | Reaction:
    return 200 if request.attempt > 2 else Reaction.CLOSE


def times_of(stage: Stage, kind: Kind) -> list[datetime]:
    return [each.at for each in stage.events if each.kind is kind]


async def flap(stage: Stage, connection: int, seconds: int) -> None:
    """Put a message every second."""
    for _ in range(seconds):
        number = int((stage.clock.now() - T0) / S) + 1
        await stage.put(connection, f"A{number}")
        await stage.pass_time(1 * S)


async def test_a_destination_that_flaps_is_told_once_a_minute(stage: Stage, server: ScriptedServer) -> None:
    server.script = refuse_twice
    connection = await stage.connect(server.url)
    await stage.run_lane(connection)
    await flap(stage, connection, 125)

    closed, opened = (times_of(stage, kind) for kind in (Kind.CONNECTION_CLOSING, Kind.CONNECTION_OPENED))
    assert len(server.requests) > 300
    assert [at - T0 for at in closed] == [0 * S, 60 * S, 120 * S]
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
    stage.events.clear()
    await stage.pass_time(2 * MINUTE)

    (event,) = stage.events
    assert "times more since it was last told" in event.cause
    assert await stage.status(connection) is Status.CLOSED
