"""Longwire under measurement: started with a data folder, set up through its API."""

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from bench.processes import Measured, free_port, wait_for_port

KEY = "46ab678cd45df4a4a7e4b375eacd096a"
OWNER = "bench-owner-key-0123456789"


class Product:
    """One `longwire serve` on a data folder that outlives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.uplink_url = ""

    def start(self) -> float:
        """Start it; return the seconds until it was ready."""
        environment = {
            "LONGWIRE_DATA": str(self.folder),
            "LONGWIRE_PORT": str(self.port),
            "LONGWIRE_OWNER_KEY": OWNER,
            "LONGWIRE_ALLOW_DESTINATIONS": "loopback",
        }
        begin = time.monotonic()
        longwire = str(Path(sys.executable).with_name("longwire"))
        log = self.folder.with_suffix(".log")
        self.running = Measured.start(longwire, "serve", log=log, environment=environment)
        wait_for_port(self.port)
        self.call("GET", "/readyz")
        return time.monotonic() - begin

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {OWNER}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.loads(response.read() or b"null")

    def set_up(self, sink_port: int, max_in_flight: int = 64) -> str:
        """Make a network server, one connection with two patterned headers, a catch-all flow."""
        base = "/iot-flow/v1"
        configuration = {
            "destinationURL": f"http://127.0.0.1:{sink_port}/uplinks",
            "headers": {"X-Thing": "{DevEUI}", "X-Name": "{CustomerData.name|DevEUI|'None'}"},
            "maxInFlight": max_in_flight,
        }
        self.connection = {"connectorId": "actility-http-iot", "configuration": configuration}
        connection_id: str = self.call("POST", f"{base}/connections", self.connection)["id"]
        self.call("POST", f"{base}/flows", {"connectors": [{"connectionId": connection_id}]})
        server = {"name": "bench", "type": "thingpark", "configuration": {"asKey": KEY}}
        self.uplink_url = (
            f"http://127.0.0.1:{self.port}/ingest/"
            + self.call("POST", f"{base}/networkServers", server)["id"]
        )
        return connection_id

    def reconnect(self, connection_id: str) -> None:
        """Let the connection try at once: an update does."""
        self.call("PUT", f"/iot-flow/v1/connections/{connection_id}", self.connection)


def count_at(port: int) -> int:
    """Return how many requests the sink got."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=10) as response:
        return int(response.read())


def wait_for_count(port: int, count: int, seconds: float = 300) -> float:
    """Return after how many seconds the sink had got so many."""
    begin = time.monotonic()
    while (got := count_at(port)) < count:
        if time.monotonic() - begin > seconds:
            sys.exit(f"only {got} of {count} arrived")
        time.sleep(0.05)
    return time.monotonic() - begin


def send(url: str, count: int, first: int, *, devices: int = 1024, rate: float = 0) -> tuple[int, float]:
    """Send uplinks from a process of its own; return how many were acknowledged, and in how many seconds."""
    import subprocess

    command = (
        sys.executable,
        "-m",
        "bench.sender",
        url,
        KEY,
        str(devices),
        str(count),
        str(first),
        "64",
        str(rate),
    )
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(output[0]), float(output[1])
