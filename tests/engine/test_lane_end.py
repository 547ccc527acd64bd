"""How a lane ends: what is in flight may end, what hangs is handed back and recorded, the state is kept."""

from datetime import timedelta

import pytest
from tests.engine.scripted_server import Reaction, ScriptedServer
from tests.engine.stage import T0, S, Stage, until

from longwire.core.connection_state import Event, Status
from longwire.core.delivery import Settlement
from longwire.core.errors import StorageUnavailable
from longwire.engine import lane as lane_module


@pytest.fixture
def grace(monkeypatch: pytest.MonkeyPatch) -> timedelta:
    """A shorter wait for what is in flight: it passes for real."""
    short = timedelta(seconds=0.1)
    monkeypatch.setattr(lane_module, "GRACE", short)
    return short


@pytest.mark.usefixtures("grace")
async def test_a_request_that_hangs_is_handed_back_and_recorded_as_stopped(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.HANG
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "B1", "A2")
    await stage.run_lane(connection)
    await stage.settle()
    assert server.hanging == 2

    await stage.stop_lane(connection)
    stopped = await stage.log()
    assert (stopped["A1"].outcome, stopped["A1"].attempts) == ("QUEUED", (("first", "stopped"),))
    assert (stopped["A2"].outcome, stopped["A2"].attempts) == ("QUEUED", ())
    await until(lambda: server.hanging == 0)
    server.script = lambda _: 200
    server.requests.clear()
    await stage.run_lane(connection)
    await stage.settle()

    assert [(each.name, each.attempt) for each in server.requests if each.name[0] == "A"] == [
        ("A1", 2),
        ("A2", 1),
    ]
    assert (await stage.log())["B1"].attempts == (("first", "stopped"), ("reconnect", 200))


async def test_what_is_in_flight_may_end(stage: Stage, server: ScriptedServer) -> None:
    server.script = lambda _: Reaction.HANG
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    lane = await stage.run_lane(connection)
    await stage.settle()
    lane.stop(deactivate=False)
    server.release()
    await stage.stop_lane(connection)

    log = await stage.log()
    assert (log["A1"].outcome, log["A1"].attempts) == ("DELIVERED", (("first", 200),))
    assert (log["A2"].outcome, log["A2"].attempts) == ("QUEUED", ())
    assert server.names == ["A1"]


async def test_what_a_destination_shows_while_the_lane_ends_counts(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.HANG
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    lane = await stage.run_lane(connection)
    await stage.settle()
    lane.stop(deactivate=False)
    await server.close()
    await stage.stop_lane(connection)

    state = await stage.state(connection)
    assert (state.status, state.retry_at) == (Status.CLOSED, T0 + 1 * S)


@pytest.mark.usefixtures("grace")
async def test_a_request_that_was_stopped_is_no_trouble_of_the_destination(
    stage: Stage, server: ScriptedServer
) -> None:
    server.script = lambda _: Reaction.HANG
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.settle()
    await stage.stop_lane(connection)

    state = await stage.state(connection)
    assert (state.status, state.outage) == (Status.OPENED, None)


@pytest.mark.usefixtures("grace")
async def test_a_record_that_the_store_refuses_is_kept_beyond_the_grace(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle = stage.queue.settle
    refusals: list[Settlement] = []

    async def refuse(settlement: Settlement) -> None:
        refusals.append(settlement)
        raise StorageUnavailable("disk full")

    monkeypatch.setattr(stage.queue, "settle", refuse)
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    lane = await stage.run_lane(connection)
    await until(lambda: bool(refusals))
    grace_is_over: list[bool] = []
    monkeypatch.setattr(lane._sender, "stop", lambda: grace_is_over.append(True))
    lane.stop(deactivate=False)
    await until(lambda: bool(grace_is_over))
    monkeypatch.setattr(stage.queue, "settle", settle)
    stage.clock.advance(1 * S)
    await stage.stop_lane(connection)

    assert (await stage.log())["A1"].attempts == (("first", 200),)


async def test_a_lane_that_stops_while_it_probes_ends_at_once(stage: Stage, server: ScriptedServer) -> None:
    connection = await stage.connect(server.url.replace("http:", "https:"))  # no handshake ever ends
    await stage.run_lane(connection)
    await until(lambda: server.connected == 1)
    await stage.stop_lane(connection)

    assert await stage.status(connection) is Status.OPENING


@pytest.mark.parametrize("is_down", [False, True])
async def test_a_deactivated_connection_is_shown_as_such_and_its_messages_wait(
    stage: Stage, server: ScriptedServer, *, is_down: bool
) -> None:
    if is_down:
        await server.close()
    connection = await stage.connect(server.url)
    await stage.run_lane(connection)
    await stage.settle()
    await stage.stop_lane(connection, deactivate=True)
    await stage.put(connection, "A1")
    await stage.pass_time(3600 * S)
    assert (await stage.state(connection)).status is Status.DEACTIVATED
    assert (await stage.state(connection)).retry_at is None
    assert server.names == []

    if is_down:
        await server.open()
    await stage.run_lane(connection, Event.CONNECT)
    await stage.settle()
    assert server.names == ["A1"]


async def test_a_lane_that_ended_leaves_no_timer(stage: Stage, server: ScriptedServer) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.run_lane(connection)
    await stage.settle()
    assert stage.clock.next_due() == T0 + 1 * S
    await stage.stop_lane(connection)

    assert stage.clock.next_due() is None
