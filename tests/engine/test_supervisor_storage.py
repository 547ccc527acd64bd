"""The supervisor while the store fails: no command is forgotten."""

from typing import Any

import pytest
from tests.engine.scripted_server import ScriptedServer
from tests.engine.stage import S, Stage, until
from tests.engine.supervised import Supervised

from longwire.core.connection_state import Status
from longwire.core.errors import StorageUnavailable
from longwire.engine import lane as lane_module
from longwire.engine import supervisor as supervisor_module
from longwire.storage.settling import settle_batch

DISK_FULL = StorageUnavailable("the store cannot write: disk full")


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> list[Any]:
    """Let the next call of a method fail as on a full disk; return a list that is filled when it has."""
    real = getattr(owner, name)
    failures: list[Any] = []

    async def flaky(*arguments: Any) -> Any:
        if not failures:
            failures.append(arguments)
            raise DISK_FULL
        return await real(*arguments)

    monkeypatch.setattr(owner, name, flaky)
    return failures


async def test_a_command_whose_configuration_could_not_be_read_is_not_forgotten(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.close()
    connection = await stage.connect(server.url, reconnectStrategy="CALM")
    await stage.put(connection, "A1")
    supervised.start()
    await stage.pass_time(36 * 3600 * S)
    await server.open()
    failures = fail_once(monkeypatch, stage.configurations, "load")
    await stage.configurations.restart(connection)
    await until(lambda: bool(failures) and stage.clock.next_due() is not None)
    stage.clock.advance(1 * S)
    await stage.settle()

    assert server.names == ["A1"]


@pytest.mark.parametrize("command", ["restart", "update", "none"])
async def test_a_command_recorded_as_longwire_ends_is_carried_out_by_the_next_start(
    stage: Stage, server: ScriptedServer, supervised: Supervised, command: str
) -> None:
    await server.close()
    connection = await stage.connect(server.url, reconnectStrategy="CALM")
    await stage.put(connection, "A1")
    supervised.start()
    await stage.pass_time(3600 * S)
    await server.open()
    await supervised.stop()
    if command == "restart":
        await stage.configurations.restart(connection)
    elif command == "update":
        await supervised.update(connection, server.url, reconnectStrategy="CALM")

    successor = Supervised(stage)
    successor.start()
    await stage.settle()
    assert server.names == ([] if command == "none" else ["A1"])
    await successor.stop()


async def test_what_the_store_never_takes_does_not_keep_longwire_from_ending(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "GRACE", 0.01 * S)
    monkeypatch.setattr(supervisor_module, "LAST_PAUSE", 0 * S)
    monkeypatch.setattr(lane_module, "GRACE", 0.01 * S)
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    submit = stage.database.submit

    def refuse_settlements(handler: Any, *arguments: Any, **options: Any) -> Any:
        if handler is settle_batch:
            raise DISK_FULL
        return submit(handler, *arguments, **options)

    monkeypatch.setattr(stage.database, "submit", refuse_settlements)
    supervised.start()
    await until(lambda: server.names == ["A1"] and stage.clock.next_due() is not None)
    await supervised.stop()

    assert not stage.queue.is_settled  # so the next start marks what may have been sent
    assert (await stage.log())["A1"].attempts == ()


async def test_a_connection_deactivated_while_the_store_cannot_write_is_shown_so_later(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url)
    supervised.start()
    await stage.settle()
    failures = fail_once(monkeypatch, stage.states, "save")
    await supervised.update(connection, server.url, active=False)
    await until(lambda: bool(failures) and stage.clock.next_due() is not None)
    stage.clock.advance(1 * S)
    await stage.settle()

    assert await stage.status(connection) is Status.DEACTIVATED
    assert server.connected == 1


async def test_a_connection_deactivated_before_its_state_could_be_saved_is_shown_so_later(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    save = stage.states.save
    tries: list[Any] = []

    async def fail_three_times(*arguments: Any) -> None:
        tries.append(arguments)
        if len(tries) <= 3:
            raise DISK_FULL
        await save(*arguments)

    monkeypatch.setattr(stage.states, "save", fail_three_times)
    supervised.start()
    await until(lambda: len(tries) == 1 and stage.clock.next_due() is not None)
    await supervised.update(connection, server.url, active=False)
    await until(lambda: not supervised.supervisor._seats)
    while supervised.supervisor._tasks:
        await until(lambda: stage.clock.next_due() is not None or not supervised.supervisor._tasks)
        stage.clock.advance(1 * S)
    await stage.settle()

    assert await stage.status(connection) is Status.DEACTIVATED
    assert await stage.outcomes() == {"A1": "QUEUED"}
    assert server.names == []
