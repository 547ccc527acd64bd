"""The API as the program puts it together, in this process and without a network."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
from litestar import Litestar

from longwire.clock import SystemClock
from longwire.engine.downlink_lane import DownlinkLane
from longwire.front import make_front
from longwire.opened import Running, open_store
from longwire.settings import Settings


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Litestar]:
    settings = Settings(data=tmp_path)
    async with open_store(settings, SystemClock()) as store:
        running = Running(settings, store, cast("Any", None), cast("Any", None))
        yield make_front(running, cast("Any", DownlinkLane)).api
