"""One socket to one destination: an exchange at a time, then idle until the next, or dropped."""

import asyncio
import select
import ssl
from typing import TYPE_CHECKING, cast

from longwire.core.http import Cause, HttpResponse, TransportFailure
from longwire.net.response import ResponseReader
from longwire.net.tls import why

if TYPE_CHECKING:
    from longwire.net.pool import Shelf

# Destinations and the boxes between commonly close what is idle for a minute; half of it avoids most races.
IDLE_LIMIT_S = 30.0
# Clocks of event loops tick in milliseconds.
_TICK_S = 0.001


class Exchange:
    """One request under way: the bytes to write, when to give up (time of the loop), and what came of it."""

    __slots__ = ("connection", "deadline", "outcome", "payload")

    def __init__(self, payload: bytes, deadline: float, loop: asyncio.AbstractEventLoop) -> None:
        self.payload = payload
        self.deadline = deadline
        self.outcome: asyncio.Future[HttpResponse | TransportFailure] = loop.create_future()
        self.connection: Connection | None = None

    def abandon(self) -> None:
        """Drop the socket, unless the exchange is over and the socket has gone on to another."""
        self.outcome.cancel()
        if self.connection is not None:
            self.connection.abandon(self)


class Connection(asyncio.Protocol):
    """An open socket. It reports to its shelf, and begins `first`, if any, the moment it is usable."""

    def __init__(
        self, shelf: "Shelf", remote_address: str, loop: asyncio.AbstractEventLoop, first: Exchange | None
    ) -> None:
        self.remote_address = remote_address
        self._shelf = shelf
        self._loop = loop
        self._first = first
        self._reader = ResponseReader()
        self._poll = select.poll()
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._is_reused = False
        self.is_dropped = False
        # One timer for the deadline and for idling. It is moved only when it would come too late or has rung:
        # setting and cancelling one for each request is what costs.
        self._limit = 0.0
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0

    # What the pool and the client call.

    def begin(self, exchange: Exchange) -> None:
        """Write the request; the outcome comes in `exchange.outcome`. Only on an idle connection."""
        self._exchange = exchange
        exchange.connection = self
        self._watch(exchange.deadline)
        cast("asyncio.Transport", self._transport).write(exchange.payload)

    def begin_again(self, exchange: Exchange) -> None:
        """Write a request on a socket that has been idle, after an answer or after a probe."""
        self.begin(exchange)

    def abandon(self, exchange: Exchange) -> None:
        """Drop the socket if it is still busy with this exchange."""
        if self._exchange is exchange:
            self._exchange = None
            self.drop()

    def interrupt(self) -> None:
        """Drop the socket; what is under way ends with what has come so far."""
        if self._exchange is not None and self._reader.end(clean=False):
            self._decide()
        elif self._exchange is not None:
            self._finish(self._failure(Cause.RESET, "Longwire is stopping"), keep=False)
        self.drop()

    def is_quiet(self) -> bool:
        """Return whether the idle socket is open and nothing has come in that the loop has not read yet.

        What came unasked would be taken for the answer to the next request.
        """
        return self._transport is not None and not self._transport.is_closing() and not self._poll.poll(0)

    def drop(self) -> None:
        """Close the socket now, whatever is still to be written or read."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self.is_dropped = True
        self._shelf.remove_idle(self)
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket into use, TLS handshake included."""
        self._transport = cast("asyncio.Transport", transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        self._shelf.add(self)
        first, self._first = self._first, None
        if first is None:
            self._rest()
        elif first.outcome.done():  # cancelled while the socket was opened
            self.drop()
        else:
            self.begin(first)

    def data_received(self, data: bytes) -> None:
        """Read on; what comes unasked costs the socket its trust."""
        if self._exchange is None:
            self.drop()
        elif self._reader.feed(data):
            self._decide()

    def eof_received(self) -> None:
        """Take the end of what the destination sends for the end of the exchange."""
        self._end(None)
        self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the socket, ours or theirs."""
        self._end(exc)
        self._shelf.discard(self)
        self.drop()

    def _watch(self, limit: float) -> None:
        self._limit = limit
        if self._alarm is None or self._alarm_at > limit:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = limit
            self._alarm = self._loop.call_at(limit, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        if self._loop.time() + _TICK_S < self._limit:
            self._watch(self._limit)
        elif self._exchange is None:
            self.drop()
        else:
            self._time_out()

    def _time_out(self) -> None:
        if self._reader.has_head:
            self._reader.end(clean=False)
            self._decide()
            return
        if cast("asyncio.Transport", self._transport).get_write_buffer_size():
            detail = f"{self._shelf.route.peer} did not take the whole request in time"
        elif self._reader.has_bytes:
            detail = "the header of the answer was not complete in time"
        else:
            detail = "no answer in time"
        self._fail(Cause.TIMEOUT, detail)

    def _end(self, exc: Exception | None) -> None:
        if self._exchange is None:
            return
        if self._reader.end(clean=exc is None):
            self._decide()
        elif isinstance(exc, TimeoutError):
            peer = self._shelf.route.peer
            self._fail(Cause.TIMEOUT, f"the connection broke: {peer} no longer acknowledged anything")
        elif self._loop.time() >= self._exchange.deadline:
            self._time_out()
        elif isinstance(exc, ssl.SSLError) and not isinstance(exc, ssl.SSLEOFError):
            self._fail(Cause.TLS, why(exc, self._shelf.route.peer))
        else:
            verb = "closed" if exc is None else "reset"
            when = (
                "in the middle of the header of its answer"
                if self._reader.has_bytes
                else "before it answered"
            )
            self._fail(Cause.RESET, f"{self._shelf.route.peer} {verb} the connection {when}")

    def _decide(self) -> None:
        reader = self._reader
        if not reader.has_head:
            self._fail(Cause.MALFORMED_RESPONSE, reader.problem or "")
            return
        response = HttpResponse(
            reader.status, reader.headers, reader.body, reader.truncated, self.remote_address
        )
        # An answer that came before the request was written leaves the rest of it on the wire.
        is_written = not cast("asyncio.Transport", self._transport).get_write_buffer_size()
        self._finish(response, keep=reader.reusable and is_written)

    def _fail(self, cause: Cause, detail: str) -> None:
        is_race = cause is Cause.RESET and self._is_reused and not self._reader.has_bytes
        blamed = self._shelf.route.cause(cause)
        self._finish(self._failure(blamed, detail, is_race=is_race), keep=False)

    def _failure(self, cause: Cause, detail: str, *, is_race: bool = False) -> TransportFailure:
        """Return a failure of a request that has begun: some of it may have arrived."""
        return TransportFailure(cause, detail, self.remote_address, is_race, request_written=True)

    def _finish(self, result: HttpResponse | TransportFailure, *, keep: bool) -> None:
        exchange = cast("Exchange", self._exchange)
        self._exchange = None
        # Only a socket that has brought an answer can lose the keep-alive race; a probed one was just opened.
        self._is_reused = True
        if exchange.outcome.done():  # cancelled just now
            keep = False
        else:
            exchange.outcome.set_result(result)
        if keep:
            self._rest()
        else:
            self.drop()

    def _rest(self) -> None:
        self._reader.restart()
        self._watch(self._loop.time() + IDLE_LIMIT_S)
        if not self._shelf.put(self):
            self.drop()
