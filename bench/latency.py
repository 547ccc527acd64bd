"""From ingest to sink at half load, and beside a destination that takes a second: `python -m bench.latency [RATE]`."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import uvloop

from bench.load import SEED, as_requests, send, uplinks_of, write_uplinks
from bench.peers import RELAY
from bench.processes import free_port
from bench.product import Product
from bench.sink import Address
from bench.steady import Times, describe, histogram, listen, send_steadily
from bench.systems import LONGWIRE, ONE, PROTOTYPE, Contender
from longwire.demo.fleet import Device, Fleet

RATE = 1000.0
SECONDS = 20.0
WARM_UP_S = 2.0
WARM = 100_000
"""A counter that the warming does not reach."""
FAST, SLOW = 1000, 200
"""Devices of the connection that is measured, and of the one whose destination takes a second."""
SLOW_TAKES_S = 1.0
SLOW_IN_FLIGHT = 64


async def measure_at(url: str, arrived: Times, rate: float, seconds: float, first: int = 1) -> dict[str, Any]:
    """Return percentiles and histogram of a steady rate to a URL, counters from `first`."""
    uplinks = uplinks_of(Fleet(SEED, FAST).devices, int(rate * seconds), first)
    due = await send_steadily(url, as_requests(url, uplinks), rate)
    return {"rate": rate, **describe(due, arrived), "histogram": histogram(due, arrived)}


async def measure_system(contender: Contender, folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Return the figures of a system that has nothing else to do."""
    arrived: Times = {}
    port = free_port()
    server = await listen(port, arrived)
    system = await asyncio.to_thread(contender.start, folder, Address(port), ONE)
    await measure_at(system.url, arrived, rate / 4, WARM_UP_S)
    figures = await measure_at(system.url, arrived, rate, seconds, first=WARM)
    await asyncio.to_thread(system.stop)
    server.close()
    return figures


async def measure_beside_slow(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Return the product's figures without, and with a second connection whose destination takes a second.

    That one always has more to do than it can; `slow_rate` is how many messages a second it gets.
    """
    arrived: Times = {}
    slow_arrived: Times = {}
    ports = free_port(), free_port()
    servers = [await listen(ports[0], arrived), await listen(ports[1], slow_arrived, SLOW_TAKES_S)]
    devices = Fleet(SEED, FAST + SLOW).devices
    product = Product(folder / "slow")
    await asyncio.to_thread(connect, product, dict(zip(ports, (devices[:FAST], devices[FAST:]), strict=True)))
    await measure_at(product.url, arrived, rate, WARM_UP_S)
    alone = await measure_at(product.url, arrived, rate, seconds, first=WARM)
    more_than_it_can = int(SLOW_IN_FLIGHT * (seconds + 10))
    uplinks = write_uplinks(folder / "uplinks", more_than_it_can, devices=devices[FAST:])
    await asyncio.to_thread(send, product.url, uplinks)
    before, begin = len(slow_arrived), time.monotonic()
    beside = await measure_at(product.url, arrived, rate, seconds, first=2 * WARM)
    beside["slow_rate"] = (len(slow_arrived) - before) / (time.monotonic() - begin)
    await asyncio.to_thread(product.running.stop)
    for server in servers:
        server.close()
    return {"alone": alone, "beside_slow": beside}


def connect(product: Product, destinations: Mapping[int, Sequence[Device]]) -> None:
    """Start the product; make a connection to each port, for its devices."""
    product.start()
    product.listen()
    for port, devices in destinations.items():
        made = product.connect(f"http://127.0.0.1:{port}/", {"maxInFlight": SLOW_IN_FLIGHT})
        product.route([made], [device.dev_eui for device in devices])


async def measure(folder: Path, rate: float, seconds: float) -> dict[str, Any]:
    """Return the figures of each system at half of Longwire's load, and beside the slow destination at a tenth."""
    half_load = {
        each.name: await measure_system(each, folder, rate, seconds)
        for each in (LONGWIRE, PROTOTYPE, RELAY)
        if not await asyncio.to_thread(each.lacks)
    }
    return {"half_load": half_load, **await measure_beside_slow(folder, rate / 5, seconds)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        wanted = float(sys.argv[1]) if len(sys.argv) > 1 else RATE
        for part, figures in uvloop.run(measure(Path(name), wanted, SECONDS)).items():
            print(part, figures)
