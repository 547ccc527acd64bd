"""Devices behind one LRC: it repeats an uplink until it is acknowledged, as a network server does."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.e2e.lrc import Uplink, uplink

INSIST_S = 60.0
PATIENCE_S = 0.01


@dataclass(slots=True)
class Ledger:
    """What was offered once, and what was answered with 200; both as (DevEUI, FCntUp)."""

    offered: int = 0
    sent: int = 0
    acknowledged: list[tuple[str, int]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


class KeepAliveLine:
    """One keep-alive connection to an ingest door, opened again when it breaks."""

    def __init__(self, address: tuple[str, int], path: str) -> None:
        self._address = address
        self._path = path
        self._socket: socket.socket | None = None

    def post(self, sent: Uplink) -> int | None:
        """Return the status of the answer, or None when there was no complete one."""
        body = sent.body
        head = (
            f"POST {self._path}?{sent.query} HTTP/1.1\r\nHost: {self._address[0]}:{self._address[1]}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, timeout=30)
            self._socket.sendall(head.encode() + body)
            return self._read_status(self._socket)
        except OSError:
            self.close()
            return None

    def _read_status(self, line: socket.socket) -> int:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more(line)
        head, _, body = received.partition(b"\r\n\r\n")
        fields = head.decode().lower().split("\r\n")
        lengths = [text.partition(":")[2] for text in fields if text.startswith("content-length:")]
        while len(body) < int(lengths[0]):
            body += self._more(line)
        return int(fields[0].split(" ")[1])

    @staticmethod
    def _more(line: socket.socket) -> bytes:
        chunk = line.recv(65536)
        if not chunk:
            raise ConnectionResetError("the server closed")
        return chunk

    def close(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None


class Fleet:
    """Sends steadily over several keep-alive lines; a device's next uplink waits until its last is acknowledged.

    `up` says whether the server is there: while it is not, the lines wait instead of knocking.
    """

    def __init__(self, address: tuple[str, int], path: str, dev_euis: Sequence[str], rate: float) -> None:
        self.ledger = Ledger()
        self.up = threading.Event()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        lines = min(24, len(dev_euis))
        self._interval_s = lines / rate
        self._threads = [
            threading.Thread(
                target=self._work, args=(KeepAliveLine(address, path), dev_euis[number::lines]), daemon=True
            )
            for number in range(lines)
        ]

    def start(self) -> None:
        self.up.set()
        for thread in self._threads:
            thread.start()

    def stop(self) -> Ledger:
        """End after the uplinks that are on their way are acknowledged; return the ledger."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(INSIST_S)
        return self.ledger

    def _work(self, line: KeepAliveLine, dev_euis: Sequence[str]) -> None:
        due = time.monotonic()
        for turn in itertools.count():
            number, place = divmod(turn, len(dev_euis))
            due = max(due + self._interval_s, time.monotonic())
            if self._stopping.wait(due - time.monotonic()):
                break
            if not self._insist(line, uplink(dev_euis[place], number + 1)):
                break
        line.close()

    def _insist(self, line: KeepAliveLine, sent: Uplink) -> bool:
        """Send until it is acknowledged; return False when that is hopeless."""
        with self._lock:
            self.ledger.offered += 1
        deadline = time.monotonic() + INSIST_S
        while time.monotonic() < deadline:
            status = line.post(sent)
            with self._lock:
                self.ledger.sent += 1
                if status == 200:
                    self.ledger.acknowledged.append((sent.dev_eui, sent.f_cnt))
                    return True
                if status not in {None, 503}:
                    self.ledger.troubles.append(f"{sent.dev_eui} {sent.f_cnt}: {status}")
                    return False
            self.up.wait(1.0)
            self._stopping.wait(PATIENCE_S)
        self.ledger.troubles.append(f"{sent.dev_eui} {sent.f_cnt}: not acknowledged within {INSIST_S} s")
        return False
