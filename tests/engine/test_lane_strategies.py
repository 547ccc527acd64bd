"""Every strategy through a lane: the destination counts the visits, and Longwire is restarted again and again."""

from datetime import timedelta

import pytest
from tests.engine.scripted_server import ScriptedServer
from tests.engine.stage import T0, S, Stage

from longwire.core.connection_state import Event, Status
from longwire.core.event import Kind

M = timedelta(minutes=1)
H = timedelta(hours=1)
WATCHED = 4 * H
FAST = [second * S for second in (1, 3, 7, 15, 30)]


def every(step: timedelta, *, begin: timedelta = 0 * S, until: timedelta) -> list[timedelta]:
    return [begin + number * step for number in range(1, (until - begin) // step + 1)]


EXPECTED = {
    "CALM": [*FAST, *every(10 * M, until=WATCHED)],
    "NORMAL": [*FAST, *every(5 * M, until=H), *every(H, begin=H, until=WATCHED)],
    "AGGRESSIVE": [*FAST, *every(3 * M, until=3 * H), *every(30 * M, begin=3 * H, until=WATCHED)],
    "EXPONENTIAL": [
        *(second * S for second in (1, 3, 7, 15, 31, 63, 127, 255, 511)),
        *every(5 * M, begin=511 * S, until=WATCHED),
    ],
}


async def watch(stage: Stage, connection: int, *, restart_after: int) -> None:
    """Let the first hours pass, and restart Longwire after every so many tries."""
    tries = 0
    while (due := stage.clock.next_due()) is not None and due <= T0 + WATCHED:
        await stage.pass_time(due - stage.clock.now())
        tries += 1
        if tries % restart_after == 0:
            await stage.stop_lane(connection)
            stage.clock.advance(0.5 * S)
            await stage.run_lane(connection, Event.RESUME)
            await stage.settle()


@pytest.mark.parametrize("strategy", list(EXPECTED))
async def test_the_first_hours_of_an_outage_with_restarts_in_between(
    stage: Stage, server: ScriptedServer, strategy: str
) -> None:
    server.hangs_up = True
    connection = await stage.connect(server.url.replace("http:", "https:"), reconnectStrategy=strategy)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.settle()
    await watch(stage, connection, restart_after=4)

    assert [at - T0 for at in server.visits] == [0 * S, *EXPECTED[strategy]]
    assert await stage.outcomes() == {"A1": "QUEUED"}


@pytest.mark.parametrize(("blame_period", "fast"), [(0, []), (7, FAST[:3]), (86400, FAST)])
async def test_the_fast_phase_goes_as_far_as_the_blame_period(
    stage: Stage, server: ScriptedServer, blame_period: int, fast: list[timedelta]
) -> None:
    server.hangs_up = True
    connection = await stage.connect(server.url.replace("http:", "https:"), blamePeriod=blame_period)
    await stage.run_lane(connection)
    await stage.pass_time(5 * M)

    assert [at - T0 for at in server.visits] == [0 * S, *fast, 5 * M]


async def test_a_try_that_fell_due_while_longwire_was_down_is_made_at_once(
    stage: Stage, server: ScriptedServer
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.settle()
    await stage.stop_lane(connection)
    await server.open()
    stage.clock.advance(2 * H)
    await stage.run_lane(connection, Event.RESUME)
    await stage.settle()

    assert server.names == ["A1"]


async def test_a_restart_of_longwire_does_not_wake_what_calm_has_given_up(
    stage: Stage, server: ScriptedServer
) -> None:
    await server.close()
    connection = await stage.connect(server.url, reconnectStrategy="CALM")
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(36 * H)
    assert [each.kind for each in stage.events] == [Kind.CONNECTION_CLOSING, Kind.CONNECTION_GAVE_UP]
    await server.open()
    await stage.stop_lane(connection)
    await stage.run_lane(connection, Event.RESUME)
    await stage.pass_time(36 * H)

    assert (server.connected, await stage.status(connection)) == (0, Status.CLOSED)
    assert stage.clock.next_due() is None
