"""A long life of one lane, by chance: whatever happens, nothing is lost, overtaken or left out of the log."""

import random
from collections import Counter
from typing import Any

import pytest
from tests.engine.scripted_server import Reaction, Received, ScriptedServer
from tests.engine.stage import S, Stage
from tests.samples.effort import LONG

from longwire.core.connection_state import Event

STEPS = 40
ANSWERS: list[int | Reaction] = [200, 200, 200, 404, 503, Reaction.CLOSE]
CONFIGURATIONS: list[dict[str, Any]] = [
    {"strictMode": False},
    {"strictMode": True},
    {"strictMode": True, "strictModeAction": "CLOSE"},
    {"strictMode": True, "maxInFlight": 2, "reconnectStrategy": "AGGRESSIVE"},
    {"strictMode": False, "maxInFlight": 1, "blamePeriod": 0, "maxRequestsPerSecond": 5},
    {"strictMode": True, "maxInFlight": 5, "reconnectStrategy": "EXPONENTIAL"},
]


class Soak:
    """One lane, one destination, and chance."""

    def __init__(self, stage: Stage, server: ScriptedServer, seed: int) -> None:
        self.stage = stage
        self.server = server
        self.chance = random.Random(seed)
        self.put = Counter[str]()

    async def run(self, configuration: dict[str, Any]) -> None:
        self.connection = await self.stage.connect(self.server.url, **configuration)
        self.server.script = self.answer
        await self.stage.run_lane(self.connection)
        steps = [self.put_some, self.put_some, self.pass_time, self.pass_time, self.go_down, self.restart]
        for _ in range(STEPS):
            await self.chance.choice(steps)()
        self.server.script = lambda _: 200
        await self.come_up()
        await self.stage.pass_time(3 * 86_400 * S)

    def answer(self, _: Received) -> int | Reaction:
        return self.chance.choice(ANSWERS)

    async def put_some(self) -> None:
        names = []
        for device in self.chance.choices("ABCDEF", k=self.chance.randint(1, 12)):
            self.put[device] += 1
            names.append(f"{device}{self.put[device]}")
        await self.stage.put(self.connection, *names)

    async def pass_time(self) -> None:
        await self.stage.pass_time(self.chance.choice([0.1, 1, 2, 5, 40, 700, 9000]) * S)

    async def go_down(self) -> None:
        await self.drop()
        await self.put_some()
        await self.pass_time()
        await self.come_up()

    async def drop(self) -> None:
        """Drop every connection, none of which carries a request: else its row would be one nobody saw."""
        await self.stage.settle()
        await self.server.close()

    async def come_up(self) -> None:
        await self.drop()
        await self.server.open()

    async def restart(self) -> None:
        await self.stage.stop_lane(self.connection)
        await self.put_some()
        await self.stage.run_lane(self.connection, self.chance.choice([Event.RESUME, Event.CONNECT]))


@pytest.mark.parametrize("seed", range(60 if LONG else 6))
async def test_whatever_the_destination_does_nothing_is_lost_overtaken_or_left_out_of_the_log(
    stage: Stage, server: ScriptedServer, seed: int
) -> None:
    soak = Soak(stage, server, seed)
    await soak.run(CONFIGURATIONS[seed % len(CONFIGURATIONS)])

    log = await stage.log()
    everything = {f"{device}{n}" for device, count in soak.put.items() for n in range(1, count + 1)}
    assert set(log) == everything
    assert {logged.outcome for logged in log.values()} <= {"DELIVERED", "LOST", "REJECTED"}
    assert max((logged.resends for logged in log.values()), default=0) <= 3
    for device in soak.put:
        numbers = [int(name[1:]) for name in server.names if name[0] == device]
        assert numbers == sorted(numbers)
    attempts = Counter({name: len(logged.attempts) for name, logged in log.items()})
    refused = Counter({name: _refused(logged.attempts) for name, logged in log.items()})
    assert attempts - refused == Counter(server.names)


def _refused(attempts: tuple[tuple[str, int | str], ...]) -> int:
    """Return how many attempts never reached the destination."""
    return sum(result == "refused" for _, result in attempts)
