"""Writes the measured part of docs/benchmarks.md, and its charts, from benchmarks.json: `python -m bench.report`."""

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2

from bench import charts
from bench.figures import RECORDED, read_figures
from bench.steady import BOUNDS_MS
from bench.systems import LONGWIRE, ONE, PROTOTYPE
from bench.targets import TARGETS, Part

DOCS = RECORDED.parent
PAGE = DOCS / "benchmarks.md"
TEMPLATE = Path(__file__).with_name("benchmarks.md.j2")
BEGIN = "<!-- From here to the end mark: written by `python -m bench.report`. -->\n"
END = "<!-- End of what is written by a program. -->\n"
NAMES = {
    LONGWIRE.name: "**Longwire**, everything on: stored, synced, ordered, logged",
    PROTOTYPE.name: "the minimal prototype of its path (`bench/prototype.py`): stored, synced, ordered",
    "Node.js relay": "a bare Node.js relay (undici): stores nothing, checks nothing",
    "syslog-ng": "syslog-ng, http() with a reliable disk buffer: answers nothing to the sender, does not sync",
    "taskiq with Redis": "taskiq, Redis that syncs every second, aiohttp both ways",
}


def page(figures: Mapping[str, Any], text: str) -> str:
    """Return the page with its measured part made anew; what is written by hand around it stays."""
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.ChainableUndefined)
    environment.filters |= {"median": statistics.median, "number": "{:,.0f}".format}
    template = environment.from_string(TEMPLATE.read_text())
    measured = template.render(figures, names=NAMES, one=ONE.name, targets=list(_targets(figures)))
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{measured}\n{END}{rest.partition(END)[2]}"


def svg_files(figures: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and content of each chart."""
    if Part.THROUGHPUT in figures:
        runs = figures[Part.THROUGHPUT]["workloads"]
        systems = [(name, _efficiency(each)) for name, each in runs[ONE.name].items()]
        own = [(name, _efficiency(each[LONGWIRE.name])) for name, each in runs.items()]
        title = "Delivered uplinks per CPU-second"
        in_order = sorted(systems, key=lambda row: -row[1])
        yield "benchmark-systems.svg", charts.bars(title, in_order, LONGWIRE.name)
        yield "benchmark-workloads.svg", charts.bars(f"Longwire, {title.lower()}", own, ONE.name)
    if Part.LATENCY in figures:
        half = figures[Part.LATENCY]["half_load"][LONGWIRE.name]
        title = f"Longwire, milliseconds from ingest to sink, {half['rate']:,.0f} uplinks a second"
        yield "benchmark-latency.svg", charts.histogram(title, BOUNDS_MS, half["histogram"])


def write() -> None:
    """Write the page and the charts."""
    figures = read_figures()
    PAGE.write_text(page(figures, PAGE.read_text()))
    for name, content in svg_files(figures):
        (DOCS / name).write_text(content)


def _efficiency(runs: Mapping[str, list[float]]) -> float:
    return statistics.median(runs["delivered_per_cpu_s"])


def _targets(figures: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    """Yield name, bound and figure of each target that was measured, and whether it is reached."""
    for each in TARGETS:
        value = each.value(figures) if each.part in figures else None
        if value is not None:
            yield each.name, each.bound_text, format(value, each.style), each.is_reached(value)


if __name__ == "__main__":
    write()
