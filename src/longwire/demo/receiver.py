"""A request bin on its own port: it takes any request, shows it, and misbehaves as told.

`GET /` is the page, `GET /_requests?after=ID` the same as JSON, `POST /_mode` changes the behaviour; every
other request is received. These three always answer, whatever the behaviour. On a loopback port they answer
only when the Host is a loopback one, so that a web page cannot read the bin by a name that leads to it (DNS
rebinding).
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from types import TracebackType
from typing import Self, assert_never
from urllib.parse import parse_qs, urlsplit

import msgspec

from longwire.core.errors import InvalidInput, Misconfigured
from longwire.core.http import Endpoint
from longwire.demo.behaviour import Answer, Behaviour, Hangup, Silence, decide, parse_behaviour
from longwire.demo.received import Received, Shelf
from longwire.demo.receiver_page import render_page, render_requests
from longwire.demo.request_parser import ParsedRequest, ParseFailure, RequestParser, write_answer

_CHUNK_BYTES = 65_536
_JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_SWITCH = b"mode="
"""How the form of the page begins, where JSON begins with a brace."""
_LINGER = timedelta(seconds=1)
"""How long a refused sender may go on sending before the socket closes, so that it can read why."""


@dataclass(frozen=True, slots=True)
class ReceiverOptions:
    """Where the receiver listens and how it behaves at first; `port` 0 picks a free one.

    A `host` other than loopback needs `allow_remote`: the receiver shows everybody everything it got.
    """

    host: str = "127.0.0.1"
    port: int = 0
    allow_remote: bool = False
    tls: ssl.SSLContext | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    max_requests: int = 500
    max_bytes: int = 32 * 1024 * 1024
    max_connections: int = 1024
    idle_timeout: timedelta = timedelta(seconds=75)


class Receiver:
    """The server; `async with`, or `start` and `stop`. `on_request` hears of a request before it is answered.

    The answer goes out after `on_request` has returned: what should happen before it belongs there, what should
    happen after it is for a `call_later`. An error it raises closes that connection and is raised by `stop`.
    """

    def __init__(
        self, options: ReceiverOptions, now: Callable[[], datetime], on_request: Callable[[Received], None]
    ) -> None:
        if not (options.allow_remote or is_loopback(options.host)):
            raise Misconfigured(f"the receiver listens on loopback only; {options.host} needs --allow-remote")
        self._options = options
        self._now = now
        self._on_request = on_request
        self._shelf = Shelf(options.max_requests, options.max_bytes)
        self._received = 0
        self._port = options.port
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._crash: BaseException | None = None
        self.behave(options.behaviour)

    @property
    def url(self) -> str:
        """Return the address to send to, without a path; known once started."""
        scheme = "https" if self._options.tls else "http"
        return f"{scheme}://{Endpoint(scheme, self._options.host, self._port).authority}"

    def behave(self, behaviour: Behaviour) -> None:
        """Treat requests that come from now on like this."""
        self._behaviour = behaviour
        self._behaves_since = self._now()

    async def __aenter__(self) -> Self:
        """Start listening."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and close every connection."""
        await self.stop()

    async def start(self) -> None:
        """Listen; afterwards `url` is valid."""
        # "localhost" is two addresses, and a picked port would differ between them.
        host = "127.0.0.1" if self._options.host == "localhost" else self._options.host
        self._server = await asyncio.start_server(self._accept, host, self._port, ssl=self._options.tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and every connection; raise what `on_request` raised, if it did."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await asyncio.sleep(0)  # the loop closes the sockets in its next round
        if self._crash is not None:
            raise self._crash

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._conversations) >= self._options.max_connections:
            writer.transport.abort()
            return
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._forget)

    def _forget(self, conversation: asyncio.Task[None]) -> None:
        self._conversations.discard(conversation)
        if not conversation.cancelled():
            self._crash = self._crash or conversation.exception()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side has had enough; a peer that goes away is no error."""
        try:
            with suppress(OSError):
                await self._serve(reader, writer)
            writer.close()
        except BaseException:
            writer.transport.abort()
            raise

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = RequestParser()
        while chunk := await self._read(reader):
            requests, failure = parser.feed(chunk)
            for request in requests:
                if not await self._treat(request, reader, writer):
                    return
            if failure is not None:
                await self._turn_away(failure, reader, writer)
                return
            if parser.wants_continue:
                parser.wants_continue = False
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Return what comes next, or nothing when the connection has ended or idled too long."""
        try:
            async with asyncio.timeout(self._options.idle_timeout.total_seconds()):
                return await reader.read(_CHUNK_BYTES)
        except TimeoutError:
            return b""

    async def _treat(
        self, request: ParsedRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request or leave it; return whether the connection goes on."""
        page = self._open_page(request)
        if page is not None:
            await self._send(writer, page)
            return request.keep_alive
        number = self._receive(request)
        match decide(self._behaviour, self._behaves_since, self._now()):
            case Silence():
                await _wait_for_end(reader)
                return False
            case Hangup():
                return False
            case Answer(status=status, delay=delay):
                if delay:
                    await asyncio.sleep(delay.total_seconds())
                body = b"" if request.method == "HEAD" else msgspec.json.encode({"received": number})
                await self._send(writer, write_answer(status, _JSON, body, keep_alive=request.keep_alive))
                return request.keep_alive
            case never:
                assert_never(never)

    async def _turn_away(
        self, failure: ParseFailure, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Say what is wrong with the bytes, and let the sender read it before the socket closes."""
        body = msgspec.json.encode({"error": failure.reason})
        await self._send(writer, write_answer(failure.status, _JSON, body, keep_alive=False))
        async with asyncio.timeout(_LINGER.total_seconds()):
            await _wait_for_end(reader)

    async def _send(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        """Write an answer; a peer that does not read it in time raises the TimeoutError (an OSError)."""
        writer.write(answer)
        async with asyncio.timeout(self._options.idle_timeout.total_seconds()):
            await writer.drain()

    def _receive(self, request: ParsedRequest) -> int:
        """Keep and announce a request; return its id."""
        self._received += 1
        received = Received(
            self._received, self._now(), request.method, request.path, request.headers, request.body
        )
        self._shelf.keep(received)
        self._on_request(received)
        return received.id

    def _open_page(self, request: ParsedRequest) -> bytes | None:
        """Return the answer of one of the receiver's own pages, or None for a request to be received."""
        path, _, query = request.path.partition("?")
        if is_loopback(self._options.host) and not _has_loopback_host(request):
            return None
        try:
            match request.method, path:
                case "GET", "/":
                    content_type, body = _HTML, render_page(self._shelf.after(0), self._behaviour)
                case "GET", "/_requests":
                    content_type, body = _JSON, render_requests(self._shelf.after(_parse_after(query)))
                case "POST", "/_mode" if request.body.startswith(_SWITCH):
                    mode = request.body.removeprefix(_SWITCH).decode(errors="replace")
                    self.behave(parse_behaviour(msgspec.json.encode({"mode": mode})))
                    content_type, body = _HTML, render_page(self._shelf.after(0), self._behaviour)
                case "POST", "/_mode":
                    self.behave(parse_behaviour(request.body))
                    content_type, body = _JSON, msgspec.json.encode(self._behaviour)
                case _:
                    return None
        except InvalidInput as error:
            body = msgspec.json.encode({"error": str(error)})
            return write_answer(400, _JSON, body, keep_alive=request.keep_alive)
        return write_answer(200, content_type, body, keep_alive=request.keep_alive)


def is_loopback(host: str) -> bool:
    """Return whether a host, as a name or an address literal, is this machine's own loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _has_loopback_host(request: ParsedRequest) -> bool:
    authority = next((value for name, value in request.headers if name.lower() == "host"), "")
    try:
        return is_loopback(urlsplit(f"//{authority}").hostname or "")
    except ValueError:
        return False


def _parse_after(query: str) -> int:
    text = parse_qs(query).get("after", ["0"])[-1]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):  # noqa: PLR2004 - fits 64 bits
        raise InvalidInput("after", f"expected the id of a request, got {text!r}")
    return int(text)


async def _wait_for_end(reader: asyncio.StreamReader) -> None:
    """Wait until the other side ends the connection; what it still sends is thrown away."""
    while await reader.read(_CHUNK_BYTES):
        pass
