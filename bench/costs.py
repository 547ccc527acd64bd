"""What each feature costs an uplink: a watch around its functions, inside the running product.

`python -m bench.costs` prints microseconds of CPU. `python -m bench.costs serve` is the product with the watches on; at
its end it writes what they showed. A function that is not there any more is said to be not found.
"""

import atexit
import importlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any

from bench.load import send, write_uplinks
from bench.sink import Sink
from bench.systems import WORKLOADS, start_longwire

COUNT = 10_000
SIGNED = next(each for each in WORKLOADS if each.is_signed)
SHOWN_IN = "BENCH_COSTS"

# Functions by where they are looked up; `write_rows` is told apart by the table it writes.
FEATURES = {
    "reading the uplink and checking it": ("longwire.core.json_text:read_roots",),
    "Token": ("longwire.sources.thingpark:_check_token",),
    "routing": (
        "longwire.core.routing:Router.route",
        "longwire.storage.devices:Devices.own_connections",
    ),
    "dedupe": (
        "longwire.sources.thingpark:_fingerprint",
        "longwire.storage.queue_sql:_seen_fingerprints",
        "longwire.storage.queue_sql:write_rows seen",
    ),
    "rows of message and delivery": (
        "longwire.storage.queue_sql:write_rows message",
        "longwire.storage.queue_sql:write_rows delivery",
    ),
    "patterns": (
        "longwire.core.request:_reading",
        "longwire.core.request:_configured_headers",
        "longwire.core.request:_target",
    ),
    "signature": ("longwire.core.request:_signature",),
    "attempt row": ("longwire.storage.settling:write_rows attempt",),
    "outcome": ("longwire.storage.settling:write_rows delivery",),
    "events and metrics": (
        "longwire.storage.witness:Witness.saw_put",
        "longwire.storage.witness:Witness.saw_settled",
    ),
    "what is learned of devices": (
        "longwire.sources.thingpark:sighting_of",
        "longwire.storage.sightings:Sightings.note",
    ),
}


class Watch:
    """How often some functions were called, and their CPU time, a watch's own left out."""

    def __init__(self) -> None:
        self.spent_ns: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self._own_ns = 0
        self._own_ns = self._measure_itself()

    def wrap(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return the same function, watched."""
        is_by_table = work.__name__ == "write_rows"
        self.spent_ns.setdefault(name, 0)

        @wraps(work)
        def watched(*given: Any, **named: Any) -> Any:
            begin = time.thread_time_ns()
            try:
                return work(*given, **named)
            finally:
                spent = time.thread_time_ns() - begin - self._own_ns
                key = f"{name} {_table(given[1])}" if is_by_table else name
                self.spent_ns[key] = self.spent_ns.get(key, 0) + spent
                self.calls[key] = self.calls.get(key, 0) + 1

        return watched

    def _measure_itself(self) -> int:
        watched = self.wrap("itself", lambda: None)
        for _ in range(10_000):
            watched()
        return self.spent_ns.pop("itself") // self.calls.pop("itself")


def _table(statement: str) -> str:
    return str(re.findall(r"(?:INTO|UPDATE) (\w+)", statement)[0])


def places() -> Iterator[tuple[str, Any, str]]:
    """Yield where each function is looked up: the place as it is written above, the module or class, the name there."""
    for place in sorted({name.split()[0] for names in FEATURES.values() for name in names}):
        module, _, path = place.partition(":")
        owner: Any = importlib.import_module(module)
        *parents, last = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent, None)
        yield place, owner, last


def watch_all(watch: Watch) -> None:
    """Put a watch on each function that is found."""
    for place, owner, name in places():
        if hasattr(owner, name):
            setattr(owner, name, watch.wrap(place, getattr(owner, name)))


def serve() -> None:
    """Run the product with the watches on."""
    from longwire.cli import main

    watch = Watch()
    watch_all(watch)
    atexit.register(lambda: Path(os.environ[SHOWN_IN]).write_text(json.dumps(watch.spent_ns)))
    main()


def measure(folder: Path, count: int) -> dict[str, Any]:
    """Return microseconds per uplink of each feature, None for one that is not found, and of everything."""
    sink = Sink.start(folder)
    shown = folder / "costs.json"
    os.environ[SHOWN_IN] = str(shown)
    system = start_longwire(folder, sink.address, SIGNED, (sys.executable, "-m", "bench.costs", "serve"))
    before = system.cpu_seconds()
    send(system.url, write_uplinks(folder / "uplinks", count))
    sink.wait_for(count)
    used = system.cpu_seconds() - before
    system.stop()
    sink.stop()
    spent = json.loads(shown.read_text())
    found = {feature: [name for name in names if name in spent] for feature, names in FEATURES.items()}
    features = {
        feature: sum(spent[name] for name in names) / count / 1000 if names else None
        for feature, names in found.items()
    }
    return {"features_us": features, "all_us": used / count * 1e6}


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        with tempfile.TemporaryDirectory() as name:
            for feature, cost in measure(Path(name), COUNT)["features_us"].items():
                print(f"{feature:40} {'not found' if cost is None else f'{cost:.1f}'}")
