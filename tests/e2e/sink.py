"""A destination owned by the test: it logs every request and answers, hangs, closes or resets as told."""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from tests.e2e.ports import free_port
from tests.e2e.waiting import POLL_S, wait_until


class Act(Enum):
    """What the sink does with a request it has read."""

    ANSWER = auto()
    HANG = auto()  # keep the connection, say nothing until the peer or the sink closes
    CLOSE = auto()  # end the connection without a byte
    RESET = auto()  # the same with a TCP reset


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request; `raw` replaces the whole response, `then` runs after the last byte."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    act: Act = Act.ANSWER
    delay_s: float = 0.0
    raw: bytes | None = None
    then: Callable[[], None] | None = None

    def to_bytes(self) -> bytes:
        if self.raw is not None:
            return self.raw
        lines = [f"HTTP/1.1 {self.status} Said", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, f"Content-Length: {len(self.body)}", "", ""]).encode() + self.body


OK = Reply()
HANG = Reply(act=Act.HANG)
CLOSE = Reply(act=Act.CLOSE)
RESET = Reply(act=Act.RESET)


@dataclass(frozen=True, slots=True)
class Received:
    """One complete request as it came over the wire; `at` is monotonic, `connection` counts from 1."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    at: float
    connection: int
    epoch: int

    def all(self, name: str) -> list[str]:
        return [value for found, value in self.headers if found.lower() == name.lower()]

    def header(self, name: str) -> str:
        """Return the value of a header that must be there exactly once."""
        (value,) = self.all(name)
        return value

    @property
    def message_id(self) -> str:
        return self.header("webhook-id")

    @property
    def attempt(self) -> int:
        return int(self.header("Longwire-Attempt"))


class Sink:
    """Listens on one loopback port; it can be closed and opened again at the same place.

    `connections` counts what was accepted, `problems` collects what no sender may do (framing),
    `handshake_failures` the TLS handshakes that failed.
    `epoch` is stamped on each request: a test can tell what came before a moment from what came after.
    """

    def __init__(
        self,
        address: tuple[str, int] | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        opened: bool = True,
    ) -> None:
        self.address = address or ("127.0.0.1", free_port())
        self.answer: Callable[[Received], Reply] = lambda _: OK
        self.epoch = 0
        self.problems: list[str] = []
        self.handshake_failures: list[str] = []
        self._tls = tls
        self._log: list[Received] = []
        self._changed = threading.Condition()
        self._live: dict[int, socket.socket] = {}
        self.connections = 0
        self._closing = threading.Event()
        self._acceptor: threading.Thread | None = None
        if opened:
            self.open()

    def url(self, path: str = "/hook") -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self.address[0]}:{self.address[1]}{path}"

    def open(self) -> None:
        self._closing.clear()
        listener = socket.create_server(self.address, backlog=512)
        listener.settimeout(0.05)
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Refuse new connections and reset those that are open."""
        self._closing.set()
        if self._acceptor is not None:
            self._acceptor.join()
        for peer in list(self._live.values()):
            reset(peer)
        wait_until("the sink's connections have ended", lambda: not self._live)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def requests(self) -> list[Received]:
        with self._changed:
            return list(self._log)

    def wait_for(self, count: int, *, timeout_s: float = 10.0) -> list[Received]:
        """Return the requests once there are at least so many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._log) >= count, timeout_s):
                raise AssertionError(
                    f"{len(self._log)} of {count} requests within {timeout_s} s: {self._log}"
                )
            return list(self._log)

    def _accept(self, listener: socket.socket) -> None:
        with listener:
            while not self._closing.is_set():
                try:
                    peer, _ = listener.accept()
                except TimeoutError:
                    continue
                peer.settimeout(None)
                self.connections = number = self.connections + 1
                self._live[number] = peer
                threading.Thread(target=self._serve, args=(peer, number), daemon=True).start()

    def _serve(self, peer: socket.socket, number: int) -> None:
        try:
            stream = self._live[number] = self._secure(peer)
            with contextlib.suppress(OSError), stream:
                for request in self._read(stream, number):
                    if not self._respond(stream, request):
                        break
        except OSError as problem:
            self.handshake_failures.append(str(problem))
        finally:
            peer.close()
            del self._live[number]

    def _secure(self, peer: socket.socket) -> socket.socket:
        return peer if self._tls is None else self._tls.wrap_socket(peer, server_side=True)

    def _read(self, stream: socket.socket, number: int) -> Iterator[Received]:
        pending = b""
        while True:
            while b"\r\n\r\n" not in pending:
                if not (chunk := stream.recv(65536)):
                    return
                pending += chunk
            head, _, pending = pending.partition(b"\r\n\r\n")
            request_line, headers = _parse_head(head)
            length = self._length(headers)
            while len(pending) < length:
                if not (chunk := stream.recv(65536)):
                    return
                pending += chunk
            method, target, _ = request_line.split(" ")
            body, pending = pending[:length], pending[length:]
            request = Received(method, target, headers, body, time.monotonic(), number, self.epoch)
            with self._changed:
                self._log.append(request)
                self._changed.notify_all()
            yield request

    def _length(self, headers: tuple[tuple[str, str], ...]) -> int:
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        if len(lengths) != 1 or any(name.lower() == "transfer-encoding" for name, _ in headers):
            self.problems.append(f"framing: {headers}")
        return int(lengths[0]) if lengths else 0

    def _wait_for_end(self, stream: socket.socket) -> None:
        """Say nothing until the peer or the sink closes."""
        while not self._closing.is_set():
            readable, _, _ = select.select([stream], [], [], POLL_S)
            if readable and not stream.recv(65536):
                return

    def _respond(self, stream: socket.socket, request: Received) -> bool:
        """Answer; return whether the connection goes on."""
        reply = self.answer(request)
        if reply.delay_s:
            self._closing.wait(reply.delay_s)
        match reply.act:
            case Act.HANG:
                self._wait_for_end(stream)
            case Act.RESET:
                reset(stream)
            case Act.ANSWER:
                stream.sendall(reply.to_bytes())
                if reply.then is not None:
                    reply.then()
                return True
            case Act.CLOSE:
                pass
        return False


def reset(peer: socket.socket) -> None:
    """End a connection with a TCP reset."""
    with contextlib.suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.shutdown(socket.SHUT_RD)  # wakes the thread that reads
        peer.close()


def _parse_head(head: bytes) -> tuple[str, tuple[tuple[str, str], ...]]:
    request_line, *lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    return request_line, tuple(
        (name, value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines)
    )


def answer_in_turn(*replies: Reply) -> Callable[[Received], Reply]:
    """Return an answer that gives these replies one after the other, and the last one for ever."""
    lock = threading.Lock()
    left = list(replies)

    def answer(_: Received) -> Reply:
        with lock:
            return left.pop(0) if len(left) > 1 else left[0]

    return answer
