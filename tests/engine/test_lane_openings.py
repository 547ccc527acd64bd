"""When a lane opens its connection again, and what the operator is told."""

from datetime import timedelta

from tests.engine.scripted_server import Reaction, ScriptedServer
from tests.engine.stage import T0, S, Stage

from longwire.core.connection_state import Event, Status
from longwire.core.event import Kind

H = timedelta(hours=1)


async def test_aggressive_restarts_an_open_connection_that_saw_no_uplink_for_an_hour(
    stage: Stage, server: ScriptedServer
) -> None:
    connection = await stage.connect(server.url, reconnectStrategy="AGGRESSIVE")
    await stage.run_lane(connection)
    await stage.pass_time(H / 2)
    await stage.put(connection, "A1")
    await stage.pass_time(H - 1 * S)
    assert (await stage.state(connection)).since == T0
    await stage.pass_time(1 * S)
    assert (await stage.state(connection)).since == T0 + 1.5 * H
    assert await stage.status(connection) is Status.OPENED

    await stage.pass_time(2 * H)
    assert (await stage.state(connection)).since == T0 + 3.5 * H


async def test_aggressive_does_not_restart_while_a_message_is_in_flight(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.HANG
    connection = await stage.connect(server.url, reconnectStrategy="AGGRESSIVE")
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(2 * H)
    assert (await stage.state(connection)).since == T0
    assert stage.clock.next_due() is None

    server.release()
    await stage.settle()

    assert (await stage.state(connection)).since == T0 + 2 * H
    assert await stage.status(connection) is Status.OPENED
    assert await stage.outcomes() == {"A1": "DELIVERED"}


async def test_after_refused_credentials_a_try_waits_until_what_is_in_flight_has_ended(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda request: 407 if request.name == "A1" else Reaction.HANG
    proxy = {"hostname": f"http://127.0.0.1:{server.port}", "username": "u", "password": "p"}
    connection = await stage.connect("http://destination.example/in", proxy=proxy)
    await stage.put(connection, "A1", "B1", "C1")
    await stage.run_lane(connection)
    await stage.settle()
    assert await stage.status(connection) is Status.AUTHENTICATION_FAILED
    await stage.pass_time(10 * S)
    assert await stage.status(connection) is Status.AUTHENTICATION_FAILED
    assert (server.hanging, stage.clock.next_due()) == (2, None)

    server.script = lambda _: 200
    server.release()
    await stage.settle()

    assert await stage.status(connection) is Status.OPENED
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}


async def test_one_event_when_it_closes_and_one_when_it_is_open_again_with_a_restart_between(
    stage: Stage, server: ScriptedServer
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(20 * S)
    await stage.stop_lane(connection)
    await stage.run_lane(connection, Event.RESUME)
    await server.open()
    await stage.pass_time(20 * S)

    assert [each.kind for each in stage.events] == [Kind.CONNECTION_CLOSING, Kind.CONNECTION_OPENED]


async def test_a_connection_that_is_well_tells_nothing_when_it_starts(
    stage: Stage, server: ScriptedServer
) -> None:
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    for begin in (Event.CONNECT, Event.RESUME, Event.CONNECT):
        await stage.run_lane(connection, begin)
        await stage.settle()
        await stage.stop_lane(connection)

    assert stage.events == []
