"""The HTTP protocol of the listener: uvicorn's, with bounds it has not, and a short way for plain ingest requests.

A plain request is a POST to the ingest door whose small body has its length announced, on a socket with no other
request under way. It is answered right here, without ASGI; whatever is unusual about a request sends it the long way,
through `web/server`, where both end in the same `Ingest.accept`. To uvicorn a plain request looks like any other: it is
the *cycle* under way, so what is pipelined behind it waits, and a shutdown lets it have its answer.
"""

import asyncio
import re
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from longwire.core.errors import InvalidInput
from longwire.sources.ingest_request import IngestRequest
from longwire.web.answer import ACCEPTED, Answer, refusal
from longwire.web.errors import RequestTimeout
from longwire.web.server import Front

MAX_HEAD_BYTES = 64 * 1024
MAX_PLAIN_BYTES = 64 * 1024  # a larger body needs uvicorn's flow control
REQUEST_TIMEOUT_S = 30.0

_PLAIN_TARGET = re.compile(rb"/ingest/([^/?#%]+)(?:/[^?#%]*)?(?:\?([^#]*))?")
_SHORT_LENGTH = re.compile(rb"[0-9]{1,5}")
_CLOSE = (b"connection", b"close")
_NOT_PLAIN = (b"content-encoding", b"transfer-encoding", b"expect", b"upgrade")


class _NoEvent:
    """What uvicorn rings to wake an ASGI application; nobody waits for a plain request's."""

    def set(self) -> None:
        """Wake nobody."""


_NO_EVENT = _NoEvent()


class PlainPost:
    """A plain request under way, as far as uvicorn's protocol looks into a cycle."""

    __slots__ = (
        "body",
        "content_type",
        "disconnected",
        "keep_alive",
        "more_body",
        "network_server_id",
        "query",
        "response_complete",
    )
    message_event = _NO_EVENT

    def __init__(self, network_server_id: str, query: str, content_type: str) -> None:
        """Begin before the body."""
        self.network_server_id = network_server_id
        self.query = query
        self.content_type = content_type
        self.body = bytearray()
        self.more_body = True
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False


class LongwireProtocol(HttpToolsProtocol):
    """One connection to us.

    It is closed when the head of a request does not end within 64 KiB, or a request not within 30 s of its beginning.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Begin before the first request; `self.app` is the Front."""
        super().__init__(*arguments, **named)
        self._is_in_head = True
        self._is_in_body = False
        self._head_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection; a plain request under way is kept, only its answer is not needed."""
        super().connection_lost(exc)
        self._forget_deadline()

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that has not ended, and feed the parser."""
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("its head is over 64 KiB")
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request of HTTP, in the API's shape; nothing can follow it."""
        correlation_id = cast("Front", self.app).next_correlation_id()
        self._write(refusal(InvalidInput("request", msg), correlation_id), correlation_id, is_last=True)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin the head of a request; what came with the end of the one before is not counted."""
        self._is_in_head = True
        self._head_bytes = 0
        self._forget_deadline()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the head, and choose the way."""
        self._is_in_head, self._is_in_body = False, True
        plain = self._read_plain_head()
        if plain is None:
            super().on_headers_complete()
        else:
            self.cycle = cast("RequestResponseCycle", plain)

    def on_message_complete(self) -> None:
        """Accept a plain request."""
        self._is_in_body = False
        super().on_message_complete()
        if (plain := self._plain) is not None and not plain.response_complete:
            self._accept(plain)

    # What a cycle calls.

    def on_response_complete(self) -> None:
        """Go on after an answer; one that came before its request was complete leaves a body to be ended in time."""
        super().on_response_complete()
        self._watch()

    @property
    def _plain(self) -> PlainPost | None:
        cycle: object = self.cycle
        return cycle if isinstance(cycle, PlainPost) else None

    def _read_plain_head(self) -> PlainPost | None:
        """Return the plain request that begins, or None for the long way."""
        is_free = self.cycle is None or self.cycle.response_complete
        target = _PLAIN_TARGET.fullmatch(self.url)
        if target is None or not is_free or self.flow.write_paused:
            return None
        parser, headers = self.parser, dict(self.headers)
        is_usual = (
            parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and headers.keys().isdisjoint(_NOT_PLAIN)
        )
        length = headers.get(b"content-length", b"")
        if not is_usual or not _SHORT_LENGTH.fullmatch(length) or int(length) > MAX_PLAIN_BYTES:
            return None
        content_type = headers.get(b"content-type", b"")
        return PlainPost(
            target[1].decode(), (target[2] or b"").decode("latin-1"), content_type.decode("latin-1")
        )

    def _accept(self, plain: PlainPost) -> None:
        front = cast("Front", self.app)
        request = IngestRequest(
            plain.network_server_id, plain.query, plain.content_type, bytes(plain.body), front.now()
        )
        accepted = self.loop.create_task(front.ingest.accept(request))
        self.tasks.add(accepted)  # so uvicorn waits for it at the end, as for its own
        accepted.add_done_callback(lambda task: self._conclude(plain, task))

    def _conclude(self, plain: PlainPost, accepted: asyncio.Task[None]) -> None:
        self.tasks.discard(accepted)
        try:
            accepted.result()
        except asyncio.CancelledError:  # the server's patience is over
            self.transport.close()
        except Exception as error:  # noqa: BLE001 - the HTTP door, as in the Front
            self._refuse(plain, error)
        else:
            self._send(plain, ACCEPTED, cast("Front", self.app).next_correlation_id())

    def _refuse(self, plain: PlainPost, error: Exception) -> None:
        correlation_id = cast("Front", self.app).next_correlation_id()
        self._send(plain, refusal(error, correlation_id), correlation_id)

    def _send(self, plain: PlainPost, answer: Answer, correlation_id: str) -> None:
        plain.response_complete = True
        if self.transport.is_closing():
            return
        self._write(answer, correlation_id, is_last=not plain.keep_alive or _CLOSE in answer.headers)
        self.on_response_complete()

    def _write(self, answer: Answer, correlation_id: str, *, is_last: bool) -> None:
        headers = [
            *self.server_state.default_headers,
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-correlation-id", correlation_id.encode()),
        ]
        if is_last and _CLOSE not in answer.headers:
            headers.append(_CLOSE)
        lines = [b"%b: %b\r\n" % header for header in headers]
        self.transport.write(b"".join((STATUS_LINE[answer.status], *lines, b"\r\n", answer.body)))
        if is_last:
            self.transport.close()

    # Deadlines

    def _watch(self) -> None:
        """Keep a deadline while a request is expected or incomplete; the long way has its own for the body."""
        plain = self._plain
        is_answered_early = self._is_in_body and (self.cycle is None or self.cycle.response_complete)
        is_incomplete = self._is_in_head or is_answered_early or (plain is not None and plain.more_body)
        if not is_incomplete:
            self._forget_deadline()
        elif self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(REQUEST_TIMEOUT_S, self._time_out)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        self._deadline = None
        is_answering = self.cycle is not None and not self.cycle.response_complete
        plain = self._plain
        if plain is not None and plain.more_body:
            self._refuse(
                plain, RequestTimeout(f"the request did not arrive within {REQUEST_TIMEOUT_S:.0f} s")
            )
        elif is_answering:  # what is pipelined behind it may be as slow
            self._watch()
        else:
            self.transport.close()
