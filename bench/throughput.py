"""Delivered uplinks per CPU-second: Longwire, and a bare Node.js relay that stores nothing, in alternation."""

import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from bench.processes import Measured, free_port, wait_for_port
from bench.product import Product, send, wait_for_count

ROUNDS = 3
COUNT = 30_000


def start_sink(folder: Path) -> tuple[Measured, int]:
    """Return a running sink and its port."""
    port = free_port()
    sink = Measured.start(sys.executable, "-m", "bench.sink", str(port), log=folder / "sink.log")
    wait_for_port(port)
    return sink, port


def measure_longwire(folder: Path) -> float:
    """Return delivered uplinks per CPU-second of the product."""
    sink, port = start_sink(folder)
    product = Product(folder / "data")
    product.start()
    product.set_up(port)
    send(product.uplink_url, 2048, 1)
    wait_for_count(port, 2048)
    before = product.running.cpu_seconds()
    send(product.uplink_url, COUNT, 1000)
    wait_for_count(port, 2048 + COUNT)
    used = product.running.cpu_seconds() - before
    product.running.stop()
    sink.stop()
    shutil.rmtree(folder / "data")
    return COUNT / used


def measure_relay(folder: Path) -> float:
    """Return relayed uplinks per CPU-second of the Node.js relay."""
    sink, sink_port = start_sink(folder)
    port = free_port()
    relay = Measured.start(
        "node", str(folder / "relay.mjs"), str(port), str(sink_port), log=folder / "relay.log"
    )
    wait_for_port(port)
    send(f"http://127.0.0.1:{port}/", 2048, 1)
    before = relay.cpu_seconds()
    send(f"http://127.0.0.1:{port}/", COUNT, 1000)
    used = relay.cpu_seconds() - before
    relay.stop()
    sink.stop()
    return COUNT / used


def install_relay(folder: Path) -> bool:
    """Put the relay and its one dependency into the folder; False where there is no npm."""
    if shutil.which("npm") is None:
        return False
    shutil.copy(Path(__file__).parent / "relay.mjs", folder)
    subprocess.run(("npm", "install", "--silent", "undici@7"), cwd=folder, check=True)
    return True


def run(folder: Path) -> None:
    """Print the medians and the ratio."""
    has_relay = install_relay(folder)
    longwire: list[float] = []
    relay: list[float] = []
    for _ in range(ROUNDS):
        longwire.append(measure_longwire(folder))
        if has_relay:
            relay.append(measure_relay(folder))
    print(
        f"delivered per CPU-second: Longwire {statistics.median(longwire):,.0f} {[round(n) for n in longwire]}"
    )
    if has_relay:
        ratio = statistics.median(longwire) / statistics.median(relay)
        print(
            f"bare Node.js relay {statistics.median(relay):,.0f} {[round(n) for n in relay]}; ratio {ratio:.2f}"
        )
