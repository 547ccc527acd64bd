"""A DNS server on loopback that knows the names a test gives it, and can change its mind."""

import contextlib
import ipaddress
import socket
import struct
import threading
from typing import Self

A, AAAA, IN = 1, 28, 1
NO_SUCH_NAME = 3


class NameServer:
    """Answers over UDP from `names`; others do not exist. `asked` holds every name asked for."""

    def __init__(self, names: dict[str, list[str]] | None = None) -> None:
        self.names = names or {}
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

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
                self._socket.sendto(self._answer(query), sender)

    def _answer(self, query: bytes) -> bytes:
        name, end = _read_name(query)
        self.asked.append(name)
        kind, _ = struct.unpack_from("!HH", query, end)
        known = self.names.get(name.lower())
        found = [ipaddress.ip_address(text).packed for text in known or []]
        records = [
            packed for packed in found if len(packed) == (4 if kind == A else 16) and kind in {A, AAAA}
        ]
        flags = 0x8580 | (0 if known is not None else NO_SUCH_NAME)
        header = query[:2] + struct.pack("!HHHHH", flags, 1, len(records), 0, 0)
        question = query[12 : end + 4]
        # 0xC00C points at the name of the question; a TTL of 0 lets a test move a name.
        answers = [struct.pack("!HHHIH", 0xC00C, kind, IN, 0, len(packed)) + packed for packed in records]
        return header + question + b"".join(answers)


def _read_name(query: bytes) -> tuple[str, int]:
    """Return the name of the first question and where it ends."""
    labels, at = [], 12
    while length := query[at]:
        labels.append(query[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1
