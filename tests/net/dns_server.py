"""A DNS server on loopback that answers what a test tells it to: truth, lies, changes of mind, or nothing."""

import contextlib
import ipaddress
import socket
import struct
import threading
from collections.abc import Iterable
from typing import Self

A, AAAA, IN = 1, 28, 1
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME, REFUSED = 0, 2, 3, 5

# 0xC00C points at the name of the question.
_SAME_NAME = 0xC00C


class DnsServer:
    """Answers over UDP; what it does not know does not exist.

    `names` maps a name to its addresses, of both families. `silent` names get no answer (or none for one
    record type, as `(name, AAAA)`), `codes` maps a name to the error code to answer with. All may be changed
    at any time. `questions` holds (name, record type) of everything that was asked.
    """

    def __init__(self, names: dict[str, list[str]] | None = None, *, ttl_s: int = 300) -> None:
        self.names = dict(names or {})
        self.silent: set[str | tuple[str, int]] = set()
        self.codes: dict[str, int] = {}
        self.questions: list[tuple[str, int]] = []
        self._ttl_s = ttl_s
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """What LONGWIRE_RESOLVER would say."""
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def asked(self, name: str) -> int:
        """How often the name's A record was asked for."""
        return self.questions.count((name, A))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                query, sender = self._socket.recvfrom(4096)
                name, end = _read_name(query)
                (kind,) = struct.unpack_from("!H", query, end)
                self.questions.append((name, kind))
                if not self.silent & {name, (name, kind)}:
                    self._socket.sendto(self._answer(query, name, kind, end), sender)

    def _answer(self, query: bytes, name: str, kind: int, end: int) -> bytes:
        code = self.codes.get(name, NO_ERROR if name in self.names else NO_SUCH_NAME)
        records = list(_records(self.names.get(name, ()), kind)) if code == NO_ERROR else []
        header = query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(records), 0, 0)
        answers = (
            struct.pack("!HHHIH", _SAME_NAME, kind, IN, self._ttl_s, len(packed)) + packed
            for packed in records
        )
        return header + query[12 : end + 4] + b"".join(answers)


def _records(addresses: Iterable[str], kind: int) -> Iterable[bytes]:
    version = {A: 4, AAAA: 6}.get(kind)
    return (
        address.packed for text in addresses if (address := ipaddress.ip_address(text)).version == version
    )


def _read_name(query: bytes) -> tuple[str, int]:
    """Return the name of the first question, in lower case, and where it ends."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    return ".".join(labels), at + 1
