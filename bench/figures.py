"""The recorded figures: docs/benchmarks.json, from which docs/benchmarks.md and its charts are made."""

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[1] / "docs" / "benchmarks.json"


def read_figures(path: Path = RECORDED) -> dict[str, Any]:
    """Return the figures by the part of `make bench` they are from."""
    figures: dict[str, Any] = json.loads(path.read_text())
    return figures


def write_figures(figures: dict[str, Any], path: Path = RECORDED) -> None:
    """Write all of them."""
    path.write_text(json.dumps(figures, indent=1) + "\n")
