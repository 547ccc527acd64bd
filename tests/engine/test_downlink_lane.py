"""Downlinks on their way: order, tries, refusals, and that an actuator never acts twice (specification, section 9)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.engine.downlink_stage import CLOSE, HANG, DownlinkStage, S
from tests.engine.stage import until

from longwire.core.downlink import Status


@pytest_asyncio.fixture
async def stage(tmp_path: Path) -> AsyncIterator[DownlinkStage]:
    stage = DownlinkStage(tmp_path)
    await stage.open()
    yield stage
    await stage.close()


async def test_what_the_network_server_takes_is_accepted_in_order(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    await stage.put("A", "01", AS_ID="AS")
    await stage.put("A", "02")
    await stage.start()
    await stage.put("A", "03")

    await stage.wait_for(A01=("ACCEPTED", 1), A02=("ACCEPTED", 1), A03=("ACCEPTED", 1))
    assert lrc.got == ["A01", "A02", "A03"]
    assert lrc.queries[0]["AS_ID"] == ["AS"]
    assert stage.rejected == []


async def test_a_server_that_is_away_is_tried_again_and_the_device_keeps_its_order(
    stage: DownlinkStage,
) -> None:
    lrc = await stage.lrc()
    await lrc.close()
    await stage.start()
    await stage.put("A", "01")
    await stage.put("A", "02")
    for attempts, wait in ((1, 1), (2, 2), (3, 4)):
        await stage.wait_for(A01=("QUEUED", attempts), A02=("QUEUED", 0))
        await stage.pass_time(wait * S * 0.99)
        await stage.wait_for(A01=("QUEUED", attempts))
        if attempts == 3:
            await lrc.open(lrc.port)
        await stage.pass_time(wait * S * 0.02)

    await stage.wait_for(A01=("ACCEPTED", 4), A02=("ACCEPTED", 1))
    assert lrc.got == ["A01", "A02"]


async def test_a_busy_answer_holds_up_its_device_alone(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    lrc.script = lambda query: 429 if query["Payload"] == ["01"] and len(lrc.got) < 3 else 200
    await stage.start()
    await stage.put("A", "01")
    await stage.put("A", "02")
    await stage.put("B", "01", FPort=2)
    await stage.wait_for(A01=("QUEUED", 1), A02=("QUEUED", 0), B01=("QUEUED", 1))

    await stage.put("C", "09")
    await stage.wait_for(C09=("ACCEPTED", 1))
    await stage.pass_time(S)

    await stage.wait_for(A01=("ACCEPTED", 2), A02=("ACCEPTED", 1), B01=("ACCEPTED", 2))


async def test_its_validity_ends_the_tries(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    lrc.script = lambda _: 503
    await stage.start()
    await stage.put("A", "01", ValidityTime=2)
    await stage.wait_for(A01=("QUEUED", 1))
    await stage.pass_time(S)
    await stage.wait_for(A01=("QUEUED", 2))
    await stage.pass_time(S)

    await stage.wait_for(A01=("EXPIRED", 2))
    assert lrc.got == ["A01", "A01"]


async def test_a_refusal_is_told_and_the_next_one_goes(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    lrc.script = lambda query: 350 if query["Payload"] == ["01"] else 200
    await stage.start()
    await stage.put("A", "01")
    await stage.put("A", "02")

    await stage.wait_for(A01=("REJECTED", 1), A02=("ACCEPTED", 1))
    assert stage.rejected == [("A01", "said the LRC")]


async def test_without_an_answer_only_a_downlink_with_a_counter_goes_again(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    lrc.script = lambda _: CLOSE if len(lrc.got) <= 2 else 200
    await stage.start()
    await stage.put("A", "01")
    await stage.put("B", "02", FCntDn=5)
    await stage.wait_for(A01=("REJECTED", 1), B02=("QUEUED", 1))
    await stage.pass_time(S)

    await stage.wait_for(B02=("ACCEPTED", 2))
    assert stage.rejected == [("A01", "no answer; may have been sent")]
    assert lrc.got.count("A01") == 1


async def test_after_a_kill_what_may_have_been_sent_is_not_sent_again(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    lrc.script = lambda _: HANG
    await stage.start()
    await stage.put("A", "01")
    await stage.put("B", "02", FCntDn=5)
    await stage.put("A", "03")
    await until(lambda: len(lrc.got) == 2)
    await stage.kill()
    lrc.script = lambda _: 200

    await stage.start()

    await stage.wait_for(A01=("REJECTED", 1), A03=("ACCEPTED", 1), B02=("ACCEPTED", 2))
    assert stage.rejected == [("A01", "no answer; may have been sent")]
    assert lrc.got.count("A01") == 1


async def test_a_server_that_hangs_holds_up_no_other_and_gets_sixteen_at_once(stage: DownlinkStage) -> None:
    slow, fast = await stage.lrc("slow"), await stage.lrc("fast")
    slow.script = lambda _: HANG
    await stage.start()
    for number in range(20):
        await stage.put("0123456789ABCDEF0123"[number], f"{number:02}", "slow")
    await until(lambda: len(slow.got) == 16)

    await stage.put("A", "AA", "fast")
    await stage.wait_for(AAA=("ACCEPTED", 1))
    slow.script = lambda _: 200
    slow.is_released.set()
    await until(lambda: len(slow.got) == 20)
    assert slow.most_at_once == 16
    assert fast.got == ["AAA"]


async def test_without_a_way_a_downlink_is_rejected(stage: DownlinkStage) -> None:
    await stage.start()
    await stage.put("A", "01", "gone")

    await stage.wait_for(A01=("REJECTED", 0))
    assert "lrcUrl" in stage.rejected[0][1]


async def test_a_report_that_overtakes_the_answer_is_the_end(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    lrc.script = lambda query: HANG if query["Payload"] == ["01"] else 200
    await stage.start()
    await stage.put("A", "01", CorrelationID="00000000000000AB")
    await stage.put("A", "02")
    await until(lambda: len(lrc.got) == 1)

    await stage.report("A", "00000000000000AB", Status.SENT)
    lrc.is_released.set()

    await stage.wait_for(A01=("SENT", 1), A02=("ACCEPTED", 1))
    assert stage.rejected == []


async def test_a_report_of_a_downlink_that_was_never_sent_says_nothing(stage: DownlinkStage) -> None:
    await stage.put("A", "01", CorrelationID="00000000000000AB")

    await stage.report("A", "00000000000000AB", Status.SENT)

    await stage.wait_for(A01=("QUEUED", 0))


async def test_what_may_have_been_sent_is_told_as_such_although_its_validity_is_over(
    stage: DownlinkStage,
) -> None:
    lrc = await stage.lrc()
    lrc.script = lambda _: HANG
    await stage.start()
    await stage.put("A", "01", ValidityTime=2)
    await until(lambda: len(lrc.got) == 1)
    await stage.kill()
    stage.clock.advance(3 * S)

    await stage.start()

    await stage.wait_for(A01=("REJECTED", 1))
    assert stage.rejected == [("A01", "no answer; may have been sent")]


async def test_a_counter_that_an_earlier_try_may_have_used_is_told_as_such(stage: DownlinkStage) -> None:
    lrc = await stage.lrc()
    answers = [CLOSE, 503, 351]
    lrc.script = lambda _: answers.pop(0)
    await stage.start()
    await stage.put("A", "01", FCntDn=5)
    for attempts, wait in ((1, 1), (2, 2)):
        await stage.wait_for(A01=("QUEUED", attempts))
        await stage.pass_time(wait * S)

    await stage.wait_for(A01=("REJECTED", 3))
    assert stage.rejected == [("A01", "said the LRC; an earlier try may have been sent")]


async def test_a_report_of_another_network_server_says_nothing(stage: DownlinkStage) -> None:
    await stage.lrc("other")
    await stage.start()
    await stage.put("A", "01", "other", CorrelationID="00000000000000AB")
    await stage.wait_for(A01=("ACCEPTED", 1))

    await stage.report("A", "00000000000000AB", Status.SENT)

    await stage.wait_for(A01=("ACCEPTED", 1))
