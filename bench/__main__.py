"""Runs every measurement: `make bench`."""

import tempfile
from pathlib import Path

from bench import backlog, throughput

with tempfile.TemporaryDirectory() as name:
    throughput.run(Path(name))
    backlog.run(Path(name))
