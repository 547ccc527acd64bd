"""10,000 connections open at a start: how long until all are OPENED, how many at once; and what they cost at rest.

Each has a destination of its own: another address of the loopback network. `python -m bench.openings [COUNT]`
"""

import asyncio
import logging
import resource
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

import structlog
import uvloop

from bench.processes import free_port
from bench.product import OWNER, Product
from longwire.clock import SystemClock
from longwire.core.configuration import parse_connection
from longwire.opened import open_store
from longwire.settings import Settings

COUNT = 10_000
AT_ONCE = 500
REST_S = 30.0


class Visitor(asyncio.Protocol):
    """Accepts; knows how many are here, and how many were at most within a tenth of a second."""

    here = 0
    opened: list[float] = []  # noqa: RUF012

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: ARG002
        """Count the socket."""
        Visitor.here += 1
        Visitor.opened.append(time.monotonic())

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Count it no more."""
        Visitor.here -= 1


def url_of(number: int, port: int) -> str:
    """Return a destination of its own for each connection."""
    return f"http://127.1.{number // 250}.{number % 250 + 1}:{port}/"


async def fill(folder: Path, count: int, port: int) -> None:
    """Make a store with so many connections that have never run."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    settings = Settings(data=folder, owner_key=OWNER)
    async with open_store(settings, SystemClock()) as store:
        for begin in range(0, count, AT_ONCE):
            documents = [
                {
                    "connectorId": "actility-http-iot",
                    "configuration": {"destinationURL": url_of(number, port)},
                }
                for number in range(begin, min(begin + AT_ONCE, count))
            ]
            created = (store.configurations.create(parse_connection(each)) for each in documents)
            await asyncio.gather(*created)


def count_opened(folder: Path) -> int:
    """Return how many connections are OPENED on disk."""
    with sqlite3.connect(f"file:{folder}/longwire.db?mode=ro", uri=True) as store:
        (count,) = store.execute("SELECT count(*) FROM connection_state WHERE status = 'OPENED'").fetchone()
    store.close()
    return int(count)


def busiest(times: list[float], span: float) -> int:
    """Return the largest number of openings within any `span` seconds."""
    ordered = sorted(times)
    begin = most = 0
    for end, at in enumerate(ordered):
        while at - ordered[begin] > span:
            begin += 1
        most = max(most, end - begin + 1)
    return most


async def measure(folder: Path, count: int, rest_s: float) -> dict[str, float]:
    """Make the store, start Longwire, watch it open, let the sockets come to rest, then watch it rest."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    server = await asyncio.get_running_loop().create_server(Visitor, "0.0.0.0", port, backlog=4096)
    await fill(folder / "data", count, port)
    product = Product(folder / "data")
    begin = time.monotonic()
    ready_s = await asyncio.to_thread(product.start)
    while len(Visitor.opened) < count or count_opened(folder / "data") < count:  # noqa: ASYNC110 (told by nobody)
        await asyncio.sleep(0.2)
    opened_s, running = time.monotonic() - begin, product.running
    opening_cpu_s = running.cpu_seconds()
    await asyncio.sleep(rest_s)
    before, begin = running.cpu_seconds(), time.monotonic()
    await asyncio.sleep(rest_s)
    resting = (running.cpu_seconds() - before) / (time.monotonic() - begin)
    figures = {
        "connections": count,
        "ready_s": ready_s,
        "opened_s": opened_s,
        "opening_cpu_s": opening_cpu_s,
        "most_sockets_in_100_ms": busiest(Visitor.opened, 0.1),
        "memory_mb": running.memory_mb(),
        "peak_mb": running.memory_mb(peak=True),
        "resting_percent_of_a_core": 100 * resting,
    }
    await asyncio.to_thread(running.stop)
    server.close()
    return figures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(uvloop.run(measure(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else COUNT, REST_S)))
