"""Pages with 10,000 connections and 100,000 deliveries: few statements, and no page longer for it."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from bench.filled_log import fill_log
from sqlalchemy import event
from tests.e2e.api_client import connection_document

from longwire.clock import SystemClock
from longwire.core.configuration import parse_connection
from longwire.core.device import parse_device
from longwire.engine.downlink_lane import DownlinkLane
from longwire.front import make_front
from longwire.opened import Running, Store, open_network, open_store
from longwire.settings import Settings
from longwire.storage.database import Database
from longwire.web.server import Front

OWNER = "owner-key-of-the-tests-0123456789"
CONNECTIONS, DELIVERIES = 10_000, 100_000
MOST_STATEMENTS = 60
MOST_BYTES = 100_000


class Reads:
    """Counts the statements of a database's readers."""

    def __init__(self, database: Database) -> None:
        self.statements = 0

        @event.listens_for(database._reader_engine, "before_cursor_execute")
        def _execute(*_: object) -> None:
            self.statements += 1


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Store, Front]]:
    """Give a store, and what answers requests on it; no lane runs."""
    settings = Settings(data=folder / "data", owner_key=OWNER)
    async with open_store(settings, SystemClock()) as store:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            async with open_network(settings, listener) as network:
                running = Running(settings, store, network, listener)
                yield store, make_front(running, DownlinkLane(_no_downlinks()))


def _no_downlinks() -> Any:
    """Stand for the tools of a lane that is never run."""


async def fill(store: Store) -> None:
    made = [
        parse_connection(connection_document("http://192.0.2.1/", name=f"app {number}", active=False))
        for number in range(CONNECTIONS)
    ]
    for begin in range(0, CONNECTIONS, 1000):
        await asyncio.gather(*(store.configurations.create(each) for each in made[begin : begin + 1000]))
    await store.devices.create(parse_device({"devEUI": "0059AC0000000001", "connectionIds": ["1"]}))
    await store.database.write(lambda sql: fill_log(sql, 0, DELIVERIES - 1))


async def look(front: Front, path: str, cookie: str) -> tuple[int, str]:
    """Return the status and the text of a page."""
    target, _, query = path.partition("?")
    sent: list[Any] = []
    scope: Any = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": target,
        "raw_path": target.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
        "server": None,
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await front(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:]).decode()


@pytest.mark.timeout(300)
async def test_no_page_grows_with_10_000_connections_and_100_000_deliveries(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, front):
        await fill(store)
        cookie = store.sessions.open(store.accounts.identify(OWNER)).partition(";")[0]
        reads = Reads(store.database)
        for path, expected in (
            ("/ui/", "10000 DEACTIVATED"),
            ("/ui/connections", "10,000 connections"),
            ("/ui/connections?q=app+77&state=DEACTIVATED", "app 77"),
            ("/ui/connections/1", "10,000 in the log"),
            ("/ui/devices", "Devices"),
            ("/ui/devices/0059AC0000000001?add", "50 of 10,000"),
            ("/ui/flows", "50 of 10,000"),
            ("/ui/events", "events in 30 days"),
            ("/ui/deadLetters", "7,000 in the log"),
        ):
            reads.statements = 0
            status, text = await look(front, path, cookie)
            assert (status, expected in text) == (200, True), (path, status)
            assert reads.statements <= MOST_STATEMENTS, (path, reads.statements)
            assert len(text) <= MOST_BYTES, (path, len(text))
