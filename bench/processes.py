"""Processes that are measured: started on free ports, their CPU and memory read from the system, ended by PID."""

import atexit
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CPU_CLOCK = 2
"""The kernel's number for the precise CPU clock of a whole process (`man clock_getcpuclockid`)."""


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds_of(pid: int) -> float:
    """Return user and system time of a process so far, all its threads together."""
    return time.clock_gettime((~pid << 3) | CPU_CLOCK)


@dataclass
class Measured:
    """A process under measurement, with all that it has started."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, *command: str, log: Path, environment: Mapping[str, str] | None = None) -> "Measured":
        """Start a command; its output goes to a file. It ends with us, whatever ends us."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, env={**os.environ, **(environment or {})}, stdout=output, stderr=output
            )
        atexit.register(process.terminate)
        return cls(process)

    def cpu_seconds(self) -> float:
        """Return user and system time so far."""
        return sum(cpu_seconds_of(pid) for pid in self._family())

    def memory_mb(self, *, peak: bool = False) -> float:
        """Return the resident memory now, or at its highest."""
        name = "VmHWM:" if peak else "VmRSS:"
        lines = (
            line for pid in self._family() for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))

    def stop(self) -> None:
        """End it, and wait."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _family(self) -> list[int]:
        parents = {int(path.name): parent_of(path) for path in Path("/proc").glob("[0-9]*")}
        family = [self.process.pid]
        for pid in family:  # it grows meanwhile
            family += [child for child, parent in parents.items() if parent == pid]
        return family


def parent_of(process: Path) -> int:
    """Return the PID of the parent of a process in /proc; 0 for one that has just ended."""
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def wait_for_port(port: int, seconds: float = 30) -> float:
    """Return after how many seconds somebody listened."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.monotonic() - begin
        time.sleep(0.005)
    sys.exit(f"nobody listens on port {port}")
