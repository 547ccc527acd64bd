"""A fleet against an ingest door that is busy, away or dropping connections: nothing lost, nothing out of order."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from tests.demo.ingest_server import Act, IngestServer

from longwire.core.errors import InvalidInput
from longwire.demo.fleet import Fleet
from longwire.demo.fleet_run import FleetCounts, FleetOptions, Outcome, UplinkResult, judge, run_fleet

MS = timedelta(milliseconds=1)
QUICK = FleetOptions(
    rate_per_second=5000, first_counter=1, first_wait=MS, longest_wait=5 * MS, timeout=timedelta(seconds=5)
)
LIMIT_S = 10


def now() -> datetime:
    return datetime.now(UTC)


def options(
    rate_per_second: float = 5000,
    count: int | None = None,
    timeout: timedelta = QUICK.timeout,
    first_counter: int | None = 1,
) -> FleetOptions:
    return FleetOptions(
        rate_per_second=rate_per_second,
        count=count,
        first_counter=first_counter,
        first_wait=QUICK.first_wait,
        longest_wait=QUICK.longest_wait,
        timeout=timeout,
        key="46ab678cd45df4a4a7e4b375eacd096a",
    )


def counters_by_device(uplinks: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    counters: dict[str, list[int]] = defaultdict(list)
    for dev_eui, counter in uplinks:
        counters[dev_eui].append(counter)
    return counters


def acknowledged(results: Iterable[UplinkResult]) -> list[tuple[str, int]]:
    return [(r.device.dev_eui, r.counter) for r in results if r.outcome is Outcome.ACKNOWLEDGED]


@pytest.mark.parametrize("seed", range(3))
async def test_every_uplink_arrives_in_the_order_of_its_device_whatever_the_door_does(seed: int) -> None:
    chance = random.Random(seed)
    acts = [Act.TAKE, Act.TAKE, Act.TAKE, Act.BUSY, Act.DROP, Act.TAKE_AND_DROP]
    results: list[UplinkResult] = []
    fleet = Fleet(seed, 12)

    async with IngestServer(lambda _: chance.choice(acts)).listen() as door, asyncio.timeout(LIMIT_S):
        counts = await run_fleet(fleet, door.url, options(count=240), now, results.append)

    expected = {device.dev_eui: list(range(1, 21)) for device in fleet.devices}
    assert counters_by_device(door.taken()) == expected
    assert counters_by_device(acknowledged(results)) == expected
    assert counts.acknowledged == 240
    assert counts.repeated == len(door.arrivals) - 240 == sum(a.act is not Act.TAKE for a in door.arrivals)
    assert counts.refused == 0


async def test_a_repeat_is_the_same_request_and_its_attempts_are_counted() -> None:
    acts = [Act.BUSY, Act.TAKE_AND_DROP, Act.DROP, Act.TAKE]
    results: list[UplinkResult] = []

    async with IngestServer(acts.__getitem__).listen() as door, asyncio.timeout(LIMIT_S):
        await run_fleet(Fleet(1, 1), door.url, options(count=1), now, results.append)

    assert [(r.attempt, r.outcome.value, r.status) for r in results] == [
        (1, "repeated", 503),
        (2, "repeated", None),
        (3, "repeated", None),
        (4, "acknowledged", 200),
    ]
    assert len({(arrival.query, arrival.body) for arrival in door.arrivals}) == 1
    assert results[1].detail == "connection closed before the answer"


async def test_a_door_that_is_not_there_yet_is_waited_for() -> None:
    door = IngestServer(lambda _: Act.TAKE)
    async with door.listen():
        pass  # now its port is known and refuses
    refused = asyncio.Event()
    results: list[UplinkResult] = []

    def note(result: UplinkResult) -> None:
        results.append(result)
        refused.set()

    async with asyncio.timeout(LIMIT_S):
        run = asyncio.create_task(run_fleet(Fleet(1, 3), door.url, options(count=6), now, note))
        await refused.wait()
        async with door.listen():
            counts = await run

    assert results[0].status is None
    assert counts.acknowledged == 6
    assert counters_by_device(door.taken()) == {d.dev_eui: [1, 2] for d in Fleet(1, 3).devices}


async def test_an_answer_that_does_not_come_is_given_up_and_the_uplink_repeated() -> None:
    results: list[UplinkResult] = []
    acts = [Act.HANG, Act.TAKE]

    async with IngestServer(acts.__getitem__).listen() as door, asyncio.timeout(LIMIT_S):
        await run_fleet(Fleet(1, 1), door.url, options(count=1, timeout=50 * MS), now, results.append)

    assert [result.detail for result in results] == ["no answer within 0.05 s", ""]


async def test_a_refused_uplink_is_not_sent_again() -> None:
    results: list[UplinkResult] = []

    async with IngestServer(lambda _: Act.FORBID).listen() as door, asyncio.timeout(LIMIT_S):
        counts = await run_fleet(Fleet(1, 2), door.url, options(count=4), now, results.append)

    assert counts == FleetCounts(refused=4)
    assert {(result.outcome, result.status) for result in results} == {(Outcome.REFUSED, 403)}
    assert len(door.arrivals) == 4


async def test_connections_are_few_and_kept() -> None:
    async with IngestServer(lambda _: Act.TAKE).listen() as door, asyncio.timeout(LIMIT_S):
        await run_fleet(Fleet(1, 40), door.url, options(count=200), now, lambda _: None)
    assert len(door.arrivals) == 200
    assert door.connections <= QUICK.connections


async def test_cancelling_ends_the_run_and_leaves_nothing_behind() -> None:
    enough = asyncio.Event()
    counts = FleetCounts()

    def note(result: UplinkResult) -> None:
        nonlocal counts
        counts = counts.after(result)
        if counts.acknowledged >= 5:
            enough.set()

    async with (
        IngestServer(lambda n: Act.TAKE if n < 7 else Act.HANG).listen() as door,
        asyncio.timeout(LIMIT_S),
    ):
        before = asyncio.all_tasks()
        run = asyncio.create_task(run_fleet(Fleet(1, 20), door.url, options(), now, note))
        await enough.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        left = {task for task in asyncio.all_tasks() - before if "device" in task.get_name()}

    assert not left
    assert counts.acknowledged >= 5


async def test_the_rate_is_kept() -> None:
    async with IngestServer(lambda _: Act.TAKE).listen() as door, asyncio.timeout(LIMIT_S):
        started = asyncio.get_running_loop().time()
        await run_fleet(Fleet(1, 7), door.url, options(rate_per_second=200, count=21), now, lambda _: None)
        took_s = asyncio.get_running_loop().time() - started
    assert took_s > 0.95 * 20 / 200


async def test_a_second_run_goes_on_with_higher_counters() -> None:
    runs: list[dict[str, list[int]]] = []
    async with IngestServer(lambda _: Act.TAKE).listen() as door, asyncio.timeout(LIMIT_S):
        for _ in range(2):
            await asyncio.sleep(0.1)  # longer than the 50 ms between two uplinks of a device
            results: list[UplinkResult] = []
            settings = options(rate_per_second=60, count=6, first_counter=None)
            await run_fleet(Fleet(1, 3), door.url, settings, now, results.append)
            runs.append(counters_by_device(acknowledged(results)))
    for dev_eui, counters in runs[0].items():
        assert counters[1] == counters[0] + 1
        assert runs[1][dev_eui][0] > counters[1]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, Outcome.ACKNOWLEDGED),
        (204, Outcome.ACKNOWLEDGED),
        (302, Outcome.REFUSED),
        (400, Outcome.REFUSED),
        (408, Outcome.REPEATED),
        (413, Outcome.REFUSED),
        (429, Outcome.REPEATED),
        (500, Outcome.REPEATED),
        (503, Outcome.REPEATED),
    ],
)
def test_what_an_answer_means(status: int, outcome: Outcome) -> None:
    assert judge(status) is outcome


@pytest.mark.parametrize("url", ["ftp://h/", "http://", "h/x", "http://h:x/", "http://h /", "http://höst/"])
async def test_a_url_that_cannot_be_used_is_named(url: str) -> None:
    with pytest.raises(InvalidInput, match="url"):
        await run_fleet(Fleet(1, 1), url, QUICK, now, lambda _: None)


async def test_a_rate_that_cannot_be_used_is_named() -> None:
    with pytest.raises(InvalidInput, match="rate"):
        await run_fleet(Fleet(1, 1), "http://h/", options(rate_per_second=0), now, lambda _: None)
