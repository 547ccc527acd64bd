"""Whatever the LRC answers and whenever Longwire is killed: order is kept, all end, and no actuator acts twice."""

import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.engine.downlink_stage import CLOSE, HANG, DownlinkStage, FakeLrc, S
from tests.engine.stage import until
from tests.samples.effort import examples

OVER = {"ACCEPTED", "REJECTED", "EXPIRED"}
USED_COUNTER = 351


@dataclass(frozen=True)
class Put:
    """An application asks for a downlink."""

    device: str
    has_counter: bool


@dataclass(frozen=True)
class Tick:
    """Time goes on, once nothing moves any more."""

    seconds: int


@dataclass(frozen=True)
class Kill:
    """Longwire is killed after so many turns of its loop, and started again."""

    turns: int


STEPS = st.lists(
    st.one_of(
        st.builds(Put, st.sampled_from("AB"), st.booleans()),
        st.builds(Tick, st.sampled_from([1, 5, 61])),
        st.builds(Kill, st.integers(0, 60)),
    ),
    max_size=14,
)
ANSWERS = st.lists(st.sampled_from([200, 200, 408, 429, 503, 350, CLOSE, HANG]), max_size=20)


@dataclass
class Ledger:
    """The LRC's side: it answers as planned, then 200; a counter that it took once it refuses.

    `acts` holds each downlink that it may have sent to its device, as often as it may have.
    """

    lrc: FakeLrc
    answers: list[int]
    acts: list[str] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)

    def answer(self, query: dict[str, list[str]]) -> int:
        device, counter = query["DevEUI"][0], query.get("FCntDn", [""])[0]
        if counter and (device, counter) in self.used:
            return USED_COUNTER
        answer = self.answers.pop(0) if self.answers else 200
        if answer in {200, CLOSE, HANG}:
            self.used.add((device, counter))
            self.acts.append(device[-1] + query["Payload"][0])
        return answer


async def settle(stage: DownlinkStage, lrc: FakeLrc) -> None:
    """Return when nothing moves but what the LRC leaves without an answer."""
    lane = stage.lane
    assert lane is not None
    await until(
        lambda: len(lane._sends) == lrc.hanging and not lane._changed.is_set() and not stage.database._waiting
    )


async def kill_and_start(stage: DownlinkStage, lrc: FakeLrc) -> None:
    await stage.kill()
    lrc.hang_up()
    await stage.start()


async def run(stage: DownlinkStage, lrc: FakeLrc, steps: list[Put | Tick | Kill]) -> list[str]:
    """Take the steps, then let everything come to its end; return what was asked for, in order."""
    asked: list[str] = []
    await stage.start()
    for step in steps:
        match step:
            case Put(device, has_counter):
                payload = f"{len(asked):02}"
                asked.append(device + payload)
                counter: dict[str, Any] = {"FCntDn": len(asked)} if has_counter else {}
                await stage.put(device, payload, **counter)
            case Tick(seconds):
                await settle(stage, lrc)
                stage.clock.advance(seconds * S)
            case Kill(turns):
                for _ in range(turns):
                    await asyncio.sleep(0)
                await kill_and_start(stage, lrc)
    while any(status not in OVER for status, _ in (await stage.statuses()).values()):
        await settle(stage, lrc)
        if lrc.hanging:
            await kill_and_start(stage, lrc)
        stage.clock.advance(61 * S)
    return asked


async def check(steps: list[Put | Tick | Kill], answers: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stage = DownlinkStage(Path(folder))
        await stage.open()
        try:
            lrc = await stage.lrc()
            ledger = Ledger(lrc, list(answers))
            lrc.script = ledger.answer
            asked = await run(stage, lrc, steps)
            statuses = await stage.statuses()
        finally:
            await stage.close()
    assert list(statuses) == asked
    assert len(set(ledger.acts)) == len(ledger.acts), "an actuator acted twice"
    for device in "AB":
        came = list(dict.fromkeys(each for each in lrc.got if each[0] == device))
        assert came == sorted(came), "a downlink overtook another"
        arrivals = [each for each in lrc.got if each[0] == device]
        assert arrivals == sorted(arrivals), "one came again after a later one"
    rejected = {each for each, (status, _) in statuses.items() if status == "REJECTED"}
    assert {each for each, _ in stage.rejected} == rejected, "who was refused is told, and nobody else"
    assert {each for each, (status, _) in statuses.items() if status == "ACCEPTED"} <= set(ledger.acts)


@examples(40)
@given(STEPS, ANSWERS)
def test_whatever_happens_order_is_kept_all_end_and_nothing_acts_twice(
    steps: list[Put | Tick | Kill], answers: list[int]
) -> None:
    asyncio.run(check(steps, answers))
