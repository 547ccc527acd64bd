"""The implementations of each seam; every test of this folder runs on all of them."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.contract.sql_queue import Now, SqlQueue

OpenQueue = Callable[[Path, Now], Awaitable[SqlQueue]]


async def open_sqlite(folder: Path, now: Now) -> SqlQueue:
    return await SqlQueue(folder, now).open()


IMPLEMENTATIONS: dict[str, OpenQueue] = {"sqlite": open_sqlite}


@pytest.fixture(params=IMPLEMENTATIONS)
def open_queue(request: pytest.FixtureRequest) -> OpenQueue:
    """Return what opens a queue in a folder, its recovery done."""
    return IMPLEMENTATIONS[request.param]
