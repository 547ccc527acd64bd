"""Delivered uplinks per CPU-second of each system, in alternation, one workload after the other.

`python -m bench.throughput [--rounds 3] [--count 30000] [--workload "one connection" TLS ...] [--system ...]`
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.load import send, write_uplinks
from bench.peers import PEERS
from bench.sink import Sink
from bench.systems import LONGWIRE, ONE, PROTOTYPE, WORKLOADS, Contender, Workload

ROUNDS = 3
COUNT = 30_000
WARM_UP = 2_000
CONTENDERS = (LONGWIRE, PROTOTYPE, *PEERS)


@dataclass(frozen=True)
class Figure:
    """What one run has shown; all processes of the system together."""

    delivered_per_cpu_s: float
    delivered_per_s: float
    peak_mb: float


def measure(contender: Contender, workload: Workload, count: int, uplinks: Path) -> Figure:
    """Return the figure of a run with `count` uplinks, from warm to the last delivery; `uplinks` holds their files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sink = Sink.start(folder)
        system = contender.start(folder, sink.address, workload)
        send(system.url, uplinks / "warm")
        sink.wait_for(WARM_UP * workload.fan_out)
        before = system.cpu_seconds()
        begin = time.monotonic()
        send(system.url, uplinks / "main")
        sink.wait_for((WARM_UP + count) * workload.fan_out)
        used, seconds = system.cpu_seconds() - before, time.monotonic() - begin
        delivered = count * workload.fan_out
        figure = Figure(delivered / used, delivered / seconds, system.peak_mb())
        system.stop()
        sink.stop()
    return figure


def alternate(
    contenders: Sequence[Contender], workload: Workload, rounds: int, count: int
) -> dict[str, list[Figure]]:
    """Return the figures of each contender, measured in turn."""
    figures: dict[str, list[Figure]] = {each.name: [] for each in contenders}
    with tempfile.TemporaryDirectory() as name:
        uplinks = Path(name)
        write_uplinks(uplinks / "warm", WARM_UP)
        write_uplinks(uplinks / "main", count, first=1000)
        for _ in range(rounds):
            for each in contenders:
                figures[each.name].append(measure(each, workload, count, uplinks))
    return figures


def report(workload: Workload, figures: dict[str, list[Figure]]) -> None:
    """Print medians, their ratio to the first system, and each run."""
    print(f"{workload.name}: delivered per CPU-second")
    first = 0.0
    for name, runs in figures.items():
        each = [run.delivered_per_cpu_s for run in runs]
        median = statistics.median(each)
        first = first or median
        peak = statistics.median(run.peak_mb for run in runs)
        runs_text = " ".join(f"{value:,.0f}" for value in each)
        print(f"  {name:16} {median:8,.0f}  {first / median:5.2f}  {peak:4.0f} MB  ({runs_text})", flush=True)


def run(
    rounds: int,
    count: int,
    workloads: Sequence[Workload] = WORKLOADS,
    systems: Sequence[Contender] = CONTENDERS,
) -> dict[str, Any]:
    """Measure, print and return the figures; what cannot be measured here is named."""
    missing = {each.name: lacking for each in systems if (lacking := each.lacks())}
    for name, lacking in missing.items():
        print(f"{name} is left out: {lacking} is missing")
    measured = {}
    for workload in workloads:
        able = [each for each in systems if workload in each.workloads and each.name not in missing]
        figures = alternate(able, workload, rounds, count)
        report(workload, figures)
        measured[workload.name] = {name: _by_name(runs) for name, runs in figures.items()}
    return {"rounds": rounds, "count": count, "missing": missing, "workloads": measured}


def _by_name(runs: Sequence[Figure]) -> dict[str, list[float]]:
    names = ("delivered_per_cpu_s", "delivered_per_s", "peak_mb")
    return {name: [round(getattr(run, name), 1) for run in runs] for name in names}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--count", type=int, default=COUNT)
    arguments.add_argument(
        "--workload", choices=[each.name for each in WORKLOADS], default=[ONE.name], nargs="+"
    )
    names = [each.name for each in CONTENDERS]
    arguments.add_argument("--system", choices=names, default=names, nargs="+")
    wanted = arguments.parse_args()
    workloads = [each for each in WORKLOADS if each.name in wanted.workload]
    systems = [each for each in CONTENDERS if each.name in wanted.system]
    run(wanted.rounds, wanted.count, workloads, systems)


if __name__ == "__main__":
    main()
