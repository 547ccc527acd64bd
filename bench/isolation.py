"""One bad destination harms no other: latency of 1,000 healthy connections without, and with, four bad ones.

Bad are: one that answers after 25 s, one that refuses, one that never answers a handshake, and one that drains a
backlog of 100,000 messages meanwhile. Beside all of them connections are made, and their first message is timed.
`python -m bench.isolation`
"""

import asyncio
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.load import SEED, as_requests, send, uplinks_of, write_uplinks
from bench.processes import free_port
from bench.product import Product
from bench.steady import Times, describe, listen, send_steadily
from longwire.demo.fleet import Device, Fleet

HEALTHY = 1000
BAD = 3
FRESH = 10
FLOOD = 64
BACKLOG = 100_000
RATE = 200
SECONDS = 15
FRESH_WITHIN_S = 30


class World:
    """A product with a connection for each healthy device, for three bad ones, and one that catches the rest."""

    def __init__(self, folder: Path, healthy: int, backlog: int) -> None:
        self.folder = folder
        self.backlog = backlog
        devices = Fleet(SEED, healthy + BAD + FRESH + FLOOD).devices
        self.healthy, others = devices[:healthy], devices[healthy:]
        self.bad, self.fresh, self.flooding = others[:BAD], others[BAD:-FLOOD], others[-FLOOD:]
        self.arrived: Times = {}
        self.drained: Times = {}
        self.ports = {name: free_port() for name in ("healthy", "slow", "dead", "flood")}
        self.product = Product(folder / "data")

    async def start(self) -> None:
        """Begin to listen, but for the flood; connect everything."""
        self.servers = [
            await listen(self.ports["healthy"], self.arrived),
            await listen(self.ports["slow"], {}, 25),
        ]
        self.hole = socket.create_server(("127.0.0.1", 0), backlog=0)
        await asyncio.to_thread(self._connect)

    async def send(self, devices: tuple[Device, ...], count: int, first: int) -> Times:
        """Send uplinks of devices at the steady rate; return when each was due."""
        requests = as_requests(self.product.url, uplinks_of(devices, count, first))
        return await send_steadily(self.product.url, requests, RATE)

    def flood(self) -> None:
        """Fill the backlog of the connection that catches the rest."""
        uplinks = write_uplinks(self.folder / "flood", self.backlog, devices=self.flooding)
        send(self.product.url, uplinks)

    def connect(self, port: int, device: Device) -> None:
        """Make a connection to a port, and route one device to it."""
        more = {"headers": {}, "maxInFlight": 16, "requestTimeout": "30s", "blamePeriod": 0}
        made = self.product.connect(f"http://127.0.0.1:{port}/", more)
        self.product.route([made], [device.dev_eui])

    async def stop(self) -> None:
        """End it."""
        await asyncio.to_thread(self.product.running.stop)
        for server in self.servers:
            server.close()
        self.hole.close()

    def _connect(self) -> None:
        self.product.start()
        self.product.listen()
        self.flooded = self.product.connect(f"http://127.0.0.1:{self.ports['flood']}/")
        self.product.route([self.flooded])
        for device in self.healthy:
            self.connect(self.ports["healthy"], device)
        bad = (self.ports["slow"], self.ports["dead"], self.hole.getsockname()[1])
        for port, device in zip(bad, self.bad, strict=True):
            self.connect(port, device)


async def time_fresh(world: World) -> list[float]:
    """Return how many seconds the first message of each of some new connections took, from its sending."""
    took = []
    for device in world.fresh:
        await asyncio.to_thread(world.connect, world.ports["healthy"], device)
        requests = as_requests(world.product.url, uplinks_of((device,), 1, 1))
        ((mark, at),) = (await send_steadily(world.product.url, requests, RATE)).items()
        while mark not in world.arrived and time.monotonic() - at < FRESH_WITHIN_S:  # noqa: ASYNC110 (told by nobody)
            await asyncio.sleep(0.001)
        took.append(world.arrived.get(mark, float("inf")) - at)
    return took


async def measure(folder: Path, healthy: int, backlog: int) -> dict[str, Any]:
    """Return the figures of the healthy alone and beside the bad ones."""
    world = World(folder, healthy, backlog)
    await world.start()
    figures = {"healthy": healthy, "backlog": backlog, "memory_mb": world.product.running.memory_mb()}
    alone = describe(await world.send(world.healthy, RATE * SECONDS, 1), world.arrived)
    await asyncio.to_thread(world.flood)
    world.servers.append(await listen(world.ports["flood"], world.drained))
    await asyncio.to_thread(world.product.reconnect, world.flooded)
    due, _, fresh = await asyncio.gather(
        world.send(world.healthy, RATE * SECONDS, 1000),
        world.send(world.bad, RATE, 1),
        time_fresh(world),
    )
    beside = describe(due, world.arrived)
    begin, end = min(due.values()), max(due.values())
    drained = sum(begin <= at <= end for at in world.drained.values())
    await world.stop()
    return figures | {
        "alone": alone,
        "beside": beside,
        "ratio": beside["p99_ms"] / alone["p99_ms"],
        "drained_per_s": drained / (end - begin),
        "fresh_s": {"median": statistics.median(fresh), "most": max(fresh)},
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        for part, value in uvloop.run(measure(Path(name), HEALTHY, BACKLOG)).items():
            print(part, value)
