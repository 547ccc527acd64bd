"""What is seen becomes events, counts and numbers; a full disk is told once it is over, with its count."""

from datetime import datetime

import pytest
import sqlalchemy as sa
from tests.storage.uplinks import DAY, T0, connection, settlement, uplink

from longwire.core.delivery import Outcome, Waiting
from longwire.core.errors import StorageUnavailable
from longwire.core.meters import Meters
from longwire.core.window import ReadPage
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.events import EventFilter, Events
from longwire.storage.page import Page
from longwire.storage.purge import Retention, purge
from longwire.storage.queue_sql import Accepted, Queue
from longwire.storage.schema import delivery
from longwire.storage.secrets import Sealer
from longwire.storage.traffic import Traffic
from longwire.storage.witness import Witness

WAITING = Waiting(1, 1, "A" * 16, T0, T0)


def now() -> datetime:
    return T0


@pytest.fixture
async def witness(database: Database) -> Witness:
    """Give a witness of a store with the connection 1."""
    await Configurations(database, Sealer("secret"), now).create(connection())
    meters = Meters()
    witness = Witness(Events(database, now), Traffic(database, now, meters), meters, now)
    await witness.events.open()
    await witness.traffic.open(recount=False)
    return witness


async def told(witness: Witness) -> list[tuple[str, int | None]]:
    """Return code and count of every event, oldest first."""
    await witness.events.flush()
    rows = (await witness.events.list(EventFilter(), Page(1, 100)))[1]
    found = [(row.code, row.data.partition('"count": ')[2].partition(",")[0]) for row in reversed(rows)]
    return [(code, int(count) if count else None) for code, count in found]


async def counted(witness: Witness) -> tuple[int, int, int]:
    (found,) = await witness.traffic.read([1])
    return (found.day.total, found.day.failed, found.day.lost)


@pytest.mark.parametrize(
    ("outcome", "code", "counts"),
    [
        (Outcome.DELIVERED, None, (1, 0, 0)),
        (Outcome.LOST, "dlv-2001", (1, 0, 1)),
        (Outcome.REJECTED, "dlv-2002", (1, 1, 0)),
        (Outcome.EXPIRED, "dlv-2003", (1, 1, 0)),
        (Outcome.FAILED, "dlv-2004", (1, 1, 0)),
        (Outcome.FILTERED, None, (0, 0, 0)),
        (Outcome.QUEUED, None, (0, 0, 0)),
    ],
)
async def test_each_outcome_is_told_and_counted_as_what_it_is(
    witness: Witness, outcome: Outcome, code: str | None, counts: tuple[int, int, int]
) -> None:
    witness.saw_settled(1, WAITING, settlement(1, outcome))

    assert await told(witness) == ([] if code is None else [(code, 1)])
    assert await counted(witness) == counts
    assert sum(witness.meters.results.values()) == 1


async def test_a_repeat_is_neither_told_nor_received_again(witness: Witness) -> None:
    for accepted in (Accepted(()), Accepted((), is_repeat=True)):
        witness.saw_put(uplink("a"), accepted)

    assert await told(witness) == [("ing-3001", 1)]
    meters = witness.meters
    assert (meters.received, meters.repeated, meters.unrouted) == (1, 1, 1)


async def test_what_the_purge_expires_is_told_and_counted(database: Database, witness: Witness) -> None:
    queue = Queue(database, "store")
    await queue.open()
    for name in ("a", "b", "c"):
        await queue.put(uplink(name, 1))
    await purge(database, Retention(), T0 + 8 * DAY, witness.saw_expired)

    assert await told(witness) == [("dlv-2003", 3)]
    assert await counted(witness) == (3, 3, 0)


async def test_a_full_disk_is_told_with_its_count_once_there_is_room(
    database: Database, witness: Witness
) -> None:
    database.on_commit = witness.saw_commit

    async def pragma(name: str) -> object:
        return await database.write(lambda sql: sql.exec_driver_sql(f"PRAGMA {name}").scalar())

    insert = "INSERT INTO setting (name, value) VALUES ('a', ?)"
    await pragma(f"max_page_count={await pragma('page_count')}")
    for _ in range(3):
        with pytest.raises(StorageUnavailable):
            await database.write(lambda sql: sql.exec_driver_sql(insert, ("x" * 100_000,)).rowcount)
    await pragma("max_page_count=1000000")

    assert await told(witness) == [("sto-4001", 3)]
    assert witness.meters.failed_commits == 3
    assert witness.meters.commit_seconds.buckets()[-1][1] > 0


async def test_tests_are_not_counted_again_after_a_kill(database: Database, witness: Witness) -> None:
    queue = Queue(database, "store")
    await queue.open()
    for name in ("a", "b"):
        await queue.put(uplink(name, 1))
    for waiting in await queue.read_ahead(1, ReadPage(0, 10)):
        await queue.settle(settlement(waiting.delivery_id, Outcome.DELIVERED))
    first = sa.select(sa.func.min(delivery.c.id)).scalar_subquery()
    change = sa.update(delivery).where(delivery.c.id == first).values(test=True)
    await database.write(lambda sql: sql.execute(change))

    await witness.traffic.open(recount=True)
    assert await counted(witness) == (1, 0, 0)
