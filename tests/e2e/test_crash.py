"""Killed with -9 again and again under load: nothing acknowledged is lost, nothing is out of order."""

import os
import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from tests.e2e.api_client import Road, build_road, connection_document
from tests.e2e.crash_figures import Figures, Run, describe, judge, write_report
from tests.e2e.fleet import Fleet
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import AS_KEY
from tests.e2e.sink import CLOSE, Received, Reply, Sink
from tests.e2e.waiting import wait_until

LONG = os.environ.get("TEST_LONG") == "1"
ROUNDS = 100 if LONG else 15
SEED = 20
DEVICES = 144
RATE = 450.0
MAX_IN_FLIGHT = 32
ANSWER_S = 0.06
WAYS = ("before", "after", "random")


class Killer:
    """Answers for the sink, and kills the server on the request a round has chosen."""

    def __init__(self, server: Longwire, chance: random.Random) -> None:
        self.struck = threading.Event()
        self._server = server
        self._chance = chance
        self._lock = threading.Lock()
        self._way, self._left = "", 0

    def arm(self, way: str, requests: int) -> None:
        with self._lock:
            self.struck.clear()
            self._way, self._left = way, requests

    def answer(self, _: Received) -> Reply:
        with self._lock:
            delay_s = self._chance.uniform(0, ANSWER_S)
            self._left -= 1
            chosen = self._left == 0
        if chosen and self._way == "before":
            self.strike()
            return CLOSE
        return Reply(delay_s=delay_s, then=self.strike if chosen and self._way == "after" else None)

    def strike(self) -> None:
        self._server.strike()
        self.struck.set()


def one_round(server: Longwire, sink: Sink, killer: Killer, fleet: Fleet, chance: random.Random) -> float:
    """Let it run until it is killed, start it again; return for how many seconds it was up."""
    way = WAYS[sink.epoch % len(WAYS)]
    began = time.monotonic()
    # From the first request after a start to the five hundredth, the early ones as often as the late ones.
    killer.arm(way, int(2 ** chance.uniform(0, 9)))
    if way == "random":
        killer.struck.wait(chance.uniform(0.02, 1.2))
        killer.strike()
    assert killer.struck.wait(30), f"no kill in round {sink.epoch}: {len(sink.requests)} requests"
    up_s = time.monotonic() - began
    fleet.up.clear()
    server.wait_for_end()
    sink.drain()
    sink.epoch += 1
    server.start()
    fleet.up.set()
    return up_s


def fleet_for(server: Longwire, road: Road) -> Fleet:
    dev_euis = [f"0059ACCC{number:08X}" for number in range(DEVICES)]
    return Fleet(("127.0.0.1", server.port), road.uplink_path, dev_euis, RATE)


def run_rounds(server: Longwire, sink: Sink, road: Road) -> tuple[Run, Figures]:
    chance = random.Random(SEED)
    killer = Killer(server, chance)
    sink.answer = killer.answer
    fleet = fleet_for(server, road)
    fleet.start()
    up_s = sum(one_round(server, sink, killer, fleet, chance) for _ in range(ROUNDS))
    offered = fleet.ledger.offered
    ledger = fleet.stop()
    assert ledger.troubles == []
    wait_until("all is delivered", lambda: road.connection["lag"] == 0, timeout_s=60)
    ways = Counter(WAYS[number % len(WAYS)] for number in range(ROUNDS))
    return Run(ROUNDS, ways, DEVICES, MAX_IN_FLIGHT, offered / up_s), judge(ledger, sink.requests)


@pytest.mark.timeout(3600 if LONG else 280)
def test_kill_9_under_load_loses_nothing_and_keeps_the_order(tmp_path: Path, sink: Sink) -> None:
    with Longwire(tmp_path).start() as server:
        connection = connection_document(sink.url(), maxInFlight=MAX_IN_FLIGHT)
        run, figures = run_rounds(server, sink, build_road(server.api, connection, None, AS_KEY))
    print(describe(run, figures))
    assert figures.missing == []
    assert figures.wrong_order == []
    assert figures.wrong_ids == []
    assert figures.wrong_attempts == []
    assert figures.unexplained == []
    assert figures.most_repeats <= MAX_IN_FLIGHT
    assert run.offered_per_second >= 300
    if LONG:
        write_report(run, figures)


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
