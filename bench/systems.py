"""What is measured: a system at a workload; Longwire itself and its minimal prototype (others: bench/peers.py)."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.load import DEVICES, SEED
from bench.processes import Measured, free_port, wait_for_port
from bench.product import SERVE, Product
from bench.sink import Address
from longwire.demo.fleet import Fleet

SIGNING_SECRET = "whsec_bG9uZ3dpcmUtYmVuY2gtc2VjcmV0LTAxMjM0NTY3"


@dataclass(frozen=True)
class Workload:
    """What a system has to do with the uplinks of 1,000 devices."""

    name: str
    connections: int = 1
    """The devices are shared among them."""
    fan_out: int = 1
    """So many connections get each uplink."""
    is_signed: bool = False
    tls: bool = False


ONE = Workload("one connection")
WORKLOADS = (
    ONE,
    Workload("100 connections", connections=100),
    Workload("fan-out to 5", fan_out=5),
    Workload("signed", is_signed=True),
    Workload("TLS", tls=True),
)


@dataclass(frozen=True)
class System:
    """A system at work: where uplinks go, and the processes it is made of."""

    url: str
    processes: tuple[Measured, ...]

    def cpu_seconds(self) -> float:
        """Return what all its processes have used so far."""
        return sum(each.cpu_seconds() for each in self.processes)

    def peak_mb(self) -> float:
        """Return the most memory that its processes have had."""
        return sum(each.memory_mb(peak=True) for each in self.processes)

    def stop(self) -> None:
        """End it."""
        for each in self.processes:
            each.stop()


def start_longwire(folder: Path, sink: Address, workload: Workload, command: Sequence[str] = SERVE) -> System:
    """Return the product with everything on: Token, routing, patterns, log, events, metrics."""
    product = Product(folder / "data", command)
    product.start()
    product.listen()
    more = {
        **({"signingSecret": SIGNING_SECRET} if workload.is_signed else {}),
        **({"tls": {"caCertificate": sink.ca_file.read_text()}} if workload.tls else {}),
    }
    url = sink.url(tls=workload.tls)
    made = [product.connect(url, more) for _ in range(workload.connections * workload.fan_out)]
    dev_euis = [device.dev_eui for device in Fleet(SEED, DEVICES).devices]
    for number in range(workload.connections):
        share = dev_euis[number :: workload.connections] if workload.connections > 1 else None
        product.route(made[number :: workload.connections], share)
    return System(product.url, (product.running,))


def start_prototype(folder: Path, sink: Address, workload: Workload) -> System:
    """Return the minimal prototype of our path."""
    port = free_port()
    destination = (str(sink.tls_port), str(sink.ca_file)) if workload.tls else (str(sink.port),)
    command = (sys.executable, "-m", "bench.prototype", str(port), str(folder / "prototype.db"), *destination)
    running = Measured.start(*command, log=folder / "prototype.log")
    wait_for_port(port)
    return System(f"http://127.0.0.1:{port}/", (running,))


@dataclass(frozen=True)
class Contender:
    """A system that can be started, and for which workloads."""

    name: str
    start: Callable[[Path, Address, Workload], System]
    workloads: tuple[Workload, ...] = (ONE,)
    lacks: Callable[[], str] = lambda: ""
    """Says what is missing to run it here; installs what is needed and can be."""


LONGWIRE = Contender("Longwire", start_longwire, WORKLOADS)
PROTOTYPE = Contender("prototype", start_prototype, (ONE, WORKLOADS[-1]))
