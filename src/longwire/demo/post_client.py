"""POSTs JSON to one URL over a few keep-alive connections: the test tool's HTTP, not `net.client`.

It reads what Longwire's own server answers: status, length or chunks, keep-alive. No redirects, no cookies.
"""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import httptools

from longwire.core.errors import InvalidInput
from longwire.core.http import Endpoint

_CHUNK_BYTES = 65_536
_MAX_ANSWER_BYTES = 1_048_576


class UnansweredError(Exception):
    """No complete answer came: refused, reset, timed out, not HTTP; the message may have arrived."""


@dataclass(frozen=True, slots=True)
class Target:
    """A parsed URL: whom to dial, and the path with what query it already has."""

    endpoint: Endpoint
    path: str

    def with_query(self, query: str) -> str:
        """Return the request target with the query appended."""
        return f"{self.path}{'&' if '?' in self.path else '?'}{query}" if query else self.path


def parse_target(url: str) -> Target:
    """Return where a http or https URL leads; anything else is an InvalidInput."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput("url", f"cannot be read: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isascii() or " " in url:
        raise InvalidInput("url", f"expected http://host[:port]/path or https://..., got {url!r}")
    endpoint = Endpoint(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80))
    return Target(endpoint, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


class PostClient:
    """At most `connections` sockets to one URL; leaving the block closes them.

    `tls` is what an https URL is verified with, None for the system's certificates.
    """

    def __init__(
        self, target: Target, connections: int, timeout: timedelta, tls: ssl.SSLContext | None = None
    ) -> None:
        self._target = target
        self._timeout_s = timeout.total_seconds()
        self._tls = (tls or ssl.create_default_context()) if target.endpoint.scheme == "https" else None
        self._slots = asyncio.Semaphore(connections)
        self._idle: list[_Wire] = []

    async def __aenter__(self) -> Self:
        """Return the client itself; the first connection is opened by the first request."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what is idle; what is in use was closed by whoever was cancelled."""
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next round

    async def post(self, query: str, body: bytes) -> int:
        """Return the status of the answer, or raise UnansweredError; waits for a free connection first."""
        head = (
            f"POST {self._target.with_query(query)} HTTP/1.1\r\nHost: {self._target.endpoint.authority}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        async with self._slots:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await self._exchange(head.encode("ascii") + body)
            except TimeoutError as error:
                raise UnansweredError(f"no answer within {self._timeout_s:g} s") from error
            except (OSError, EOFError, httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
                raise UnansweredError(str(error) or type(error).__name__) from error

    async def _exchange(self, request: bytes) -> int:
        wire = self._take_idle() or await self._dial()
        reusable = False
        try:
            answer = await wire.exchange(request)
            reusable = answer.keep_alive
        finally:
            if reusable:
                self._idle.append(wire)
            else:
                wire.close()
        return answer.status

    def _take_idle(self) -> "_Wire | None":
        """Return the connection used last, so that at a low rate one stays warm and the others end."""
        while self._idle:
            wire = self._idle.pop()
            if wire.is_open:
                return wire
            wire.close()
        return None

    async def _dial(self) -> "_Wire":
        endpoint = self._target.endpoint
        return _Wire(*await asyncio.open_connection(endpoint.host, endpoint.port, ssl=self._tls))


class _Answer:
    """What httptools calls back with while it reads one response."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.keep_alive = False
        self.is_complete = False

    def feed(self, chunk: bytes) -> None:
        self._parser.feed_data(chunk)

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        # 100 Continue and its like are not the answer.
        self.is_complete = self.status >= 200  # noqa: PLR2004 - the first final status
        self.keep_alive = self._parser.should_keep_alive()

    @property
    def ends_with_connection(self) -> bool:
        """A response without a length: its head is there, the rest is until the end."""
        return self.status >= 200 and not self.is_complete  # noqa: PLR2004 - as above


class _Wire:
    """One connection; a request goes out, its answer comes back, then the next."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def is_open(self) -> bool:
        return not (self._reader.at_eof() or self._reader.exception() or self._writer.is_closing())

    def close(self) -> None:
        self._writer.transport.abort()

    async def exchange(self, request: bytes) -> _Answer:
        self._writer.write(request)
        answer = _Answer()
        received = 0
        while not answer.is_complete:
            chunk = await self._reader.read(_CHUNK_BYTES)
            if not chunk and answer.ends_with_connection:
                return answer
            received += len(chunk)
            if not chunk or received > _MAX_ANSWER_BYTES:
                raise EOFError(
                    "connection closed before the answer" if not chunk else "the answer is too long"
                )
            answer.feed(chunk)
        return answer
