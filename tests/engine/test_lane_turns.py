"""Lanes that work off a backlog take turns of a few messages; a lane that keeps up waits for nobody."""

import asyncio
from itertools import pairwise
from string import ascii_letters

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


async def test_a_backlog_rests_longer_as_long_as_others_have_just_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests: list[float] = []

    async def sleep(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr("longwire.engine.turns.asyncio.sleep", sleep)
    turns = Turns()
    await turns.wait()
    turns.notice()
    await turns.wait()
    await turns.wait()
    monkeypatch.setattr("longwire.engine.turns.REMEMBERED_S", 0.0)
    turns.notice()
    await turns.wait()

    assert [rest >= REST_BESIDE_OTHERS_S for rest in rests] == [False, True, True, False]


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


async def test_a_backlog_that_grows_goes_as_much_faster_as_it_grows(
    stage: Stage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent_before_turn: list[int] = []

    async def wait(_: Turns) -> None:
        number = len(sent_before_turn)
        sent_before_turn.append(sum(len(lane._sends) for lane in stage.lanes.values()))
        if number < 3:
            await stage.put(behind, *(f"{device}{100 + number}" for device in "012"))

    monkeypatch.setattr(Turns, "wait", wait)
    server.script = lambda _: Reaction.HANG
    behind = await stage.connect(server.url, maxInFlight=64)
    await stage.put(behind, *(f"{device}1" for device in ascii_letters))
    await stage.run_lane(behind)
    await stage.settle()

    turns = [after - before for before, after in pairwise(sent_before_turn)]
    assert turns[:4] == [STEP, STEP + 3, STEP + 3, STEP + 3]
    assert set(turns[4:]) == {STEP}


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
