"""What a lane reads while the queue is changed on disk, and how much it may hold."""

from collections.abc import Mapping
from datetime import timedelta

import pytest
from tests.engine.scripted_server import ScriptedServer
from tests.engine.stage import S, Stage

from longwire.engine.bodies import Bodies, Budget
from longwire.storage.purge import Retention, purge


async def test_a_message_that_expires_while_its_body_is_read_is_not_sent(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2", "B1")
    read = stage.queue.load_bodies

    async def read_then_expire(places: Mapping[int, int], max_bytes: int) -> dict[int, bytes | None]:
        found = await read(places, max_bytes)
        overdue = Retention(backlog=timedelta(0))
        await purge(stage.database, overdue, stage.clock.now() + 1 * S, stage.queue.reread)
        return found

    monkeypatch.setattr(stage.queue, "load_bodies", read_then_expire)
    await stage.run_lane(connection)
    await stage.settle()
    monkeypatch.undo()
    await stage.put(connection, "A3")
    await stage.settle()

    assert server.names == ["A3"]
    assert await stage.outcomes() == {"A1": "EXPIRED", "A2": "EXPIRED", "B1": "EXPIRED", "A3": "DELIVERED"}


def test_a_body_that_is_held_twice_takes_its_room_once() -> None:
    budget = Budget(100)
    bodies = Bodies(budget)

    assert bodies.hold(1, b"x" * 40)
    assert bodies.hold(1, b"x" * 40)
    assert budget.free_bytes == 60
    bodies.release(1)

    assert budget.free_bytes == 100
