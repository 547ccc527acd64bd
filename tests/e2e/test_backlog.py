"""A large backlog: memory stays bounded whatever waits, and all of it is delivered."""

import os
from pathlib import Path

from bench.backlog import Backlog, measure_small

COUNT = 200_000 if os.environ.get("TEST_LONG") == "1" else 20_000
MOST_MB = 250


def test_memory_stays_bounded_whatever_waits(tmp_path: Path) -> None:
    backlog = Backlog(tmp_path)
    assert backlog.put(COUNT) == COUNT
    assert backlog.product.running.memory_mb(peak=True) < MOST_MB
    backlog.product.running.stop()
    ready_s = backlog.product.start()
    print(f"{COUNT} waiting: ready after {ready_s:.2f} s with {backlog.product.running.memory_mb():.0f} MB")
    backlog.drain(COUNT)
    assert backlog.product.running.memory_mb(peak=True) < MOST_MB
    backlog.product.running.stop()
    backlog.sink.stop()


def test_the_measurement_of_draining_works(tmp_path: Path) -> None:
    """The ratio itself is a figure of docs/benchmarks.md; here it must only be possible to take it."""
    backlog = Backlog(tmp_path)
    assert measure_small(backlog) > 0
    backlog.product.running.stop()
