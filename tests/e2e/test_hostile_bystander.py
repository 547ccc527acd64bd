"""A connection beside hostile ones: the product stays up and delivers; and the raw destinations that are hostile."""

import contextlib
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.ports import free_port
from tests.e2e.sink import HANG, RESET, Received, Reply, Sink

UP_S = 5.0
MIB = 1024 * 1024

Script = Callable[[socket.socket], None]


class RawDestination:
    """Runs `script` on each connection it accepts; the connection is closed when the script has ended."""

    def __init__(self, script: Script, *, receive_buffer: int | None = None) -> None:
        self.script = script
        self.accepted = 0
        self.port = free_port()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(64)
        self._live: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/hook"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for each in (self._listener, *self._live):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                self.accepted += 1
                self._live.add(peer)
                threading.Thread(target=self._run, args=(peer,), daemon=True).start()

    def _run(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError, EOFError):
            self.script(peer)
        self._live.discard(peer)


def read_request(peer: socket.socket) -> bytes:
    """Return one request of a peer that writes no second one before the answer. Errors: EOFError."""
    got = b""
    while (head_end := got.find(b"\r\n\r\n")) < 0 or len(got) < head_end + 4 + _length(got):
        if not (piece := peer.recv(65536)):
            raise EOFError
        got += piece
    return got


def _length(request: bytes) -> int:
    found = re.search(rb"\r\ncontent-length: *(\d+)", request, re.IGNORECASE)
    return int(found[1]) if found else 0


def answering(answer: bytes) -> Script:
    """Return a script that answers one request and then waits until the other side has gone."""

    def script(peer: socket.socket) -> None:
        read_request(peer)
        peer.sendall(answer)
        while peer.recv(65536):
            pass

    return script


def attempts_of(road: Road) -> list[Json]:
    """Return the attempt rows of all deliveries, oldest delivery first."""
    details = (road.details(each) for each in road.deliveries())
    return list(itertools.chain.from_iterable(each["attempts"] for each in details))


def memory_of(longwire: Longwire) -> int:
    """Return the resident bytes of the process."""
    status = Path(f"/proc/{longwire.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def cpu_seconds_of(longwire: Longwire) -> float:
    fields = Path(f"/proc/{longwire.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def check_product_is_up(api: Api, dev_eui: str) -> None:
    """Check that /healthz answers within 5 s and that a connection made now delivers within 5 s."""
    began = time.monotonic()
    assert api.raw("GET", "/healthz").status == 200
    assert time.monotonic() - began < 5
    with Sink() as healthy:
        road = build_road(api, connection_document(healthy.url()), [dev_eui])
        road.send(uplink(dev_eui, 1))
        healthy.wait_for(1, timeout_s=UP_S)
        assert api.call("DELETE", f"/connections/{road.connection_id}").status == 204


def more_devices(dev_eui: str) -> Iterator[str]:
    """Yield DevEUIs that no other test uses, given one that no other test uses."""
    return (f"{number:02X}{dev_eui[2:]}" for number in range(1, 256))


def flood(peer: socket.socket) -> None:
    """Answer without end."""
    read_request(peer)
    peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in itertools.repeat(b"10000\r\n" + b"x" * 0x10000 + b"\r\n"):
        peer.sendall(piece)


def flood_with(interim: bytes) -> Script:
    """Return a script that sends interim answers without end."""

    def script(peer: socket.socket) -> None:
        read_request(peer)
        for piece in itertools.repeat(b"HTTP/1.1 %s\r\n\r\n" % interim):
            peer.sendall(piece)

    return script


def always(reply: Reply) -> Callable[[Received], Reply]:
    return lambda _: reply


def test_one_hostile_destination_of_each_kind_does_not_touch_a_healthy_connection(
    api: Api, dev_eui: str
) -> None:
    replies = [HANG, RESET, Reply(500), Reply(302, (("Location", "http://127.0.0.1:9/"),))]
    with contextlib.ExitStack() as stack:
        scripts = (flood, flood_with(b"100 Continue"))
        urls = [stack.enter_context(RawDestination(script)).url() for script in scripts]
        for reply in replies:
            hostile = stack.enter_context(Sink())
            hostile.answer = always(reply)
            urls.append(hostile.url())
        for url, device in zip(urls, more_devices(dev_eui), strict=False):
            road = build_road(api, connection_document(url, strictMode=True), [device])
            road.send(*(uplink(device, number) for number in range(1, 4)))
        check_product_is_up(api, dev_eui)
