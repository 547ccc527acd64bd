"""Downlinks as stored: sealed, counted, purged."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.storage.connections import add_connection

from longwire.core.downlink import Status, parse_downlink
from longwire.storage.database import Database
from longwire.storage.downlinks import Conclusion, Downlinks, Filter, Route
from longwire.storage.page import Page
from longwire.storage.secrets import Sealer

T0 = datetime(2026, 3, 14, 10, 0, tzinfo=UTC)
KEY = "46ab678cd45df4a4a7e4b375eacd096a"
PAGE = Page(1, 100)


class Kept:
    """Downlinks in a real file, at a time the test sets."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "longwire.db"
        self.database = Database(self.file)
        self.now = T0
        self.downlinks = Downlinks(self.database, Sealer("secret"), lambda: self.now)

    async def open(self) -> None:
        self.database.start()
        for connection_id in (7, 8):
            await add_connection(self.database, connection_id)

    async def put(self, connection_id: int = 7, status: Status = Status.QUEUED) -> None:
        content = {"DevEUI": "70B3D5E75E000001", "FPort": 1, "payload_hex": "00", "AS_KEY": KEY}
        downlink = parse_downlink(
            {"DevEUI_downlink": content}, self.now, default_port=None, new_correlation_id="0" * 16
        )
        ticket = await self.downlinks.put(downlink, Route(connection_id, "ns"))
        assert (await self.downlinks.content(ticket)) == downlink
        if status is not Status.QUEUED:
            await self.downlinks.conclude(ticket, Conclusion(status, None, self.now))

    async def total(self) -> int:
        return (await self.downlinks.list(Filter(), PAGE))[0]


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_the_key_of_a_downlink_is_nowhere_in_the_files(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    await kept.open()
    await kept.put()
    await kept.database.close()

    assert KEY.encode() not in contents(tmp_path)


async def test_what_is_over_is_purged_and_what_waits_is_not(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    await kept.open()
    for status in (Status.SENT, Status.REJECTED, Status.QUEUED):
        await kept.put(7, status)

    await kept.downlinks.purge(T0)
    assert await kept.total() == 3
    await kept.downlinks.purge(T0 + timedelta(seconds=1))

    assert await kept.total() == 1
    await kept.database.close()
