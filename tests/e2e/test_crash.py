"""Killed with -9 again and again under load, on every road: nothing acknowledged is lost or out of order."""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.e2e.api_client import Road, build_road, connection_document
from tests.e2e.crash_figures import Figures, Report, Run, describe, judge, write_report
from tests.e2e.crash_roads import WAYS, OpenWay, open_way
from tests.e2e.fleet import Fleet
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_KEY
from tests.e2e.ports import wait_until_unused
from tests.e2e.sink import CLOSE, Received, Reply, Sink
from tests.e2e.waiting import wait_until

LONG = os.environ.get("TEST_LONG") == "1"
# The plain road alone as often as the four others together.
ROUNDS = {name: (100 if LONG else 9) if name == "http" else (25 if LONG else 3) for name in WAYS}
SEED = 20
DEVICES = 144
RATE = 450.0
LOAD = 200.0  # what a machine that is busy otherwise must still offer
MAX_IN_FLIGHT = 32
ANSWER_S = 0.06
MOMENTS = ("before", "after", "random")


class Killer:
    """Answers for the sink, and kills the server on the request a round has chosen."""

    def __init__(self, server: Longwire, chance: random.Random) -> None:
        self.struck = threading.Event()
        self._server = server
        self._chance = chance
        self._lock = threading.Lock()
        self._moment, self._left = "", 0

    def arm(self, moment: str, requests: int) -> None:
        with self._lock:
            self.struck.clear()
            self._moment, self._left = moment, requests

    def answer(self, _: Received) -> Reply:
        with self._lock:
            delay_s = self._chance.uniform(0, ANSWER_S)
            self._left -= 1
            chosen = self._left == 0
        if chosen and self._moment == "before":
            self.strike()
            return CLOSE
        return Reply(delay_s=delay_s, then=self.strike if chosen and self._moment == "after" else None)

    def strike(self) -> None:
        self._server.strike()
        self.struck.set()


def one_round(server: Longwire, way: OpenWay, killer: Killer, fleet: Fleet, chance: random.Random) -> float:
    """Let it run until it is killed, start it again; return for how many seconds it was up."""
    sink = way.sink
    moment = MOMENTS[sink.epoch % len(MOMENTS)]
    began = time.monotonic()
    # From the first request after a start to the five hundredth, the early ones as often as the late ones.
    killer.arm(moment, int(2 ** chance.uniform(0, 9)))
    if moment == "random":
        killer.struck.wait(chance.uniform(0.02, 1.2))
        killer.strike()
    assert killer.struck.wait(30), f"no kill in round {sink.epoch}: {len(sink.requests)} requests"
    up_s = time.monotonic() - began
    fleet.up.clear()
    server.wait_for_end()
    wait_until_unused(*way.ports)  # what the dead server had sent is at the sink, a proxy holds nothing back
    sink.epoch += 1
    server.start()
    fleet.up.set()
    return up_s


def fleet_for(server: Longwire, road: Road) -> Fleet:
    dev_euis = [f"0059ACCC{number:08X}" for number in range(DEVICES)]
    return Fleet(("127.0.0.1", server.port), road.uplink_path, dev_euis, RATE)


def run_rounds(server: Longwire, way: OpenWay, rounds: int) -> tuple[Run, Figures]:
    connection = connection_document(way.sink.url(), maxInFlight=MAX_IN_FLIGHT, **way.configuration)
    road = build_road(server.api, connection, None, AS_KEY)
    chance = random.Random(SEED)
    killer = Killer(server, chance)
    way.sink.answer = killer.answer
    fleet = fleet_for(server, road)
    fleet.start()
    up_s = sum(one_round(server, way, killer, fleet, chance) for _ in range(rounds))
    offered = fleet.ledger.offered
    ledger = fleet.stop()
    assert ledger.troubles == []
    wait_until("all is delivered", lambda: road.connection["lag"] == 0, timeout_s=60)
    check_counts(road)
    (attempt, *_) = road.details(road.deliveries()[-1])["attempts"][::-1]
    assert attempt["remoteAddress"] == f"127.0.0.1:{way.ports[-1]}", "not by the way that was meant"
    moments = Counter(MOMENTS[number % len(MOMENTS)] for number in range(rounds))
    return Run(rounds, moments, DEVICES, MAX_IN_FLIGHT, offered / up_s), judge(ledger, way.sink.requests)


def check_counts(road: Road) -> None:
    """Check that the metrics count what the log holds, however often the counting was killed."""
    path = f"/connections/{road.connection_id}"
    logged = int(road.api.call("GET", f"{path}/deliveries?outcome=DELIVERED&perPage=1").headers["x-total"])

    def counted() -> bool:
        metrics = road.api.get(f"{path}/metrics")
        seen[:] = [metrics["uplinksLast24h"], metrics["uplinksLast24hFailed"], metrics["activeThingsLast24h"]]
        return seen == [logged, 0, DEVICES]

    seen: list[int] = []
    wait_until(f"{logged} of {DEVICES} devices in the metrics: {seen}", counted)


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    """Collect the figures of every road; the long form writes them into docs/reliability.md."""
    found: Report = {}
    yield found
    if LONG and found.keys() == WAYS.keys():
        write_report(found)


@pytest.mark.timeout(3600 if LONG else 280)
@pytest.mark.parametrize("name", WAYS)
def test_kill_9_under_load_loses_nothing_and_keeps_the_order(
    tmp_path: Path, report: Report, name: str
) -> None:
    with open_way(name) as way, Longwire(tmp_path).start() as server:
        run, figures = run_rounds(server, way, ROUNDS[name])
    print(describe({name: (run, figures)}))
    assert figures.missing == []
    assert figures.wrong_order == []
    assert figures.wrong_ids == []
    assert figures.wrong_attempts == []
    assert figures.unexplained == []
    assert figures.most_repeats <= MAX_IN_FLIGHT
    assert run.offered_per_second >= LOAD
    report[name] = (run, figures)


def test_sigterm_under_load_repeats_nothing_either(tmp_path: Path, sink: Sink) -> None:
    sink.answer = lambda _: Reply(delay_s=ANSWER_S)
    with Longwire(tmp_path).start() as server:
        connection = connection_document(sink.url(), maxInFlight=MAX_IN_FLIGHT)
        road = build_road(server.api, connection, None, AS_KEY)
        fleet = fleet_for(server, road)
        fleet.start()
        for _ in range(3):
            sink.wait_for(len(sink.requests) + 300)
            code, seconds = server.terminate()
            fleet.up.clear()
            assert (code, seconds < 10) == (0, True), server.said
            sink.epoch += 1
            server.start()
            fleet.up.set()
        ledger = fleet.stop()
        wait_until("all is delivered", lambda: road.connection["lag"] == 0, timeout_s=60)
    figures = judge(ledger, sink.requests)
    assert ledger.troubles == []
    assert (figures.missing, figures.wrong_order, figures.wrong_ids, figures.repeats) == ([], [], [], 0)
