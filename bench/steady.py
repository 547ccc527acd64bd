"""A steady load, and destinations that note when each uplink arrives: how long it took from when it was due.

Sender and destinations are one process, so one clock. A sender that is late is not forgiven: what waits behind
an answer that has not come is late too.
"""

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

import httptools

from bench.load import SOCKETS, read_answer

LAST_ONES_S = 1.0
BOUNDS_MS = (0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20, 25, 35, 50, 75, 100, 200, 500)
"""Where the bars of a histogram end; what took longer is in one more."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

Times = dict[bytes, float]


def mark_of(request: bytes) -> bytes:
    """Return what tells an uplink from all others: its device and its integrity code."""
    return request.partition(b'"DevEUI":"')[2][:16] + request.partition(b'"mic_hex":"')[2][:8]


class Destination(asyncio.Protocol):
    """A socket that answers after `delay_s`, and notes in `arrived` when each uplink was complete."""

    def __init__(self, arrived: Times, delay_s: float) -> None:
        self._arrived, self._delay_s = arrived, delay_s
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._arrived[mark_of(self._body)] = time.monotonic()
        self._body = b""
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)


async def listen(port: int, arrived: Times, delay_s: float = 0) -> asyncio.Server:
    """Return a running destination."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Destination(arrived, delay_s), "127.0.0.1", port)


async def send_steadily(url: str, requests: Sequence[bytes], rate: float) -> Times:
    """Send `rate` requests a second over 64 sockets; return when each was due, once the last had time to arrive."""
    due: Times = {}
    begin = time.monotonic() + 0.1
    await asyncio.gather(
        *(
            _send_share(url, requests, (number, begin, rate), due)
            for number in range(min(SOCKETS, len(requests)))
        )
    )
    await asyncio.sleep(LAST_ONES_S)
    return due


async def _send_share(
    url: str, requests: Sequence[bytes], share: tuple[int, float, float], due: Times
) -> None:
    number, begin, rate = share
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for turn in range(number, len(requests), SOCKETS):
        at = begin + turn / rate
        due[mark_of(requests[turn])] = at
        await asyncio.sleep(max(0, at - time.monotonic()))
        writer.write(requests[turn])
        await read_answer(reader)
    writer.close()


def describe(due: Mapping[bytes, float], arrived: Mapping[bytes, float]) -> dict[str, float]:
    """Return the percentiles in milliseconds, how many have arrived, and how many have not."""
    took = _took_ms(due, arrived)
    cuts = statistics.quantiles(took, n=100)
    return {
        "p50_ms": cuts[49],
        "p95_ms": cuts[94],
        "p99_ms": cuts[98],
        "count": len(took),
        "missing": len(due) - len(took),
    }


def histogram(due: Mapping[bytes, float], arrived: Mapping[bytes, float]) -> list[int]:
    """Return how many took how long: one number for each of `BOUNDS_MS`, one for what took longer."""
    counts = [0] * (len(BOUNDS_MS) + 1)
    for took in _took_ms(due, arrived):
        counts[sum(bound < took for bound in BOUNDS_MS)] += 1
    return counts


def _took_ms(due: Mapping[bytes, float], arrived: Mapping[bytes, float]) -> list[float]:
    return [(arrived[mark] - at) * 1000 for mark, at in due.items() if mark in arrived]
