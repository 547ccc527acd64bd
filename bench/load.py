"""The load: signed uplinks of 1,000 devices by our simulated fleet, made once, sent by wrk or by ourselves.

`python -m bench.load URL FILE SOCKETS` is our own sender.
"""

import asyncio
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from longwire.demo.fleet import Device, Fleet, uplink_request

KEY = "46ab678cd45df4a4a7e4b375eacd096a"
DEVICES = 1000
SOCKETS = 64
SEED = 1
PATIENCE_S = 900
PART = 100_000
SENDER = "wrk" if shutil.which("wrk") else "our own sender"


def uplinks_of(devices: Sequence[Device], count: int, first: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield query and body of `count` uplinks, the devices in turn, their counters from `first`."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for number in range(count):
        device = devices[number % len(devices)]
        query, body = uplink_request(device, first + number // len(devices), now, KEY, "TWA_1.1")
        yield query.encode(), body


def write_uplinks(path: Path, count: int, *, first: int = 1, devices: Sequence[Device] | None = None) -> Path:
    """Write `count` uplinks, a line with the query and one with the body for each; return the file."""
    with path.open("wb") as file:
        for query, body in uplinks_of(devices or Fleet(SEED, DEVICES).devices, count, first):
            file.write(query + b"\n" + body + b"\n")
    return path


def read_uplinks(path: Path) -> list[tuple[bytes, bytes]]:
    """Return query and body of each uplink in a file."""
    lines = iter(path.read_bytes().splitlines())
    return list(zip(lines, lines, strict=True))


def as_requests(url: str, uplinks: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    """Return whole HTTP requests that hand uplinks to a URL."""
    head = f"POST {urlsplit(url).path}?%b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
    head += b"Content-Length: %d\r\n\r\n%b"
    return [head % (query, len(body), body) for query, body in uplinks]


def send(url: str, uplinks: Path, *, own: bool = SENDER != "wrk") -> tuple[int, float]:
    """Send a file's uplinks from a process of its own; return how many were answered 200, and in how many seconds.

    `own` asks for our own sender. What listens at a tcp: URL answers nothing and gets the bodies as lines.
    """
    if url.startswith("tcp:"):
        return send_lines(url, uplinks)
    ours = (sys.executable, "-m", "bench.load", url, str(uplinks), str(SOCKETS))
    script = str(Path(__file__).with_name("uplinks.lua"))
    wrk = ("wrk", "-t1", f"-c{SOCKETS}", "-d1h", "-s", script, url, "--", str(uplinks), urlsplit(url).path)
    begin = time.monotonic()
    result = subprocess.run(
        ours if own else wrk, check=True, capture_output=True, text=True, timeout=PATIENCE_S
    )
    return int(result.stdout.split()[-1]), time.monotonic() - begin


def send_lines(url: str, uplinks: Path) -> tuple[int, float]:
    """Send the bodies, each in a line; return how many that were, and in how many seconds."""
    bodies = [body + b"\n" for _, body in read_uplinks(uplinks)]
    parts = urlsplit(url)
    begin = time.monotonic()
    with socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE_S) as sender:
        sender.sendall(b"".join(bodies))
    return len(bodies), time.monotonic() - begin


def fill(url: str, folder: Path, count: int, first: int) -> int:
    """Send so many uplinks in parts that fit into memory; return how many were answered 200."""
    accepted = 0
    for begin in range(0, count, PART):
        part = write_uplinks(folder / "part", min(PART, count - begin), first=first + begin // DEVICES)
        accepted += send(url, part)[0]
        part.unlink()
    return accepted


async def send_share(url: str, requests: list[bytes]) -> int:
    """Send one request after the other on one socket; return how many were answered 200."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    accepted = 0
    for request in requests:
        writer.write(request)
        accepted += await read_answer(reader)
    writer.close()
    return accepted


async def read_answer(reader: asyncio.StreamReader) -> bool:
    """Read one answer to its end; return whether it is 200."""
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
    return head.startswith(b"HTTP/1.1 200")


async def main() -> None:
    url, uplinks, sockets = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    requests = as_requests(url, read_uplinks(uplinks))
    shares = (requests[number::sockets] for number in range(sockets))
    print(sum(await asyncio.gather(*(send_share(url, share) for share in shares if share))))


if __name__ == "__main__":
    uvloop.run(main())
