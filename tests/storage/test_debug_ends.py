"""`debug` turns itself off: after 2 days, once, with an event."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.storage.uplinks import DAY, T0, connection

from longwire.core.configuration import Connection
from longwire.core.event import Kind, Occurrence
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.secrets import Sealer

MINUTE = timedelta(minutes=1)
DEBUGGED = replace(connection(), debug=True)


class Store:
    """Configurations with a clock that the test moves, and what they tell."""

    def __init__(self, database: Database) -> None:
        self.now: datetime = T0
        self.told: list[Occurrence] = []
        self.announced: list[int] = []
        self.configurations = Configurations(database, Sealer("secret"), lambda: self.now)
        self.configurations.tell = self.told.append
        self.configurations.announce = self.announced.append

    async def is_on(self, connection_id: int) -> bool:
        return (await self.configurations.load(connection_id)).connection.debug

    async def change(self, connection_id: int, **members: object) -> None:
        async def accept(_: Connection) -> None:
            """Let every change pass."""

        await self.configurations.replace(connection_id, lambda document: {**document, **members}, accept)


@pytest.fixture
def store(database: Database) -> Store:
    return Store(database)


async def test_debug_ends_after_two_days_with_one_event_and_the_lane_is_told(store: Store) -> None:
    connection_id = await store.configurations.create(DEBUGGED)
    store.now = T0 + 2 * DAY - MINUTE
    await store.configurations.end_debug()
    assert await store.is_on(connection_id)
    store.told.clear()
    store.announced.clear()

    store.now = T0 + 2 * DAY
    await store.configurations.end_debug()
    await store.configurations.end_debug()

    assert not await store.is_on(connection_id)
    assert [(each.kind, each.connection_id) for each in store.told] == [(Kind.DEBUG_ENDED, connection_id)]
    assert store.announced == [connection_id]


async def test_a_change_that_leaves_debug_on_does_not_prolong_it(store: Store) -> None:
    connection_id = await store.configurations.create(DEBUGGED)
    store.now = T0 + DAY
    await store.change(connection_id, name="renamed")

    store.now = T0 + 2 * DAY
    await store.configurations.end_debug()

    assert not await store.is_on(connection_id)


async def test_debug_that_was_switched_off_and_on_again_begins_anew(store: Store) -> None:
    connection_id = await store.configurations.create(DEBUGGED)
    store.now = T0 + DAY
    await store.change(connection_id, debug=False)
    await store.change(connection_id, debug=True)

    store.now = T0 + 2 * DAY
    await store.configurations.end_debug()
    assert await store.is_on(connection_id)

    store.now = T0 + 3 * DAY
    await store.configurations.end_debug()
    assert not await store.is_on(connection_id)


async def test_a_connection_without_debug_is_left_alone(store: Store) -> None:
    connection_id = await store.configurations.create(connection())
    store.now = T0 + 30 * DAY

    await store.configurations.end_debug()

    assert (await store.configurations.load(connection_id)).revision == 1
