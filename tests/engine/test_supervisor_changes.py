"""Commands by chance while messages flow, and a crash while one is in flight: nothing is lost or overtaken."""

import random
from collections import Counter
from typing import Any

import pytest
from tests.engine.scripted_server import Reaction, ScriptedServer
from tests.engine.stage import S, Stage, until
from tests.engine.supervised import Supervised

from longwire.engine import lane as lane_module
from longwire.engine.backlog import Backlog

STEPS = 30
ANSWERS: list[int | Reaction] = [200, 200, 200, 503, Reaction.CLOSE, Reaction.HANG]
SETTINGS: dict[str, Any] = {"strictMode": True, "maxInFlight": 3, "reconnectStrategy": "EXPONENTIAL"}


class Operator:
    """Somebody who changes one connection again and again."""

    def __init__(self, stage: Stage, server: ScriptedServer, supervised: Supervised, seed: int) -> None:
        self.stage = stage
        self.server = server
        self.supervised = supervised
        self.chance = random.Random(seed)
        self.put = Counter[str]()

    async def run(self) -> None:
        self.connection = await self.stage.connect(self.server.url, **SETTINGS)
        self.server.script = lambda _: self.chance.choice(ANSWERS)
        self.supervised.start()
        steps = [self.send, self.send, self.update, self.restart, self.deactivate, self.wait]
        for _ in range(STEPS):
            await self.chance.choice(steps)()
        await self.update()
        await until(lambda: self.server.hanging == 0)
        self.server.script = lambda _: 200
        await self.stage.pass_time(3600 * S)

    async def send(self) -> None:
        for device in self.chance.choices("ABCDE", k=4):
            self.put[device] += 1
            await self.stage.put(self.connection, f"{device}{self.put[device]}")

    async def update(self) -> None:
        url = self.server.url.replace("/in", f"/{self.chance.randrange(1000)}")
        await self.supervised.update(self.connection, url, **SETTINGS)

    async def restart(self) -> None:
        await self.stage.configurations.restart(self.connection)

    async def deactivate(self) -> None:
        await self.supervised.update(self.connection, self.server.url, active=False, **SETTINGS)
        if self.chance.random() < 0.5:
            await self.update()

    async def wait(self) -> None:
        await self.stage.pass_time(self.chance.choice([1, 2, 10]) * S)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_changed_nothing_is_lost_overtaken_or_left_out_of_the_log(
    stage: Stage,
    server: ScriptedServer,
    supervised: Supervised,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    monkeypatch.setattr(lane_module, "GRACE", 0.02 * S)
    operator = Operator(stage, server, supervised, seed)
    await operator.run()

    log = await stage.log()
    assert len(log) == sum(operator.put.values())
    assert {logged.outcome for logged in log.values()} <= {"DELIVERED", "REJECTED"}
    for name, logged in log.items():
        attempts = [request.attempt for request in server.requests if request.name == name]
        assert attempts == list(range(1, len(logged.attempts) + 1))
    for device in operator.put:
        numbers = [int(name[1:]) for name in server.names if name[0] == device]
        assert numbers == sorted(numbers)


async def test_a_crash_while_a_message_is_in_flight_is_a_row_and_the_message_goes_again(
    stage: Stage, server: ScriptedServer, supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.script = lambda request: Reaction.HANG if request.attempt == 1 and request.name == "A1" else 200
    connection = await stage.connect(server.url)
    await stage.put(connection, "A1", "A2")
    supervised.start()
    await stage.settle()
    take = Backlog.take
    crashes: list[Backlog] = []

    async def crash_once(backlog: Backlog, *arguments: Any) -> Any:
        if not crashes:
            crashes.append(backlog)
            raise ZeroDivisionError
        return await take(backlog, *arguments)

    monkeypatch.setattr(Backlog, "take", crash_once)
    await stage.put(connection, "B1")
    await until(lambda: server.hanging == 0 and stage.clock.next_due() is not None)
    stage.clock.advance(1 * S)
    await stage.settle()

    assert [(r.name, r.attempt) for r in server.requests if r.name[0] == "A"] == [
        ("A1", 1),
        ("A1", 2),
        ("A2", 1),
    ]
    assert (await stage.log())["A1"].attempts == (("first", "stopped"), ("reconnect", 200))
    assert set((await stage.outcomes()).values()) == {"DELIVERED"}
