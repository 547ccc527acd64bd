"""What is measured in parts, and what each part has to reach (issue 7)."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.systems import LONGWIRE, ONE

Figures = Mapping[str, Any]


class Part(StrEnum):
    """A measurement of `python -m bench`, by the name its figures have."""

    ENVIRONMENT = "environment"
    DISK = "disk"
    THROUGHPUT = "throughput"
    LATENCY = "latency"
    COSTS = "costs"
    REST = "rest"
    BACKLOG = "backlog"
    ISOLATION = "isolation"
    GUARD = "guard"


@dataclass(frozen=True)
class Target:
    """A bound for one figure: at least, or at most."""

    name: str
    part: Part
    value: Callable[[Figures], float | None]
    """None where it was not measured."""
    least: float | None = None
    most: float | None = None
    style: str = ".2f"

    @property
    def bound_text(self) -> str:
        """Return the bound in words."""
        return f"at least {self.least:g}" if self.least is not None else f"at most {self.most:g}"

    def is_reached(self, value: float) -> bool:
        """Return whether a value is within the bound."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


def ratio_to(name: str) -> Callable[[Figures], float | None]:
    """Return what finds Longwire's efficiency by that of another system: the median of the alternations."""

    def find(figures: Figures) -> float | None:
        runs = figures[Part.THROUGHPUT]["workloads"][ONE.name]
        if name not in runs:
            return None
        pairs = zip(*(runs[each]["delivered_per_cpu_s"] for each in (LONGWIRE.name, name)), strict=True)
        return float(statistics.median(ours / theirs for ours, theirs in pairs))

    return find


def beside_slow(figures: Figures) -> float:
    """Return p99 of the others beside the slow destination, by that without it."""
    part = figures[Part.LATENCY]
    return float(part["beside_slow"]["p99_ms"] / part["alone"]["p99_ms"])


def _at(*names: str) -> Callable[[Figures], float | None]:
    def find(figures: Figures) -> float:
        value: Any = figures
        for name in names:
            value = value[name]
        return float(value)

    return find


TARGETS = (
    Target(
        "efficiency, by the bare Node.js relay's (aim: 1)", Part.THROUGHPUT, ratio_to("Node.js relay"), 0.8
    ),
    Target("efficiency, by the prototype's", Part.THROUGHPUT, ratio_to("prototype"), 0.75),
    Target(
        "efficiency, by taskiq's with Redis", Part.THROUGHPUT, ratio_to("taskiq with Redis"), 15, style=".1f"
    ),
    Target(
        "p99 at half load, ms",
        Part.LATENCY,
        _at(Part.LATENCY, "half_load", LONGWIRE.name, "p99_ms"),
        most=25,
        style=".1f",
    ),
    Target(
        "messages a second to a destination that takes 1 s",
        Part.LATENCY,
        _at(Part.LATENCY, "beside_slow", "slow_rate"),
        60,
        style=".1f",
    ),
    Target("p99 of the others beside it, by that without", Part.LATENCY, beside_slow, most=1.5),
    Target("10,000 connections at rest, MB", Part.REST, _at(Part.REST, "memory_mb"), most=300, style=".0f"),
    Target("the same, % of a core", Part.REST, _at(Part.REST, "resting_percent_of_a_core"), most=2),
    Target(
        "CPU per message of a backlog of 1,000,000, by that of 1,000",
        Part.BACKLOG,
        _at(Part.BACKLOG, "cost_ratio"),
        most=1.1,
    ),
    Target(
        "memory while it drains, by that before", Part.BACKLOG, _at(Part.BACKLOG, "memory_ratio"), most=1.1
    ),
    Target("ingest while it drains, by that without", Part.BACKLOG, _at(Part.BACKLOG, "ingest_ratio"), 0.7),
    Target(
        "p99 beside four bad destinations, by that alone",
        Part.ISOLATION,
        _at(Part.ISOLATION, "ratio"),
        most=1.5,
    ),
)
