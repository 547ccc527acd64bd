"""A large backlog beside a small one: CPU per message while it drains, memory, start, and ingest meanwhile.

`python -m bench.backlog [HOW_MANY]`
"""

import statistics
import sys
import tempfile
from pathlib import Path

from bench.load import DEVICES, fill, send, write_uplinks
from bench.processes import free_port
from bench.product import Product
from bench.sink import Address, Sink

LARGE = 1_000_000
SMALL = 1_000
SMALL_ROUNDS = 20


class Backlog:
    """One connection to a destination that is there or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sink_port = free_port()
        self.product = Product(folder / "data")
        self.product.start()
        self.connection_id = self.product.connect(Address(self.sink_port).url())
        self.product.route([self.connection_id])
        self.product.listen()
        self._counter = 1

    def put(self, count: int) -> int:
        """Send new uplinks; return how many were acknowledged."""
        first, self._counter = self._counter, self._counter + count // DEVICES + 1
        return fill(self.product.url, self.folder, count, first)

    def drain(self, count: int) -> float:
        """Start the destination, return CPU-microseconds per message until `count` have arrived."""
        self.sink = Sink.start(self.folder, self.sink_port)
        before = self.product.running.cpu_seconds()
        self.product.reconnect(self.connection_id)
        self.sink.wait_for(count)
        return (self.product.running.cpu_seconds() - before) / count * 1e6

    def ingest_rate(self, count: int) -> float:
        """Return how many uplinks a second are acknowledged now."""
        uplinks = write_uplinks(self.folder / "meanwhile", count, first=self._counter)
        self._counter += count // DEVICES + 1
        accepted, seconds = send(self.product.url, uplinks)
        return accepted / seconds


def measure_small(backlog: Backlog) -> float:
    """Return the cost with a small backlog."""
    backlog.put(SMALL)
    cost = backlog.drain(SMALL)
    backlog.sink.stop()
    return cost


def measure(folder: Path, large: int) -> dict[str, float]:
    """Return the figures by their names."""
    backlog = Backlog(folder)
    running = backlog.product.running
    few = statistics.mean(measure_small(backlog) for _ in range(SMALL_ROUNDS))
    backlog.put(large)
    figures: dict[str, float] = {"count": large, "put_mb": running.memory_mb()}
    running.stop()
    figures["ready_s"] = backlog.product.start()
    running = backlog.product.running
    figures["ready_mb"] = running.memory_mb()
    many = backlog.drain(large // 2)
    meanwhile = backlog.ingest_rate(large // 50)
    backlog.sink.wait_for(large + large // 50)
    alone = backlog.ingest_rate(large // 50)
    figures |= {"peak_mb": running.memory_mb(peak=True), "small_us": few, "large_us": many}
    running.stop()
    backlog.sink.stop()
    return figures | {
        "cost_ratio": many / few,
        "memory_ratio": figures["peak_mb"] / figures["put_mb"],
        "ingest_ratio": meanwhile / alone,
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(measure(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else LARGE))
