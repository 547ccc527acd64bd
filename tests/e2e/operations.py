"""Every operation of the API, read from the program's own table of routes, so that a new route joins by itself."""

import asyncio
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from litestar import Litestar
from litestar.routes import HTTPRoute

from longwire.clock import SystemClock
from longwire.engine.downlink_lane import DownlinkLane
from longwire.front import make_front
from longwire.opened import Network, Running, open_store
from longwire.settings import Settings
from longwire.web.api import BASE

ABSENT = "999999999"


@dataclass(frozen=True, slots=True)
class Operation:
    """A method on a path below the API, as the route is written."""

    method: str
    route: str

    @property
    def path(self) -> str:
        """The path with ids of what does not exist."""
        parts = [ABSENT if part.startswith("{") else part for part in self.route.split("/")]
        return "/".join(parts)

    def __str__(self) -> str:
        return f"{self.method} {self.route}"


def read_operations(folder: Path) -> list[Operation]:
    """Return the operations of the program, with a store of its own in `folder`."""
    return asyncio.run(_read(Settings(data=folder)))


async def _read(settings: Settings) -> list[Operation]:
    async with open_store(settings, SystemClock()) as store:
        with socket.socket() as listener:
            # The routes are only looked at, so what is behind them is never asked.
            running = Running(settings, store, cast("Network", None), listener)
            return _operations(make_front(running, cast("Any", DownlinkLane)).api)


def _operations(api: Litestar) -> list[Operation]:
    return [
        Operation(method, _written(route))
        for route in api.routes
        if isinstance(route, HTTPRoute)
        for method in sorted(route.methods - {"OPTIONS"})
    ]


def _written(route: HTTPRoute) -> str:
    """Return the path below the API, each parameter as `{name}`."""
    return re.sub(r"{(\w+):\w+}", r"{\1}", route.path_format.removeprefix(BASE))
