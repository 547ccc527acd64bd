"""The supervisor: it keeps the running lanes equal to the configuration, whatever happens to any one of them."""

from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.engine.scripted_server import Reaction, Received, ScriptedServer
from tests.engine.stage import T0, S, Stage, until
from tests.engine.supervised import Supervised

from longwire import log
from longwire.core.connection_state import Status
from longwire.core.errors import StorageUnavailable
from longwire.core.event import Kind
from longwire.engine import lane as lane_module

DISK_FULL = StorageUnavailable("the store cannot write: disk full")


async def test_it_runs_a_lane_for_each_active_connection(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    active, inactive = await stage.connect(server.url), await stage.connect(server.url)
    await supervised.update(inactive, server.url, active=False)
    await stage.put(active, "A1")
    await stage.put(inactive, "B1")
    supervised.start()
    await stage.settle()

    assert server.names == ["A1"]
    assert await stage.outcomes() == {"A1": "DELIVERED", "B1": "QUEUED"}


async def test_a_connection_created_while_it_runs_is_opened(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    supervised.start()
    await stage.settle()
    connection = await stage.connect(server.url)
    await stage.settle()

    assert await stage.status(connection) is Status.OPENED


async def test_after_an_update_what_waits_goes_to_the_new_target_with_the_new_headers(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    server.script = lambda request: Reaction.HANG if request.path == "/in" else 200
    connection = await stage.connect(server.url, headers={"X-Site": "Paris"}, maxInFlight=2)
    await stage.put(connection, "A1", "B1", "A2", "B2", "C1", "A3")
    supervised.start()
    await stage.settle()
    assert [each.path for each in server.requests] == ["/in", "/in"]

    await supervised.update(connection, server.url.replace("/in", "/new"), headers={"X-Site": "Rome"})
    await until(lambda: supervised.supervisor._seats[connection].lane is None)
    server.release()
    await stage.settle()

    old, new = server.requests[:2], server.requests[2:]
    assert {(each.path, each.headers["x-site"]) for each in old} == {("/in", "Paris")}
    assert {(each.path, each.headers["x-site"]) for each in new} == {("/new", "Rome")}
    assert [each.name for each in new if each.name[0] == "A"] == ["A2", "A3"]
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}


async def test_an_update_takes_what_hangs_along(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_module, "GRACE", 0.05 * S)
    server.script = lambda request: Reaction.HANG if request.path == "/in" else 200
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    supervised.start()
    await stage.settle()
    await supervised.update(connection, server.url.replace("/in", "/new"))
    await until(lambda: server.hanging == 0)
    await stage.settle()

    assert [(each.path, each.name, each.attempt) for each in server.requests] == [
        ("/in", "A1", 1),
        ("/new", "A1", 2),
        ("/new", "A2", 1),
    ]
    assert (await stage.log())["A1"].attempts == (("first", "stopped"), ("reconnect", 200))


async def test_a_deactivated_connection_keeps_its_messages_until_it_is_activated(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    connection = await stage.connect(server.url)
    supervised.start()
    await stage.settle()
    await supervised.update(connection, server.url, active=False)
    await stage.settle()
    assert await stage.status(connection) is Status.DEACTIVATED
    await stage.put(connection, "A1")
    await stage.pass_time(3600 * S)
    assert server.names == []

    await supervised.update(connection, server.url)
    await stage.settle()
    assert server.names == ["A1"]


async def test_a_deleted_connection_is_sent_nothing_any_more(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    supervised.start()
    await stage.settle()
    await stage.configurations.delete(connection, None, keep_backlog=False)
    await stage.settle()
    await server.open()
    await stage.pass_time(3600 * S)

    assert server.connected == 0
    assert await stage.states.load(connection) is None
    assert await stage.outcomes() == {"A1": "DISCARDED"}


@pytest.mark.parametrize("command", ["restart", "update"])
async def test_a_command_reconnects_at_once(
    stage: Stage, server: ScriptedServer, supervised: Supervised, command: str
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    supervised.start()
    await stage.pass_time(20 * S)
    await server.open()
    if command == "restart":
        await stage.configurations.restart(connection)
    else:
        await supervised.update(connection, server.url)
    await stage.settle()

    assert server.names == ["A1"]


async def test_a_restart_of_longwire_does_not_move_the_schedule(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    supervised.start()
    await stage.pass_time(20 * S)
    closed = await stage.state(connection)
    await supervised.stop()

    successor = Supervised(stage)
    successor.start()
    await stage.pass_time(5 * S)
    assert await stage.state(connection) == closed
    assert closed.retry_at == T0 + 30 * S
    await successor.stop()


async def test_a_lane_that_crashed_is_run_again_and_its_sisters_go_on(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = await stage.connect(server.url), await stage.connect(server.url)
    await stage.put(bad, "A1")
    await stage.put(good, "B1")
    read_ahead = stage.queue.read_ahead
    crashes: list[int] = []

    async def crash_once(connection_id: int, read: Any) -> Any:
        if connection_id == bad and not crashes:
            crashes.append(bad)
            raise ZeroDivisionError
        return await read_ahead(connection_id, read)

    monkeypatch.setattr(stage.queue, "read_ahead", crash_once)
    with capture_logs() as events:
        supervised.start()
        await until(lambda: server.names == ["B1"] and stage.clock.next_due() is not None)
    assert [each["connection"] for each in events if each["event"] == log.LANE_RUN_CRASHED] == [bad]

    stage.clock.advance(1 * S)
    await stage.settle()

    assert sorted(server.names) == ["A1", "B1"]
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}
    assert [(each.kind, each.connection_id, each.cause) for each in stage.events] == [
        (Kind.CONNECTION_CRASHED, bad, "ZeroDivisionError")
    ]


async def test_a_command_that_could_not_be_recorded_is_not_forgotten(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.close()
    connection = await stage.connect(server.url, reconnectStrategy="CALM")
    await stage.put(connection, "A1")
    supervised.start()
    await stage.pass_time(36 * 3600 * S)
    assert (await stage.state(connection)).retry_at is None
    await server.open()
    save = stage.states.save
    failures: list[Any] = []

    async def fail_twice(*arguments: Any) -> None:
        if len(failures) < 2:
            failures.append(arguments)
            raise DISK_FULL
        await save(*arguments)

    monkeypatch.setattr(stage.states, "save", fail_twice)
    await supervised.update(connection, server.url, reconnectStrategy="CALM")
    for attempts in (1, 2):
        await until(lambda: len(failures) == attempts and stage.clock.next_due() is not None)  # noqa: B023
        stage.clock.advance(1 * S)
    await stage.settle()

    assert server.names == ["A1"]


async def test_a_configuration_that_cannot_be_read_is_read_again(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    active_runs = stage.configurations.active_runs
    failures: list[int] = []

    async def fail_once(connection_ids: Any) -> Any:
        if not failures:
            failures.append(1)
            raise DISK_FULL
        return await active_runs(connection_ids)

    monkeypatch.setattr(stage.configurations, "active_runs", fail_once)
    supervised.start()
    await until(lambda: stage.clock.next_due() is not None)
    stage.clock.advance(1 * S)
    await stage.settle()

    assert server.names == ["A1"]


async def test_of_many_connections_only_those_that_changed_are_looked_at(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.connect(server.url)
    supervised.start()
    await stage.settle()
    active_runs = stage.configurations.active_runs
    asked: list[Any] = []

    async def fail_once(connection_ids: Any) -> Any:
        asked.append(connection_ids)
        if len(asked) == 1:
            raise DISK_FULL
        return await active_runs(connection_ids)

    monkeypatch.setattr(stage.configurations, "active_runs", fail_once)
    second = await stage.connect(server.url)
    await stage.put(second, "B1")
    await until(lambda: stage.clock.next_due() is not None)
    stage.clock.advance(1 * S)
    await stage.settle()

    assert server.names == ["B1"]
    assert asked == [{second}, {second}]


async def test_it_stops_when_every_lane_has_ended(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    def hang(_: Received) -> Reaction:
        return Reaction.HANG

    server.script = hang
    connections = [await stage.connect(server.url) for _ in range(3)]
    for connection in connections:
        await stage.put(connection, "A1")
    supervised.start()
    await stage.settle()
    supervised.supervisor.stop()
    await until(
        lambda: all(seat.lane._stopping for seat in supervised.supervisor._seats.values() if seat.lane)
    )
    assert supervised.supervisor._tasks
    server.release()
    await supervised.stop()

    assert not supervised.supervisor._tasks
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}


async def test_a_command_changes_no_state_until_the_worker_carries_it_out(
    stage: Stage, server: ScriptedServer, supervised: Supervised
) -> None:
    connection = await stage.connect(server.url)
    supervised.start()
    await stage.settle()
    await supervised.stop()
    before = await stage.state(connection)

    await supervised.update(connection, server.url, active=False)
    assert await stage.state(connection) == before

    await supervised.update(connection, server.url)
    stage.clock.advance(1 * S)
    supervised.supervisor = stage.supervisor()
    supervised.start()
    await stage.settle()
    after = await stage.state(connection)
    assert (before.status, after.status, after.since - before.since) == (Status.OPENED, Status.OPENED, 1 * S)
