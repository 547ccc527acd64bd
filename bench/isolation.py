"""One bad destination harms no other: latency of 1,000 healthy connections without, and with, four bad ones.

Bad are: one that answers after 25 s, one that refuses, one that never answers a handshake, and one that drains a
backlog of 100,000 messages meanwhile. Beside all of them connections are made, and their first message is timed.
`python -m bench.isolation`
"""

import asyncio
import socket
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import httptools
import uvloop

from bench.load import KEY, send, write_uplinks
from bench.processes import free_port
from bench.product import Product
from longwire.demo.fleet import Fleet, uplink_request

HEALTHY = 1000
BACKLOG = 100_000
RATE = 200
SECONDS = 15
FRESH = 10


class Destination(asyncio.Protocol):
    """Answers after `delay`; tells `arrived` the path of each request."""

    def __init__(self, arrived: dict[bytes, float], delay: float) -> None:
        self.arrived, self.delay = arrived, delay

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """Collect the body."""
        self.body += body

    def on_message_complete(self) -> None:
        """Note the time, answer."""
        mark = self.body.partition(b'"mic_hex":"')[2][:8]
        self.arrived[self.body.partition(b'"DevEUI":"')[2][:16] + mark] = time.monotonic()
        self.body = b""
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)  # type: ignore[attr-defined]


def connect(product: Product, port: int, fleet: Fleet, index: int) -> None:
    """Make a connection to a port, and route one device of the fleet to it."""
    more = {"headers": {}, "maxInFlight": 16, "requestTimeout": "30s", "blamePeriod": 0}
    made = product.connect(f"http://127.0.0.1:{port}/", more)
    product.route([made], [fleet.devices[index].dev_eui])


class Load:
    """Sends uplinks of devices at a steady rate over one socket each 1/8 of them, and remembers when."""

    def __init__(self, product: Product, fleet: Fleet, first_counter: int) -> None:
        self.fleet, self.port = fleet, product.port
        self.target = product.url.partition(str(product.port))[2]
        self.counter = first_counter
        self.sent: dict[bytes, float] = {}

    async def run(self, devices: range, seconds: float) -> None:
        """Send for so long."""
        lanes = [list(devices)[number::8] for number in range(8)]
        await asyncio.gather(*(self._run_lane(lane, seconds) for lane in lanes if lane))
        await asyncio.sleep(1)  # for the last ones to arrive

    async def send_one(self, index: int) -> None:
        """Send one uplink of one device."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await self._send(reader, writer, index, self.counter)
        writer.close()

    async def _run_lane(self, devices: list[int], seconds: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        begin = time.monotonic()
        for number in range(int(seconds * RATE / 8)):
            await asyncio.sleep(max(0, begin + number * 8 / RATE - time.monotonic()))
            counter = self.counter + number // len(devices)
            await self._send(reader, writer, devices[number % len(devices)], counter)
        writer.close()

    async def _send(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, index: int, counter: int
    ) -> None:
        device = self.fleet.devices[index]
        query, body = uplink_request(device, counter, datetime.now(UTC), KEY, "TWA_1.1")
        mark = body.partition(b'"mic_hex":"')[2][:8]
        self.sent[device.dev_eui.encode() + mark] = time.monotonic()
        head = f"POST {self.target}?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(answer.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))


async def time_fresh(product: Product, fleet: Fleet, arrived: dict[bytes, float], port: int) -> list[float]:
    """Return how many seconds the first message of each of some new connections took, from its sending."""
    took = []
    for index in range(HEALTHY + 4, HEALTHY + 4 + FRESH):
        await asyncio.to_thread(connect, product, port, fleet, index)
        load = Load(product, fleet, 70_000)
        await load.send_one(index)
        ((mark, at),) = load.sent.items()
        while mark not in arrived and time.monotonic() - at < 30:  # noqa: ASYNC110 (told by nobody)
            await asyncio.sleep(0.001)
        took.append(arrived.get(mark, float("inf")) - at)
    return took


def p99_ms(load: Load, arrived: dict[bytes, float]) -> tuple[float, int]:
    """Return the 99th percentile from sending to arrival, and how many have not arrived."""
    times = sorted(arrived[mark] - at for mark, at in load.sent.items() if mark in arrived)
    return statistics.quantiles(times, n=100)[98] * 1000, len(load.sent) - len(times)


async def measure(folder: Path) -> None:
    """Print both percentiles and their ratio."""
    arrived: dict[bytes, float] = {}
    ports = {name: free_port() for name in ("healthy", "slow", "dead", "flood")}
    servers = [await listen(ports["healthy"], arrived, 0), await listen(ports["slow"], {}, 25)]
    hole = socket.create_server(("127.0.0.1", 0), backlog=0)
    product = Product(folder / "data")
    await asyncio.to_thread(product.start)
    fleet = Fleet(7, HEALTHY + 4 + FRESH)
    await asyncio.to_thread(set_up, product, fleet, ports, hole.getsockname()[1])
    print(f"{HEALTHY} connections open; memory {product.running.memory_mb():.0f} MB", flush=True)
    load = Load(product, fleet, 1000)
    await load.run(range(HEALTHY), SECONDS)
    alone, missing = p99_ms(load, arrived)
    print(f"healthy alone: p99 {alone:.1f} ms, {missing} missing", flush=True)
    await measure_beside(product, fleet, arrived, ports, alone)
    product.running.stop()
    for server in servers:
        server.close()
    hole.close()


async def measure_beside(
    product: Product, fleet: Fleet, arrived: dict[bytes, float], ports: dict[str, int], alone: float
) -> None:
    """Print what becomes of the healthy ones, and of new ones, while the bad ones are at work."""
    acknowledged, _ = await asyncio.to_thread(send_flood, product)
    drained: dict[bytes, float] = {}
    flooded = await listen(ports["flood"], drained, 0)
    await asyncio.to_thread(product.reconnect, "1")
    beside, bad = Load(product, fleet, 50_000), Load(product, fleet, 90_000)
    _, _, fresh = await asyncio.gather(
        beside.run(range(HEALTHY), SECONDS),
        bad.run(range(HEALTHY + 1, HEALTHY + 4), SECONDS / 10),
        time_fresh(product, fleet, arrived, ports["healthy"]),
    )
    harmed, missing = p99_ms(beside, arrived)
    print(
        f"with bad ones ({acknowledged} queued): p99 {harmed:.1f} ms, {missing} missing; ratio {harmed / alone:.2f}"
    )
    lasted = max(drained.values()) - min(drained.values())
    print(f"meanwhile drained {len(drained)}, {len(drained) / lasted:,.0f} a second")
    print(f"first message of a new connection: {statistics.median(fresh):.2f} s, at most {max(fresh):.2f} s")
    flooded.close()


async def listen(port: int, arrived: dict[bytes, float], delay: float) -> asyncio.Server:
    """Return a running destination."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Destination(arrived, delay), "127.0.0.1", port)


def set_up(product: Product, fleet: Fleet, ports: dict[str, int], hole: int) -> None:
    """Make the flooded connection first (it is number 1, and catches all others), then the rest."""
    product.route([product.connect(f"http://127.0.0.1:{ports['flood']}/")])
    product.listen()
    for index in range(HEALTHY):
        connect(product, ports["healthy"], fleet, index)
    for number, port in enumerate((ports["slow"], ports["dead"], hole)):
        connect(product, port, fleet, HEALTHY + 1 + number)


def send_flood(product: Product) -> tuple[int, float]:
    """Fill the backlog of the flooded connection from a process of its own: 64 other devices."""
    uplinks = write_uplinks(product.folder.parent / "flood", BACKLOG, devices=64)
    return send(product.url, uplinks)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        uvloop.run(measure(Path(name)))
    sys.exit(0)
