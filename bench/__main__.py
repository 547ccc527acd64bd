"""Runs every measurement and writes docs/benchmarks.json, the page and the charts: `make bench`.

`python -m bench [--quick] [PART ...]`: `--quick` takes seconds for each part, prints, and records nothing.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench import backlog, costs, disk, environment, guard, isolation, latency, openings, report, throughput
from bench.figures import read_figures, write_figures
from bench.systems import LONGWIRE, ONE
from bench.targets import Part

Figures = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    count: int
    latency_s: float
    rest_s: float
    connections: int
    backlog: int
    healthy: int
    flood: int


FULL = Size(
    3, 30_000, 20, openings.REST_S, openings.COUNT, backlog.LARGE, isolation.HEALTHY, isolation.BACKLOG
)
QUICK = Size(1, 3_000, 3, 2, 200, 10_000, 50, 2_000)


def _half_load(figures: Figures) -> float:
    """Return half of what Longwire delivered a second under full load, when that was measured."""
    runs = figures.get(Part.THROUGHPUT, {}).get("workloads", {}).get(ONE.name, {})
    rates: list[float] = runs.get(LONGWIRE.name, {}).get("delivered_per_s", [2 * latency.RATE])
    return sorted(rates)[len(rates) // 2] / 2


def _measure_latency(folder: Path, size: Size, figures: Figures) -> Figures:
    return uvloop.run(latency.measure(folder, _half_load(figures), size.latency_s))


def _measure_rest(folder: Path, size: Size, _: Figures) -> Figures:
    return uvloop.run(openings.measure(folder, size.connections, size.rest_s))


def _measure_isolation(folder: Path, size: Size, _: Figures) -> Figures:
    return uvloop.run(isolation.measure(folder, size.healthy, size.flood))


PARTS: dict[Part, Callable[[Path, Size, Figures], Figures]] = {
    Part.DISK: lambda folder, *_: {"syncs_per_s": disk.syncs_per_second(folder)},
    Part.THROUGHPUT: lambda _, size, __: throughput.run(size.rounds, size.count),
    Part.ENVIRONMENT: lambda *_: environment.describe(),  # once all that is used is installed
    Part.LATENCY: _measure_latency,
    Part.COSTS: lambda folder, size, _: costs.measure(folder, size.count),
    Part.REST: _measure_rest,
    Part.BACKLOG: lambda folder, size, _: backlog.measure(folder, size.backlog),
    Part.ISOLATION: _measure_isolation,
    Part.GUARD: lambda folder, *_: guard.measure(folder),
}


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("part", nargs="*", type=Part, help=f"all by default: {', '.join(PARTS)}")
    wanted = arguments.parse_args()
    figures: Figures = {} if wanted.quick else read_figures()
    for part, measure in PARTS.items():
        if part not in (wanted.part or PARTS):
            continue
        with tempfile.TemporaryDirectory() as name:
            figures[part] = measure(Path(name), QUICK if wanted.quick else FULL, figures)
        print(part, json.dumps(figures[part]), flush=True)
        if not wanted.quick:
            write_figures(figures)
            report.write()


if __name__ == "__main__":
    main()
