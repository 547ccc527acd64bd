"""How much of the prototype's efficiency the product has: one ratio, in some 20 s, with our own sender and sink.

`python -m bench.guard` prints it, `python -m bench guard` records it; tests/e2e/test_speed.py compares the two.
"""

import statistics
import tempfile
from pathlib import Path

from bench.load import send, write_uplinks
from bench.sink import Sink
from bench.systems import LONGWIRE, ONE, PROTOTYPE, System

ALTERNATIONS = 5
COUNT = 2_000


class Pair:
    """Product and prototype at work side by side, one idle while the other is measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sink = Sink.start(folder, own=True)
        self._systems = [each.start(folder, self._sink.address, ONE) for each in (LONGWIRE, PROTOTYPE)]
        self._arrived = 0
        self._first = 1

    def ratio(self) -> float:
        """Return the CPU time of the prototype by that of the product, for the same uplinks."""
        uplinks = write_uplinks(self._folder / "uplinks", COUNT, first=self._first)
        self._first += COUNT
        product, prototype = [self._cpu_seconds(each, uplinks) for each in self._systems]
        return prototype / product

    def stop(self) -> None:
        """End all of it."""
        for each in self._systems:
            each.stop()
        self._sink.stop()

    def _cpu_seconds(self, system: System, uplinks: Path) -> float:
        before = system.cpu_seconds()
        send(system.url, uplinks, own=True)
        self._arrived += COUNT
        self._sink.wait_for(self._arrived)
        return system.cpu_seconds() - before


def measure(folder: Path) -> dict[str, float]:
    """Return the median of the alternations, and each of them."""
    pair = Pair(folder)
    pair.ratio()  # warms both
    ratios = [pair.ratio() for _ in range(ALTERNATIONS)]
    pair.stop()
    return {"ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(measure(Path(name)))
