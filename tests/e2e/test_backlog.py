"""A large backlog: memory stays bounded whatever waits, and all of it is delivered."""

import os
import sys
from pathlib import Path

from bench import backlog
from bench.processes import Measured, free_port, wait_for_port
from bench.product import Product, send, wait_for_count

COUNT = 200_000 if os.environ.get("TEST_LONG") == "1" else 20_000
MOST_MB = 250


def test_memory_stays_bounded_whatever_waits(tmp_path: Path) -> None:
    product = Product(tmp_path / "data")
    product.start()
    sink_port = free_port()
    product.set_up(sink_port)
    acknowledged, _ = send(product.uplink_url, COUNT, 1)
    assert acknowledged == COUNT
    assert product.running.memory_mb(peak=True) < MOST_MB
    product.running.stop()
    ready_s = product.start()
    print(f"{COUNT} waiting: ready after {ready_s:.2f} s with {product.running.memory_mb():.0f} MB")
    sink = Measured.start(sys.executable, "-m", "bench.sink", str(sink_port), log=tmp_path / "sink.log")
    wait_for_port(sink_port)
    product.reconnect("1")
    wait_for_count(sink_port, COUNT)
    assert product.running.memory_mb(peak=True) < MOST_MB
    product.running.stop()
    sink.stop()


def test_the_measurement_of_draining_works(tmp_path: Path) -> None:
    """The ratio itself is a figure of docs/benchmarks.md; here it must only be possible to take it."""
    product = Product(tmp_path / "data")
    product.start()
    sink_port = free_port()
    product.set_up(sink_port)
    assert backlog.measure_small(product, tmp_path, sink_port, 0) > 0
    product.running.stop()
