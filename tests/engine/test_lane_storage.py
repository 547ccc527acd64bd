"""A lane whose store fails, and a lane with a bug: what was sent is recorded, nobody is overtaken, the others go on."""

from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.engine.scripted_server import ScriptedServer
from tests.engine.stage import S, Stage, until

from longwire import log
from longwire.clock import SimulatedClock
from longwire.core.connection_state import Status
from longwire.core.delivery import Settlement
from longwire.core.errors import StorageUnavailable
from longwire.core.request import CannotRender, Prepared, Sending, Target, build_request
from longwire.engine import sender
from longwire.storage.queue_sql import Queue

DISK_FULL = StorageUnavailable("the store cannot write: disk full")


def fail_at_first(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: Exception) -> list[Any]:
    """Let the next call of a method raise; return the list of what it is called with."""
    real = getattr(owner, name)
    calls: list[Any] = []

    async def flaky(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        return await real(*arguments)

    monkeypatch.setattr(owner, name, flaky)
    return calls


def fail_first_delivery_twice(monkeypatch: pytest.MonkeyPatch, queue: Queue) -> list[Settlement]:
    """Let the first two tries to settle the first delivery fail; return the list of all of them."""
    settle = queue.settle
    tries: list[Settlement] = []

    async def flaky(settlement: Settlement) -> None:
        if not tries or settlement.delivery_id == tries[0].delivery_id:
            tries.append(settlement)
            if len(tries) <= 2:
                raise DISK_FULL
        await settle(settlement)

    monkeypatch.setattr(queue, "settle", flaky)
    return tries


async def test_an_outcome_that_cannot_be_recorded_is_kept_and_its_device_waits(
    stage: Stage, server: ScriptedServer, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    tries = fail_first_delivery_twice(monkeypatch, stage.queue)
    await stage.run_lane(connection)
    await until(lambda: clock.next_due() is not None)
    stage.hanging = lambda: 1
    await stage.put(connection, "B1")
    await stage.settle()
    clock.advance(1 * S)
    await until(lambda: len(tries) == 2 and clock.next_due() is not None)
    await stage.settle()
    assert server.names == ["A1", "B1"]
    assert await stage.outcomes() == {"A1": "QUEUED", "A2": "QUEUED", "B1": "DELIVERED"}

    stage.hanging = lambda: 0
    clock.advance(1 * S)
    await stage.settle()

    assert server.names == ["A1", "B1", "A2"]
    assert tries == [tries[0]] * 3
    assert {each.attempts for each in (await stage.log()).values()} == {(("first", 200),)}


async def test_an_outcome_that_cannot_be_recorded_holds_its_slot(
    stage: Stage, server: ScriptedServer, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url, maxInFlight=1)
    await stage.put(connection, "A1", "B1")
    fail_at_first(monkeypatch, stage.queue, "settle", DISK_FULL)
    await stage.run_lane(connection)
    await until(lambda: clock.next_due() is not None)
    stage.hanging = lambda: 1
    await stage.settle()
    assert server.names == ["A1"]

    stage.hanging = lambda: 0
    clock.advance(1 * S)
    await stage.settle()
    assert server.names == ["A1", "B1"]


@pytest.mark.parametrize("method", ["read_ahead", "load_bodies"])
async def test_a_queue_that_cannot_be_read_is_read_again(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2", "B1")
    fail_at_first(monkeypatch, stage.queue, method, DISK_FULL)
    await stage.run_lane(connection)
    await stage.settle()
    assert server.names == []

    await stage.pass_time(1 * S)

    assert [name for name in server.names if name[0] == "A"] == ["A1", "A2"]
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}


async def test_nothing_is_sent_before_the_state_that_allows_it_is_durable(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await server.close()
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1")
    await stage.run_lane(connection)
    await stage.settle()
    await server.open()
    calls = fail_at_first(monkeypatch, stage.states, "save", DISK_FULL)
    await stage.pass_time(1 * S)
    assert [state.status for _, state, _ in calls] == [Status.OPENING]
    assert (server.connected, await stage.status(connection)) == (0, Status.CLOSED)

    await stage.pass_time(1 * S)

    assert server.names == ["A1"]
    assert await stage.status(connection) is Status.OPENED


async def test_a_bug_with_one_message_parks_it_and_the_others_go_on(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(target: Target, body: bytes, sending: Sending) -> Prepared | CannotRender:
        if b'"FCntUp":13' in body:
            raise ZeroDivisionError
        return build_request(target, body, sending)

    monkeypatch.setattr(sender, "build_request", stumble)
    connection = await stage.connect(server.url)
    await stage.put(connection, "A13", "A14", "B1")
    with capture_logs() as events:
        await stage.run_lane(connection)
        await stage.settle()

    found = await stage.log()
    assert (found["A13"].outcome, found["A13"].reason) == ("FAILED", "internal error: ZeroDivisionError")
    assert (found["A14"].outcome, found["B1"].outcome) == ("DELIVERED", "DELIVERED")
    assert [event["connection"] for event in events if event["event"] == log.LANE_DELIVERY_CRASHED] == [1]
    assert await stage.status(connection) is Status.OPENED
