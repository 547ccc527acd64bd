"""Runs every measurement: `make bench`."""

import tempfile
from pathlib import Path

from bench import backlog, throughput

throughput.run(throughput.ROUNDS, throughput.COUNT)
with tempfile.TemporaryDirectory() as name:
    print(backlog.measure(Path(name), backlog.LARGE))
