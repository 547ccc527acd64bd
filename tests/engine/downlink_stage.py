"""A real downlink lane, SQLite file and client, an LRC that answers as told, a clock that moves when told."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import sqlalchemy as sa
from tests.engine.stage import CONTEXT, until
from tests.storage.connections import add_connection

from longwire.clock import SimulatedClock
from longwire.core.address_policy import parse_allow_list
from longwire.core.downlink import Downlink, Report, Status, parse_downlink
from longwire.core.http import Endpoint
from longwire.core.message import parse_dev_eui
from longwire.engine.downlink_lane import DownlinkLane, DownlinkTools
from longwire.net.client import Client
from longwire.net.resolver import Resolver
from longwire.sources.thingpark_downlink import Lrc
from longwire.storage.database import Database
from longwire.storage.downlinks import Downlinks, Filter, Route, Ticket
from longwire.storage.page import Page
from longwire.storage.secrets import Sealer

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
S = timedelta(seconds=1)
CONNECTION = 7
CLOSE = 0
HANG = -1


class FakeLrc:
    """Answers each downlink by `script` (a status, CLOSE or HANG); `got` holds FCntDn or payload of each, in order."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self.script: Callable[[dict[str, list[str]]], int] = lambda _: 200
        self.most_at_once = 0
        self.is_released = asyncio.Event()
        self._at_once = 0

    async def open(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self.is_released.set()
        self._server.close()

    @property
    def hanging(self) -> int:
        """Return how many requests wait for an answer that does not come."""
        return self._at_once

    def hang_up(self) -> None:
        """Give up those that hang."""
        self.is_released.set()
        self.is_released = asyncio.Event()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                query = parse_qs(head.split()[1].decode().partition("?")[2], keep_blank_values=True)
                self.queries.append(query)
                self.got.append(query["DevEUI"][0][-1] + query["Payload"][0])
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                status = self.script(query)
                if status == HANG:
                    await self.is_released.wait()
                self._at_once -= 1
                if status <= 0:
                    break
                body = b"<html><body>said the LRC</body></html>"
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))
        writer.close()


class DownlinkStage:
    """What the lane works with, and the view of the test on it."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(T0)
        self.database = Database(folder / "longwire.db")
        self.downlinks = Downlinks(self.database, Sealer("secret"), self.clock.now)
        self.resolver = Resolver()
        self.client = Client(self.resolver, parse_allow_list("loopback"), tls=CONTEXT)
        self.lrcs: dict[str, FakeLrc] = {}
        self.rejected: list[tuple[str, str]] = []
        self.lane: DownlinkLane | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self.database.start()
        await add_connection(self.database, CONNECTION)

    async def close(self) -> None:
        await self.stop()
        for lrc in self.lrcs.values():
            await lrc.close()
        await self.client.close()
        await self.resolver.close()
        await self.database.close()

    async def lrc(self, name: str = "ns") -> FakeLrc:
        self.lrcs[name] = FakeLrc()
        await self.lrcs[name].open()
        return self.lrcs[name]

    async def start(self) -> None:
        tools = DownlinkTools(self.downlinks, self.client, self.clock, self._lrc_of, self._tell_rejected)
        self.lane = DownlinkLane(tools)
        await self.lane.load()
        self._tasks.append(asyncio.get_running_loop().create_task(self.lane.run()))

    async def stop(self) -> None:
        if self.lane is not None:
            self.lane.stop()
            await self._tasks.pop()
            self.lane = None

    async def kill(self) -> None:
        """End the lane without a word, as a kill would."""
        self._tasks[-1].cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._tasks.pop()
        # A killed process writes nothing any more: what this one has begun to write comes before its next life.
        await self.database.write(lambda sql: sql.execute(sa.select(1)))
        self.lane = None

    async def put(self, device: str, payload: str, network_server: str = "ns", **members: Any) -> None:
        content = {"DevEUI": f"70B3D5E75E00000{device}", "FPort": 1, "payload_hex": payload, **members}
        downlink = parse_downlink(
            {"DevEUI_downlink": content}, self.clock.now(), default_port=None, new_correlation_id="0" * 16
        )
        ticket = await self.downlinks.put(downlink, Route(CONNECTION, network_server))
        if self.lane is not None:
            self.lane.add(ticket)

    async def report(self, device: str, correlation_id: str, status: Status) -> None:
        dev_eui = parse_dev_eui(f"70B3D5E75E00000{device}")
        await self.downlinks.note_report(Report("ns", dev_eui, correlation_id, status))

    async def statuses(self) -> dict[str, tuple[str, int]]:
        """Return status and attempts of each downlink, by device and payload."""
        _, rows = await self.downlinks.list(Filter(), Page(1, 1000))
        return {row.dev_eui[-1] + row.payload_hex: (row.status, row.attempts) for row in reversed(rows)}

    async def wait_for(self, **expected: tuple[str, int]) -> None:
        """Return when these downlinks have these statuses and attempts."""
        async with asyncio.timeout(10):
            while not expected.items() <= (await self.statuses()).items():  # noqa: ASYNC110 (rows tell nobody)
                await asyncio.sleep(0.002)

    async def pass_time(self, duration: timedelta) -> None:
        """Let the clock go on, after what is under way has ended."""
        lane = self.lane
        assert lane is not None
        await until(lambda: not lane._sends and not lane._changed.is_set() and not self.database._waiting)
        self.clock.advance(duration)

    def _lrc_of(self, network_server: str) -> Lrc | None:
        lrc = self.lrcs.get(network_server)
        return Lrc(Endpoint("http", "127.0.0.1", lrc.port), "/down") if lrc else None

    async def _tell_rejected(self, ticket: Ticket, downlink: Downlink, cause: str) -> None:
        self.rejected.append((ticket.dev_eui[-1] + downlink.payload_hex, cause))
