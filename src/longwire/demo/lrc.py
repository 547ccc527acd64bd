"""The LRC's own door on a loopback port: it takes downlinks, answers as a ThingPark LRC, and reports what was sent."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from itertools import count as count_from

from longwire.core.errors import Misconfigured
from longwire.demo.chance import draw
from longwire.demo.downlink_desk import PATH, Desk, Refused, Taken, sent_report
from longwire.demo.fleet_run import Outcome, judge
from longwire.demo.pace import wait_before_repeat
from longwire.demo.post_client import PostClient, UnansweredError, parse_target
from longwire.demo.request_parser import ParsedRequest, RequestParser, write_answer

HOST = "127.0.0.1"
REFUSED = 350
"""The status of an LRC's refusal."""
MOST_REPORTS = 1000
"""Reports that wait; who asks for more is told to come later."""

_HTML = "text/html; charset=utf-8"
_CHUNK_BYTES = 65_536
_IDLE_S = 75.0
_MOST_SHOWN = 40
_OK, _NOT_FOUND, _TOO_MANY = 200, 404, 429


def lrc_url(port: int) -> str:
    """Return the lrcUrl of an LRC on that port."""
    return f"http://{HOST}:{port}{PATH}"


@dataclass(frozen=True, slots=True)
class LrcOptions:
    """`port` 0 picks a free one; reports go to `ingest_url`, signed with `key`, `air_time` after the downlink came."""

    ingest_url: str
    key: str | None = None
    port: int = 0
    air_time: timedelta = timedelta(seconds=1)
    timeout: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Lrc:
    """Serves until cancelled; `on_downlink` hears of each request that came for a downlink, and what became of it."""

    options: LrcOptions
    desk: Desk
    now: Callable[[], datetime]
    on_downlink: Callable[[Taken | Refused], None]
    _reports: asyncio.Queue[Taken] = field(default_factory=lambda: asyncio.Queue(MOST_REPORTS))

    async def serve(self, started: Callable[[str], None]) -> None:
        """Listen, tell `started` the lrcUrl, and report what was taken, in order, for ever.

        Raises Misconfigured when the port cannot be had.
        """
        try:
            server = await asyncio.start_server(self._converse, HOST, self.options.port)
        except OSError as error:
            raise Misconfigured(
                f"the LRC cannot listen on {HOST} port {self.options.port}: {error.strerror}"
            ) from error
        async with server:
            started(lrc_url(server.sockets[0].getsockname()[1]))
            await self._report_all()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; a peer that goes away or says nothing for long is no error."""
        parser = RequestParser()
        with suppress(OSError):
            while chunk := await self._read(reader):
                requests, failure = parser.feed(chunk)
                for request in requests:
                    writer.write(self._answer(request))
                if failure is not None or not all(each.keep_alive for each in requests):
                    break
                await writer.drain()
        writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            async with asyncio.timeout(_IDLE_S):
                return await reader.read(_CHUNK_BYTES)
        except TimeoutError:
            return b""

    def _answer(self, request: ParsedRequest) -> bytes:
        path, _, query = request.path.partition("?")
        if path != PATH or request.method != "POST":
            return _page(_NOT_FOUND, f"POST to {PATH}", request)
        if self._reports.full():
            return _page(_TOO_MANY, "Too many downlinks", request)
        taken = self.desk.take(query)
        self.on_downlink(taken)
        if isinstance(taken, Refused):
            return _page(REFUSED, taken.cause, request)
        self._reports.put_nowait(taken)
        return _page(_OK, "Request queued by LRC", request)

    async def _report_all(self) -> None:
        options = self.options
        async with PostClient(parse_target(options.ingest_url), 1, options.timeout) as client:
            while True:
                downlink = await self._reports.get()
                await asyncio.sleep(options.air_time.total_seconds())
                await self._report(client, downlink)

    async def _report(self, client: PostClient, downlink: Taken) -> None:
        """Send one report until somebody has decided about it."""
        query, body = sent_report(downlink, self.now(), self.options.key)
        for attempt in count_from(1):
            with suppress(UnansweredError):
                if judge(await client.post(query, body)) is not Outcome.REPEATED:
                    return
            chance = draw(downlink.dev_eui, downlink.f_cnt_dn, attempt)
            wait = wait_before_repeat(attempt, timedelta(milliseconds=200), timedelta(seconds=5), chance)
            await asyncio.sleep(wait.total_seconds())


def describe(downlink: Taken | Refused) -> str:
    """Return a line for people; nothing in it was chosen by the sender but what the LRC has checked."""
    if isinstance(downlink, Refused):
        return f"LRC: downlink refused: {downlink.cause}"
    shown = f"port {downlink.f_port}  {_printable(downlink.payload_hex)}"
    return f"LRC: downlink for {downlink.dev_eui}  FCntDn {downlink.f_cnt_dn}  {shown}"


def _printable(payload_hex: str) -> str:
    return "".join(filter(str.isalnum, payload_hex))[:_MOST_SHOWN]


def _page(status: int, text: str, request: ParsedRequest) -> bytes:
    body = f"<html><body>{escape(text)}</body></html>".encode()
    return write_answer(status, _HTML, body, keep_alive=request.keep_alive)
