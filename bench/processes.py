"""Processes that are measured: started on free ports, their CPU and memory read from /proc, ended by PID."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Measured:
    """A process under measurement."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, *command: str, log: Path, environment: Mapping[str, str] | None = None) -> "Measured":
        """Start a command; its output goes to a file."""
        with log.open("ab") as output:
            return cls(
                subprocess.Popen(
                    command, env={**os.environ, **(environment or {})}, stdout=output, stderr=output
                )
            )

    def cpu_seconds(self) -> float:
        """Return user and system time so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICKS

    def memory_mb(self, *, peak: bool = False) -> float:
        """Return the resident memory now, or at its highest."""
        name = "VmHWM:" if peak else "VmRSS:"
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

    def stop(self) -> None:
        """End it, and wait."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)


def wait_for_port(port: int, seconds: float = 30) -> float:
    """Return after how many seconds somebody listened."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.monotonic() - begin
        time.sleep(0.005)
    sys.exit(f"nobody listens on port {port}")
