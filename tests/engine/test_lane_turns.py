"""Lanes that work off a backlog take turns of a few messages; a lane that keeps up waits for nobody."""

import asyncio

import pytest
from tests.engine.scripted_server import Reaction, ScriptedServer
from tests.engine.stage import Stage

from longwire.engine.turns import REST_BESIDE_OTHERS_S, STEP, Turns
from longwire.storage.queue_sql import Queue

DEVICES = "0123456789ABCDEF"


async def test_turns_come_in_the_order_of_asking() -> None:
    turns = Turns()
    taken: list[str] = []

    async def work_off(name: str) -> None:
        for _ in range(3):
            await turns.wait()
            taken.append(name)

    await asyncio.gather(*(work_off(name) for name in "abc"))

    assert taken == list("abcabcabc")


async def test_a_backlog_rests_longer_while_others_send(monkeypatch: pytest.MonkeyPatch) -> None:
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr("longwire.engine.turns.asyncio.sleep", sleep)
    turns = Turns()
    await turns.wait()
    turns.notice()
    await turns.wait()
    await turns.wait()

    assert rests[0] < REST_BESIDE_OTHERS_S <= rests[1]
    assert rests[2] < REST_BESIDE_OTHERS_S


async def test_a_backlog_goes_in_turns_and_what_is_handed_over_needs_none(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_before_turn: list[int] = []

    async def wait(_: Turns) -> None:
        sent_before_turn.append(sum(len(lane._sends) for lane in stage.lanes.values()))

    monkeypatch.setattr(Turns, "wait", wait)
    server.script = lambda _: Reaction.HANG
    behind = await stage.connect(server.url, maxInFlight=2 * STEP)
    await stage.put(behind, *(f"{device}{n}" for device in DEVICES for n in (1, 2)))
    await stage.run_lane(behind)
    await stage.settle()
    assert sent_before_turn == [0, STEP]

    keeping_up = await stage.connect(server.url)
    await stage.run_lane(keeping_up)
    await stage.settle()
    await stage.put(keeping_up, "A99", "B99")
    await stage.settle()
    assert {"A99", "B99"} < set(server.names)
    assert len(sent_before_turn) == 2


async def test_a_lane_that_keeps_up_reads_nothing_from_disk(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await stage.connect(server.url)
    await stage.run_lane(connection)
    await stage.settle()

    async def refuse(*_: object) -> None:
        raise AssertionError("a lane at the tail of its queue needs no read")

    monkeypatch.setattr(Queue, "read_ahead", refuse)
    monkeypatch.setattr(Queue, "load_bodies", refuse)
    for n in range(1, 20):
        await stage.put(connection, f"A{n}", f"B{n}")
    await stage.settle()

    assert sorted(server.names) == sorted(f"{device}{n}" for device in "AB" for n in range(1, 20))
