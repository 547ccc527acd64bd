"""Events as they are stored: written once however often they grow, kept while the store is away, purged in time."""

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from tests.storage.uplinks import DAY, SECOND, T0, connection, count

from longwire.core.errors import StorageUnavailable
from longwire.core.event import Kind, Occurrence
from longwire.storage import events as events_module
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.events import EventFilter, Events
from longwire.storage.page import Page
from longwire.storage.schema import event as table
from longwire.storage.secrets import Sealer

MICROSECOND = timedelta(microseconds=1)
ALL = EventFilter()
FIRST = Page(1, 100)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = T0

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def events(database: Database, clock: Clock) -> Events:
    events = Events(database, clock.now)
    await events.open()
    return events


def lost(at: datetime = T0, connection_id: int = 1) -> Occurrence:
    return Occurrence(Kind.MESSAGE_LOST, at, connection_id, "the destination answered 500")


async def messages(events: Events, wanted: EventFilter = ALL) -> list[str]:
    return [row.message for row in (await events.list(wanted, FIRST))[1]]


async def test_an_event_that_grows_replaces_its_row(database: Database, events: Events) -> None:
    for number in range(3):
        events.tell(lost(T0 + number * SECOND))
        await events.flush()

    (message,) = await messages(events)
    assert "were lost 3 times" in message
    assert await count(database, table) == 1


async def test_after_a_restart_a_repeat_makes_a_new_event(
    database: Database, events: Events, clock: Clock
) -> None:
    events.tell(lost())
    await events.flush()
    again = Events(database, clock.now)
    await again.open()
    again.tell(lost())
    await again.flush()

    assert ["were lost 1 time:" in each for each in await messages(again)] == [True, True]


async def test_what_cannot_be_written_is_kept(
    database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_change: object) -> object:
        raise StorageUnavailable("the disk is full")

    events.tell(lost())
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", refuse)
        await events.flush()
        events.tell(lost())
        await events.flush()
    await events.flush()

    (message,) = await messages(events)
    assert "were lost 2 times" in message


async def test_an_event_names_its_connection_also_when_that_is_deleted(
    database: Database, events: Events, clock: Clock
) -> None:
    configurations = Configurations(database, Sealer("secret"), clock.now)
    configurations.tell = events.tell
    number = await configurations.create(connection())
    await configurations.delete(number, keep_backlog=False)
    await events.flush()

    deleted, created = await messages(events)
    assert deleted.startswith(f"Connection deleted: Connection sink with id {number} was deleted")
    assert created.startswith(f"Connection created: Connection sink with id {number} was created")


async def test_the_start_is_inclusive_and_the_end_exclusive_to_the_microsecond(events: Events) -> None:
    for number in range(3):
        events.tell(Occurrence(Kind.UNCLEAN_END, T0 + number * MICROSECOND, facts={"marked": number}))
    await events.flush()

    found = await messages(events, EventFilter(begin=T0 + MICROSECOND, end=T0 + 2 * MICROSECOND))
    assert [each.partition("record: ")[2][0] for each in found] == ["1"]


async def test_events_are_kept_for_thirty_days(database: Database, events: Events, clock: Clock) -> None:
    for number in range(1200):
        events.tell(Occurrence(Kind.CONNECTION_RESTARTED, T0, number))
    events.tell(Occurrence(Kind.CONNECTION_RESTARTED, T0 + SECOND, 1))
    await events.flush()

    clock.time = T0 + 30 * DAY
    await events.purge()
    assert await count(database, table) == 1201
    clock.time += MICROSECOND
    await events.purge()
    assert await count(database, table) == 1


async def test_only_the_newest_events_are_kept(
    database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "MOST_KEPT", 10)
    for number in range(25):
        events.tell(Occurrence(Kind.CONNECTION_RESTARTED, T0 + number * SECOND, number))
    await events.flush()
    await events.purge()

    kept = await database.read(lambda sql: list(sql.scalars(sa.select(table.c.connection_id))))
    assert sorted(kept) == list(range(15, 25))
