"""Ports for processes that are stopped and started again at the same place."""

import itertools
import os
import socket
from pathlib import Path

from tests.e2e.waiting import wait_until

# Below the range from which the kernel takes the local ends of outgoing connections: nobody takes the port
# while its owner is down. Each worker of pytest-xdist searches its own part.
_FIRST, _SPAN = 12_000, 2_000
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
_START = os.getpid() * 37  # two runs at the same time begin at different places
_candidates = (_FIRST + _WORKER * _SPAN + (_START + step) % _SPAN for step in itertools.count())


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on; each call gives another one."""
    for port in itertools.islice(_candidates, _SPAN):
        with socket.socket() as trial:
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError(f"no free port from {_FIRST} on")


# Of the states in /proc/net/tcp, those of a socket that holds nothing on its way any more.
_OVER = {"06", "0A"}  # TIME_WAIT, LISTEN


def wait_until_unused(*ports: int, timeout_s: float = 30.0) -> None:
    """Wait until no connection to or from the ports is left: all that a dead process had sent has arrived."""
    wait_until(f"no connection is left at {ports}", lambda: not _uses(ports), timeout_s=timeout_s)


def _uses(ports: tuple[int, ...]) -> list[str]:
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    wanted = {f"{port:04X}" for port in ports}
    return [
        f"{local} {remote} {state}"
        for _, local, remote, state, *_ in lines
        if state not in _OVER and wanted & {local.partition(":")[2], remote.partition(":")[2]}
    ]
