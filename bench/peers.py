"""Others that do similar work, with the pieces they are usually made of."""

import shutil
import subprocess
from functools import cache
from pathlib import Path

from bench.processes import Measured, free_port, wait_for_port
from bench.sink import Sink
from bench.systems import ONE, WORKLOADS, Contender, System, Workload

HERE = Path(__file__).parent
INSTALLED = HERE.parent / "var" / "bench"
"""Where what they need is kept between runs."""


@cache
def install_relay() -> Path:
    """Return the folder that holds the relay and its one dependency."""
    folder = INSTALLED / "relay"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "relay.mjs", folder)
    if not (folder / "node_modules" / "undici").exists():
        subprocess.run(("npm", "install", "--silent", "undici@7"), cwd=folder, check=True)
    return folder


def relay_lacks() -> str:
    """Return what the relay misses here."""
    return "" if shutil.which("npm") else "Node.js with npm"


def start_relay(folder: Path, sink: Sink, workload: Workload) -> System:
    """Return the bare relay in Node.js: it stores nothing, and answers when the destination has answered."""
    port = free_port()
    script = str(install_relay() / "relay.mjs")
    environment = {"NODE_EXTRA_CA_CERTS": str(sink.ca_file)}
    command = ("node", script, str(port), sink.url(tls=workload.tls))
    running = Measured.start(*command, log=folder / "relay.log", environment=environment)
    wait_for_port(port)
    return System(f"http://127.0.0.1:{port}/", (running,))


RELAY = Contender("Node.js relay", start_relay, (ONE, WORKLOADS[-1]), relay_lacks)
