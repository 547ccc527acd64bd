"""What was measured with: machine and versions."""

import os
import platform
import re
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.load import SENDER
from bench.peers import INSTALLED, PROGRAMS
from bench.prototype import SQLITE_VERSION
from bench.sink import SINK

ROOT = Path(__file__).parents[1]
_COMMANDS = {
    "Node.js": ("node", "--version"),
    "wrk": ("wrk", "-v"),
    "nginx": ("nginx", "-v"),
    "syslog-ng": ("syslog-ng", "--version"),
    "Redis": ("redis-server", "--version"),
}


def describe() -> dict[str, Any]:
    """Return the machine, names and versions, and when this was."""
    return {
        "at": datetime.now(UTC).strftime("%Y-%m-%d"),
        "commit": _said_by("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
        "machine": f"{os.cpu_count()} cores, {_processor()}, Linux {platform.release()}",
        "load": SENDER,
        "sink": SINK,
        "versions": {
            "Python": platform.python_version(),
            "SQLite": SQLITE_VERSION,
            "uvloop": version("uvloop"),
            **{name: _number_in(_said_by(*command)) for name, command in _COMMANDS.items()},
            "undici": _number_in(_read(INSTALLED / "relay/node_modules/undici/package.json", '"version": "')),
            "taskiq": _number_in(_read(ROOT / "requirements-bench.lock", "\ntaskiq==")),
        },
    }


def _said_by(program: str, *arguments: str) -> str:
    path = shutil.which(program, path=f"{os.environ['PATH']}:{PROGRAMS}")
    if path is None:
        return ""
    result = subprocess.run((path, *arguments), capture_output=True, text=True, check=False)
    return (result.stdout or result.stderr).strip()


def _number_in(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else "not installed"


def _read(path: Path, before: str) -> str:
    return path.read_text().partition(before)[2][:20] if path.exists() else ""


def _processor() -> str:
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return names[0] if names else platform.machine()
