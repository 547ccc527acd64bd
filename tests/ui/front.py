"""What answers requests, in this process and without a socket, and the statements it takes."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from longwire.clock import SystemClock
from longwire.engine.downlink_lane import DownlinkLane
from longwire.front import make_front
from longwire.opened import Running, Store, open_network, open_store
from longwire.settings import Settings
from longwire.storage.database import Database
from longwire.web.server import Front

OWNER = "owner-key-of-the-tests-0123456789"


class Reads:
    """Counts the statements of a database's readers."""

    def __init__(self, database: Database) -> None:
        self.statements = 0

        @event.listens_for(database._reader_engine, "before_cursor_execute")
        def _execute(*_: object) -> None:
            self.statements += 1

    async def some(self) -> None:
        """Return when there was one."""
        while not self.statements:  # noqa: ASYNC110 - counted in other threads
            await asyncio.sleep(0.05)


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

    requests = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        return requests.pop() if requests else await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await front(scope, receive, send)
    return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:]).decode()
