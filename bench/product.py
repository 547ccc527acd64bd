"""Longwire under measurement: started with a data folder, set up through its API."""

import json
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.load import KEY
from bench.processes import Measured, free_port, wait_for_port

OWNER = "bench-owner-key-0123456789"
BASE = "/iot-flow/v1"
SERVE = (str(Path(sys.executable).with_name("longwire")), "serve")
HEADERS = {"X-Thing": "{DevEUI}", "X-Name": "{CustomerData.name|DevEUI|'None'}"}


class Product:
    """One `longwire serve` on a data folder that outlives it."""

    def __init__(self, folder: Path, command: Sequence[str] = SERVE) -> None:
        self.folder = folder
        self._command = command
        self.port = free_port()
        self.url = ""

    def start(self) -> float:
        """Start it; return the seconds until it was ready."""
        environment = {
            "LONGWIRE_DATA": str(self.folder),
            "LONGWIRE_PORT": str(self.port),
            "LONGWIRE_OWNER_KEY": OWNER,
            "LONGWIRE_ALLOW_DESTINATIONS": "loopback",
        }
        begin = time.monotonic()
        log = self.folder.with_suffix(".log")
        self.running = Measured.start(*self._command, log=log, environment=environment)
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

    def connect(self, url: str, more: Mapping[str, Any] | None = None) -> str:
        """Make a connection with two patterned headers and 64 in flight; return its id."""
        configuration = {"destinationURL": url, "headers": HEADERS, "maxInFlight": 64, **(more or {})}
        document = {"connectorId": "actility-http-iot", "configuration": configuration}
        return str(self.call("POST", f"{BASE}/connections", document)["id"])

    def route(self, connection_ids: list[str], dev_euis: list[str] | None = None) -> None:
        """Make a flow from some devices, or from all, to connections."""
        flow: dict[str, Any] = {"connectors": [{"connectionId": each} for each in connection_ids]}
        if dev_euis is not None:
            flow["matchers"] = [{"type": "key", "key": f"lora:{each}"} for each in dev_euis]
        self.call("POST", f"{BASE}/flows", flow)

    def listen(self) -> None:
        """Make the network server whose Token the load signs; `url` is where uplinks go then."""
        server = {"name": "bench", "type": "thingpark", "configuration": {"asKey": KEY}}
        network_server_id = self.call("POST", f"{BASE}/networkServers", server)["id"]
        self.url = f"http://127.0.0.1:{self.port}/ingest/{network_server_id}"

    def reconnect(self, connection_id: str) -> None:
        """Let the connection try at once."""
        self.call("POST", f"{BASE}/connections/{connection_id}/restart")
