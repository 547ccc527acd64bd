"""Sends signed 950-byte ThingPark uplinks of many devices over keep-alive sockets, each device's in order.

`python -m bench.sender URL KEY DEVICES COUNT FIRST_COUNTER [CONNECTIONS] [RATE]`: RATE 0 is as fast as it goes.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from urllib.parse import urlsplit

import uvloop

from longwire.demo.fleet import Fleet, uplink_request


def build_requests(target: str, key: str, devices: int, count: int, first: int) -> list[bytes]:
    """Return `count` whole HTTP requests, the devices in turn."""
    fleet = Fleet(1, devices)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    requests = []
    for number in range(count):
        device = fleet.devices[number % devices]
        query, body = uplink_request(device, first + number // devices, now, key or None, "TWA_1.1")
        head = f"POST {target}?{query} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        requests.append(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
    return requests


async def send_share(host: str, port: int, requests: list[bytes], pause: float) -> int:
    """Send one request after the other on one socket; return how many were answered 200."""
    reader, writer = await asyncio.open_connection(host, port)
    acknowledged = 0
    begin = time.monotonic()
    for number, request in enumerate(requests):
        if pause and (wait := begin + number * pause - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        acknowledged += head.startswith(b"HTTP/1.1 200")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()
    return acknowledged


async def main() -> None:
    """Build everything first, then send, then print the count and the seconds."""
    url, key, devices, count, first = sys.argv[1:6]
    connections = int(sys.argv[6]) if len(sys.argv) > 6 else 64
    rate = float(sys.argv[7]) if len(sys.argv) > 7 else 0.0
    parts = urlsplit(url)
    requests = build_requests(parts.path, key, int(devices), int(count), int(first))
    shares = [requests[number::connections] for number in range(connections)]
    begin = time.monotonic()
    host, port = parts.hostname or "", parts.port or 80
    pause = connections / rate if rate else 0.0
    results = await asyncio.gather(*(send_share(host, port, share, pause) for share in shares))
    print(sum(results), time.monotonic() - begin, flush=True)


if __name__ == "__main__":
    uvloop.run(main())
