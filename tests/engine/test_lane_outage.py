"""A lane and a destination that does not answer: closed, nothing lost, reopened by the schedule, order kept."""

from datetime import timedelta

from tests.engine.scripted_server import Reaction, Received, ScriptedServer
from tests.engine.stage import T0, S, Stage, until

from longwire.core.connection_state import Event, Status

SHORT = timedelta(seconds=0.15)


async def test_what_cannot_be_reached_is_closed_and_the_schedule_opens_it_again(
    stage: Stage, server: ScriptedServer
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "B1", "A2", "B2", "A3")
    await stage.run_lane(connection)
    await stage.settle()
    assert await stage.status(connection) is Status.CLOSED
    await stage.pass_time(2 * S)
    assert {each.attempts for each in (await stage.log()).values()} == {()}

    await server.open()
    await stage.pass_time(0.9 * S)
    assert server.names == []
    await stage.pass_time(0.1 * S)  # 3 s after the closing

    assert await stage.status(connection) is Status.OPENED
    assert [name for name in server.names if name[0] == "A"] == ["A1", "A2", "A3"]
    assert [name for name in server.names if name[0] == "B"] == ["B1", "B2"]
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}


async def test_a_message_without_an_answer_keeps_its_place_and_its_id(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.CLOSE if len(server.requests) == 1 else 200
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    await stage.run_lane(connection)
    await stage.settle()
    assert await stage.status(connection) is Status.CLOSED
    assert (await stage.log())["A1"].attempts == (("first", "reset"),)

    await stage.pass_time(1 * S)

    assert server.names == ["A1", "A1", "A2"]
    first, again, _ = server.requests
    assert (first.attempt, again.attempt) == (1, 2)
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    assert (await stage.log())["A1"].attempts == (("first", "reset"), ("reconnect", 200))


async def test_a_destination_that_accepts_and_hangs_stays_in_its_schedule_one_message_at_a_time(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.HANG
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "B1", "C1", "D1", "A2")
    lane = await stage.run_lane(connection, patience=SHORT)
    await stage.settle()
    assert sorted(server.names) == ["A1", "B1", "C1", "D1"]  # it had been well so far
    await until(lambda: lane._state.status is Status.CLOSED)

    tries = []
    for _ in range(4):
        tries.append(((await stage.state(connection)).retry_at or T0) - T0)
        server.requests.clear()
        await stage.pass_time(tries[-1] - (stage.clock.now() - T0))
        assert server.names == ["A1"]
        assert lane._state.on_trial
        await until(lambda: lane._state.status is Status.CLOSED)
    assert tries == [1 * S, 3 * S, 7 * S, 15 * S]

    server.script = lambda _: 200
    await stage.pass_time(15 * S)
    assert (await stage.state(connection)).outage is None
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}


async def test_after_an_outage_the_backlog_ramps_up(stage: Stage, server: ScriptedServer) -> None:
    widths: list[int] = []

    def answer(_: Received) -> int | Reaction:
        widths.append(server.hanging + 1)
        return Reaction.HANG

    await server.close()
    connection = await stage.connect(server.url, maxInFlight=4)
    await stage.put(connection, *(f"{device}{n}" for n in range(1, 4) for device in "ABCDEF"))
    await stage.run_lane(connection)
    await stage.settle()
    await server.open()
    server.script = answer
    await stage.pass_time(1 * S)

    for widest in (1, 2, 4, 4):
        await stage.settle()
        assert server.hanging == widest
        server.release()
    await stage.settle()
    while server.hanging:
        server.release()
        await stage.settle()
    assert max(widths) == 4
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}


async def test_a_restart_of_longwire_does_not_move_the_schedule(stage: Stage, server: ScriptedServer) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(20 * S)
    closed = await stage.state(connection)
    assert closed.retry_at == T0 + 30 * S

    await server.open()
    await stage.stop_lane(connection)
    await stage.run_lane(connection, Event.RESUME)
    await stage.pass_time(9 * S)
    assert await stage.state(connection) == closed
    assert server.connected == 0
    await stage.pass_time(1 * S)

    assert server.names == ["A1"]


async def test_a_command_reconnects_at_once(stage: Stage, server: ScriptedServer) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(20 * S)

    await server.open()
    await stage.stop_lane(connection)
    await stage.run_lane(connection, Event.CONNECT)
    await stage.settle()

    assert server.names == ["A1"]
    assert await stage.status(connection) is Status.OPENED


async def test_calm_gives_up_until_a_command(stage: Stage, server: ScriptedServer) -> None:
    await server.close()
    connection = await stage.connect(server.url, reconnectStrategy="CALM")
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.pass_time(timedelta(hours=36))
    await server.open()
    await stage.pass_time(timedelta(days=30))
    assert (await stage.state(connection)).retry_at is None
    assert server.connected == 0

    await stage.stop_lane(connection)
    await stage.run_lane(connection, Event.CONNECT)
    await stage.settle()

    assert await stage.outcomes() == {"A1": "DELIVERED"}


async def test_messages_that_arrive_while_it_is_closed_wait_in_order(
    stage: Stage, server: ScriptedServer
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.run_lane(connection)
    for number in range(1, 6):
        await stage.put(connection, f"A{number}", f"B{number}")
        await stage.pass_time(1 * S)
    assert await stage.status(connection) is Status.CLOSED
    await server.open()
    await stage.pass_time(10 * S)

    for device in "AB":
        assert [n for n in server.names if n[0] == device] == [f"{device}{n}" for n in range(1, 6)]


async def test_a_resend_that_comes_due_while_it_is_closed_wakes_nobody(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda request: 503 if request.name == "A1" else Reaction.CLOSE
    connection = await stage.connect(server.url, strictMode=True, blamePeriod=0)
    await stage.put(connection, "A1", "B1")
    await stage.run_lane(connection)
    await stage.settle()
    assert await stage.status(connection) is Status.CLOSED

    await stage.pass_time(3 * S)

    assert stage.clock.next_due() == T0 + timedelta(minutes=5)


async def test_with_the_action_close_a_refused_message_closes_and_stays_first(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda request: 200 if request.attempt == 3 else 503
    connection = await stage.connect(server.url, strictMode=True, strictModeAction="CLOSE")
    await stage.put(connection, "A1", "A2")
    await stage.run_lane(connection)
    await stage.settle()
    assert await stage.status(connection) is Status.CLOSED
    assert "503" in (await stage.state(connection)).reason
    server.script = lambda request: 503 if request.attempt == 2 and request.name == "A1" else 200
    await stage.pass_time(3 * S)

    assert server.names == ["A1", "A1", "A1", "A2"]
    assert await stage.outcomes() == {"A1": "DELIVERED", "A2": "DELIVERED"}
    assert (await stage.log())["A1"].resends == 0
