"""Ports for processes that are stopped and started again at the same place."""

import itertools
import os
import socket

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
