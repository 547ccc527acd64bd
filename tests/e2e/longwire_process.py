"""Starts, stops and kills the installed program in a process of its own, as an operator would."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.e2e.api_client import Api
from tests.e2e.ports import free_port
from tests.e2e.waiting import wait_until

PROGRAM = str(Path(sys.executable).with_name("longwire"))
OWNER_KEY = "owner-key-of-the-tests-0123456789"
START_S = 20.0
STOP_S = 15.0
# Seen by the hook of conftest.py, which shows their output beside a failure.
started: "list[Longwire]" = []

Settings = Mapping[str, str | None]


def environment(settings: Settings) -> dict[str, str]:
    """Return the test run's environment without its LONGWIRE_*, with these; None leaves one out."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LONGWIRE_")}
    return inherited | {name: value for name, value in settings.items() if value is not None}


class Longwire:
    """One `longwire serve` with its data in `folder`; it may be started again after a stop or a kill."""

    def __init__(self, folder: Path, settings: Settings | None = None) -> None:
        self.data = folder / "data"
        self.output = folder / "output.txt"
        self.port = free_port()
        self.settings: dict[str, str | None] = {
            "LONGWIRE_HOST": "127.0.0.1",
            "LONGWIRE_PORT": str(self.port),
            "LONGWIRE_DATA": str(self.data),
            "LONGWIRE_PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "LONGWIRE_OWNER_KEY": OWNER_KEY,
            "LONGWIRE_ALLOW_DESTINATIONS": "loopback",
            # Tests share one address and one key; those of the limits set them.
            "LONGWIRE_MAX_FAILED_LOGINS_PER_MINUTE": "0",
            "LONGWIRE_MAX_REQUESTS_PER_MINUTE": "0",
            **(settings or {}),
        }
        self.command = [PROGRAM, "serve"]
        self.api = Api(self.port, OWNER_KEY)
        self._process: subprocess.Popen[bytes] | None = None
        started.append(self)

    def spawn(self) -> None:
        """Start the program and do not wait for it."""
        with self.output.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                env=environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.output.parent,
                start_new_session=True,
            )

    def start(self) -> Self:
        self.spawn()
        wait_until("longwire is ready", self._is_ready, timeout_s=START_S)
        return self

    def _is_ready(self) -> bool:
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"longwire ended with {code} instead of starting:\n{self.said}")
        with contextlib.suppress(OSError):
            return self.api.raw("GET", "/readyz").status == 200
        return False

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def said(self) -> str:
        """What the program wrote to stdout and stderr since the folder was made."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

    def wait_for_end(self, *, timeout_s: float = STOP_S) -> int:
        return self.process.wait(timeout_s)

    def terminate(self) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how many seconds it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        return self.wait_for_end(), time.monotonic() - began

    def strike(self) -> None:
        """Send SIGKILL and return at once."""
        os.kill(self.process.pid, signal.SIGKILL)

    def kill(self) -> None:
        self.strike()
        self.wait_for_end()

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        started.remove(self)
