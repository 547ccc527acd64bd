"""From ingest to sink at half load, and beside a destination that takes a second: `python -m bench.latency [RATE]`."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from bench.load import SEED, as_requests, send, uplinks_of, write_uplinks
from bench.processes import free_port
from bench.product import Product
from bench.steady import Times, describe, histogram, listen, send_steadily
from longwire.demo.fleet import Fleet

RATE = 1000.0
SECONDS = 20.0
FAST, SLOW = 1000, 200
"""Devices of the connection that is measured, and of the one whose destination takes a second."""
SLOW_TAKES_S = 1.0
SLOW_IN_FLIGHT = 64


class Latency:
    """A product with two connections: to a destination that answers at once, and to one that takes a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._devices = Fleet(SEED, FAST + SLOW).devices
        self._counter = 1
        self._arrived: Times = {}
        self._slow_arrived: Times = {}
        self._ports = free_port(), free_port()
        self.product = Product(folder / "data")

    async def start(self) -> None:
        """Begin to listen; connect the product."""
        self._servers = [
            await listen(self._ports[0], self._arrived),
            await listen(self._ports[1], self._slow_arrived, SLOW_TAKES_S),
        ]
        await asyncio.to_thread(self._connect)

    async def measure(self, rate: float, seconds: float) -> dict[str, Any]:
        """Return percentiles and histogram at a steady rate."""
        uplinks = uplinks_of(self._devices[:FAST], int(rate * seconds), self._counter)
        self._counter += int(rate * seconds) // FAST + 1
        due = await send_steadily(self.product.url, as_requests(self.product.url, uplinks), rate)
        return {
            "rate": rate,
            **describe(due, self._arrived),
            "histogram": histogram(due, self._arrived),
        }

    async def measure_beside_slow(self, rate: float, seconds: float) -> dict[str, Any]:
        """Return the same while the other connection has more than it can do, and how many a second that gets."""
        more_than_it_can = int(SLOW_IN_FLIGHT * (seconds + 10))
        uplinks = write_uplinks(self._folder / "slow", more_than_it_can, devices=self._devices[FAST:])
        await asyncio.to_thread(send, self.product.url, uplinks)
        before, begin = len(self._slow_arrived), asyncio.get_running_loop().time()
        beside = await self.measure(rate, seconds)
        passed = asyncio.get_running_loop().time() - begin
        return beside | {"slow_rate": (len(self._slow_arrived) - before) / passed}

    async def stop(self) -> None:
        """End it."""
        await asyncio.to_thread(self.product.running.stop)
        for server in self._servers:
            server.close()

    def _connect(self) -> None:
        self.product.start()
        self.product.listen()
        for port, devices in zip(self._ports, (self._devices[:FAST], self._devices[FAST:]), strict=True):
            made = self.product.connect(f"http://127.0.0.1:{port}/", {"maxInFlight": SLOW_IN_FLIGHT})
            self.product.route([made], [device.dev_eui for device in devices])


async def measure(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Return the figures at half load, then without and with the slow destination at a tenth of the load."""
    latency = Latency(folder)
    await latency.start()
    await latency.measure(rate / 4, 2)  # warms it
    figures = {
        "half_load": await latency.measure(rate, seconds),
        "alone": await latency.measure(rate / 5, seconds),
        "beside_slow": await latency.measure_beside_slow(rate / 5, seconds),
    }
    await latency.stop()
    return figures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        wanted = float(sys.argv[1]) if len(sys.argv) > 1 else RATE
        for part, figures in uvloop.run(measure(Path(name), wanted, SECONDS)).items():
            print(part, figures)
