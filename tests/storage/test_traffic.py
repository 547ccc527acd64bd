"""What connections carried, over time, restarts, kills and a store that cannot be written."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.storage.uplinks import HOUR, SECOND, T0, connection, settlement, uplink

from longwire.core.delivery import Outcome
from longwire.core.errors import StorageUnavailable
from longwire.core.meters import Meters
from longwire.core.window import ReadPage
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.queue_sql import Queue
from longwire.storage.schema import active_thing, waited
from longwire.storage.schema import traffic as table
from longwire.storage.secrets import Sealer
from longwire.storage.traffic import Traffic, Window

MINUTE = timedelta(minutes=1)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = T0

    def now(self) -> datetime:
        return self.time


@pytest.fixture
async def watch(database: Database) -> Watch:
    """Give the time, and a store with the connections 1 and 2."""
    configurations = Configurations(database, Sealer("secret"), lambda: T0)
    assert [await configurations.create(connection()) for _ in range(2)] == [1, 2]
    return Watch()


async def opened(database: Database, watch: Watch, *, recount: bool = False) -> Traffic:
    traffic = Traffic(database, watch.now, Meters())
    await traffic.open(recount=recount)
    return traffic


def note(traffic: Traffic, watch: Watch, *names: str, outcome: Outcome = Outcome.DELIVERED) -> None:
    for name in names:
        see(traffic, watch.time, f"70B3D5E75E00000{name}", outcome)


def see(traffic: Traffic, at: datetime, sender: str, outcome: Outcome = Outcome.DELIVERED) -> None:
    tally = traffic.tally(1, at)
    tally.add(outcome)
    tally.senders.add(sender)


async def shown(traffic: Traffic) -> tuple[tuple[int, int, int, int], ...]:
    """Return active things, uplinks, Failed and Lost of connection 1, in the hour and in the day."""
    (found,) = await traffic.read([1])
    return (
        (found.things_hour, found.hour.total, found.hour.failed, found.hour.lost),
        (found.things_day, found.day.total, found.day.failed, found.day.lost),
    )


async def test_the_windows_move_with_the_time(database: Database, watch: Watch) -> None:
    traffic = await opened(database, watch)
    note(traffic, watch, "A", "A", "B")
    watch.time += 30 * MINUTE
    note(traffic, watch, "A", outcome=Outcome.LOST)
    assert await shown(traffic) == ((2, 4, 0, 1), (2, 4, 0, 1))

    watch.time = T0 + HOUR
    assert await shown(traffic) == ((1, 1, 0, 1), (2, 4, 0, 1))
    watch.time = T0 + 24 * HOUR - MINUTE
    assert await shown(traffic) == ((0, 0, 0, 0), (2, 4, 0, 1))
    watch.time = T0 + 24 * HOUR
    assert await shown(traffic) == ((0, 0, 0, 0), (1, 1, 0, 1))
    watch.time += HOUR
    assert await shown(traffic) == ((0, 0, 0, 0), (0, 0, 0, 0))


async def test_a_clean_end_keeps_every_count(database: Database, watch: Watch) -> None:
    traffic = await opened(database, watch)
    note(traffic, watch, "A", "B", outcome=Outcome.REJECTED)
    await traffic.flush()
    watch.time += 59 * MINUTE

    again = await opened(database, watch)
    note(again, watch, "C")
    assert await shown(again) == ((3, 3, 2, 0), (3, 3, 2, 0))


async def test_after_a_kill_what_was_not_written_is_counted_from_the_log(
    database: Database, watch: Watch
) -> None:
    queue = Queue(database, "store")
    await queue.open()
    traffic = await opened(database, watch)
    for number, outcome in enumerate([Outcome.DELIVERED, Outcome.LOST, Outcome.REJECTED, Outcome.DISCARDED]):
        await queue.put(uplink(str(number), 1))
        (waiting,) = await queue.read_ahead(1, ReadPage(0, 10))
        await queue.settle(settlement(waiting.delivery_id, outcome, at=watch.time))
        see(traffic, watch.time, "A" * 16, outcome)
        if number == 0:
            await traffic.flush()
    watch.time += MINUTE

    again = await opened(database, watch, recount=True)
    (in_hour, _) = await shown(again)
    assert in_hour[1:] == (3, 1, 1)


async def test_a_store_that_cannot_be_written_loses_no_count(
    database: Database, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    traffic = await opened(database, watch)
    note(traffic, watch, "A")

    def refuse(_change: object) -> object:
        raise StorageUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", refuse)
        await traffic.flush()
        note(traffic, watch, "A", "B")
        await traffic.flush()
    await traffic.flush()

    rows = await database.read(lambda sql: sql.execute(sa.select(table.c.uplinks)).all())
    assert [row.uplinks for row in rows] == [3]
    assert await shown(traffic) == ((2, 3, 0, 0), (2, 3, 0, 0))


async def test_rows_that_no_window_reaches_are_deleted(database: Database, watch: Watch) -> None:
    traffic = await opened(database, watch)
    note(traffic, watch, "A", "B")
    watch.time += 30 * HOUR
    note(traffic, watch, "A")
    await traffic.flush()
    await traffic.purge()

    counts = await database.read(
        lambda sql: [
            sql.scalar(sa.select(sa.func.count()).select_from(each)) for each in (table, active_thing)
        ]
    )
    assert counts == [1, 1]


async def test_gateways_are_no_devices(database: Database, watch: Watch) -> None:
    traffic = await opened(database, watch)
    see(traffic, watch.time, "BS_alarm:100000F0")
    assert (await shown(traffic))[0] == (0, 1, 0, 0)


async def test_a_message_is_counted_in_the_minute_it_ended_in(database: Database, watch: Watch) -> None:
    traffic = await opened(database, watch)
    for seconds in (0, 59, 60, 30, 119, 60):
        see(traffic, T0 + seconds * SECOND, "A" * 16)
    await traffic.flush()

    query = sa.select(table.c.uplinks).order_by(table.c.minute)
    assert await database.read(lambda sql: list(sql.scalars(query))) == [3, 3]


async def lags(traffic: Traffic, window: Window) -> list[int]:
    return [each.lag for each in await traffic.series(1, window)]


async def waited_rows(database: Database) -> int:
    query = sa.select(sa.func.count()).select_from(waited)
    return await database.read(lambda sql: sql.scalar(query)) or 0


async def test_what_waits_is_a_row_only_where_it_changed(database: Database, watch: Watch) -> None:
    queue = Queue(database, "store")
    await queue.open()
    traffic = await opened(database, watch)
    await traffic.flush()
    assert await waited_rows(database) == 0

    await queue.put(uplink("1", 1))
    await queue.put(uplink("2", 1))
    assert await lags(traffic, Window(4, 1)) == [0, 0, 0, 2]
    for _ in range(3):
        watch.time += MINUTE
        await traffic.flush()
    assert await lags(traffic, Window(4, 1)) == [2, 2, 2, 2]
    (first, _) = await queue.read_ahead(1, ReadPage(0, 10))
    await queue.settle(settlement(first.delivery_id, Outcome.DELIVERED, at=watch.time))
    assert await lags(traffic, Window(4, 1)) == [2, 2, 2, 1]
    watch.time += MINUTE

    assert await lags(traffic, Window(4, 1)) == [2, 2, 1, 1]
    assert await lags(traffic, Window(4, 2)) == [2, 1]
    assert await waited_rows(database) == 2


async def test_what_waited_is_known_after_a_restart_and_as_long_as_a_window_reaches(
    database: Database, watch: Watch
) -> None:
    queue = Queue(database, "store")
    await queue.open()
    traffic = await opened(database, watch)
    await queue.put(uplink("1", 1))
    watch.time += MINUTE
    await traffic.flush()

    watch.time += 30 * HOUR
    traffic = await opened(database, watch)
    await traffic.purge()
    assert set(await lags(traffic, Window(60, 1))) == {1}
    (waiting,) = await queue.read_ahead(1, ReadPage(0, 10))
    await queue.settle(settlement(waiting.delivery_id, Outcome.DELIVERED, at=watch.time))
    watch.time += MINUTE
    assert await lags(traffic, Window(4, 1)) == [1, 1, 0, 0]
    assert await waited_rows(database) == 2

    watch.time += 30 * HOUR
    await traffic.purge()
    assert await waited_rows(database) == 1
