"""A backlog of 200,000: memory while it waits, time from start to ready, CPU per message while it drains."""

import statistics
import sys
from pathlib import Path

from bench.processes import Measured, free_port, wait_for_port
from bench.product import Product, send, wait_for_count

LARGE = 200_000
SMALL = 1_000
SMALL_ROUNDS = 20


def drain(product: Product, folder: Path, sink_port: int, count: int) -> float:
    """Start a sink, let the connection try again, return CPU-microseconds per message until all have arrived."""
    sink = Measured.start(sys.executable, "-m", "bench.sink", str(sink_port), log=folder / "sink.log")
    wait_for_port(sink_port)
    before = product.running.cpu_seconds()
    product.reconnect("1")
    wait_for_count(sink_port, count)
    used = product.running.cpu_seconds() - before
    sink.stop()
    return used / count * 1e6


def run(folder: Path) -> None:
    """Print memory, start time and the ratio of the costs."""
    product = Product(folder / "backlog")
    product.start()
    sink_port = free_port()
    product.set_up(sink_port)
    small = [measure_small(product, folder, sink_port, number) for number in range(SMALL_ROUNDS)]
    acknowledged, seconds = send(product.uplink_url, LARGE, 100_000)
    print(f"put {acknowledged} in {seconds:.1f} s; memory {product.running.memory_mb():.0f} MB")
    product.running.stop()
    ready = product.start()
    print(f"start to ready with {LARGE} waiting: {ready:.2f} s; memory {product.running.memory_mb():.0f} MB")
    large = drain(product, folder, sink_port, LARGE)
    print(f"peak memory {product.running.memory_mb(peak=True):.0f} MB")
    few = statistics.mean(small)
    print(
        f"CPU per drained message: {few:.0f} us with {SMALL}, {large:.0f} us with {LARGE}; ratio {large / few:.2f}"
    )
    product.running.stop()


def measure_small(product: Product, folder: Path, sink_port: int, number: int) -> float:
    """Return the cost with a small backlog: the tick of /proc is coarse, so it is repeated and averaged."""
    send(product.uplink_url, SMALL, 1 + number)
    return drain(product, folder, sink_port, SMALL)
