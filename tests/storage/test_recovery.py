"""After an unclean end: which messages may have been sent without a record (specification, section 14)."""

from datetime import datetime

import pytest
from msgspec.structs import replace
from tests.storage.uplinks import SECOND, T0, connection, outcomes, settlement, uplink

from longwire.core.configuration import to_document
from longwire.core.connection_state import State, Status
from longwire.core.delivery import UNKNOWN_DETAIL, Outcome
from longwire.core.window import ReadPage
from longwire.storage.activity import Activity
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.edit import replaced_by
from longwire.storage.lane_states import LaneStates
from longwire.storage.queue_sql import Queue
from longwire.storage.recovery import begin_run, end_run
from longwire.storage.secrets import Sealer

SENDING = {Status.OPENED, Status.CLOSING, Status.AUTHENTICATION_FAILED}


@pytest.fixture
async def queue(database: Database) -> Queue:
    """Give a queue whose connection 1 was sending, with at most two messages in flight."""
    configurations = Configurations(database, Sealer("secret"), lambda: T0)
    assert await configurations.create(connection(max_in_flight=2)) == 1
    await LaneStates(database).save(1, State(Status.OPENED, T0))
    opened = Queue(database, "store")
    await opened.open()
    return opened


async def put(queue: Queue, devices: str) -> list[int]:
    """Put a message for each letter, in order, and return the delivery ids."""
    for number, device in enumerate(devices):
        await queue.put(uplink(f"{number}", 1, device=device))
    return [each.delivery_id for each in await queue.read_ahead(1, ReadPage(0, 1000))]


async def keep(queue: Queue, delivery_id: int, not_before: datetime | None) -> None:
    await queue.settle(settlement(delivery_id, Outcome.QUEUED, not_before=not_before))


async def crash(database: Database, devices: str, ids: list[int], now: datetime = T0) -> str:
    """Start after an unclean end; return `devices` with a capital for each message that was marked."""
    assert await begin_run(database, T0) is None
    before = await attempt_counts(database, ids)
    marked = await begin_run(database, now)
    after = await attempt_counts(database, ids)
    assert marked == sum(after) - sum(before)
    changed = (old != new for old, new in zip(before, after, strict=True))
    return "".join(letter if has else letter.lower() for letter, has in zip(devices, changed, strict=True))


async def attempt_counts(database: Database, ids: list[int]) -> list[int]:
    return [(await Activity(database).get(each)).row.attempt_count for each in ids]


@pytest.mark.parametrize("marked", ["", "A", "AB", "ABc", "Aa", "AaB", "AaBc", "AaaaBbcc"])
async def test_the_first_waiting_of_different_devices_are_marked(
    database: Database, queue: Queue, marked: str
) -> None:
    devices = marked.upper()

    assert await crash(database, devices, await put(queue, devices)) == marked


@pytest.mark.parametrize(
    ("due_in", "marked"),
    [
        (None, "ABbc"),  # sent again when the connection is back
        (2 * SECOND, "aBbC"),  # its resend is not due: nothing of this device is in flight
        (-2 * SECOND, "ABbC"),  # it came due while Longwire was down: marked, but not counted
    ],
)
async def test_a_message_that_waits_for_its_resend_is_in_flight_only_when_it_is_due(
    database: Database, queue: Queue, due_in: object, marked: str
) -> None:
    ids = await put(queue, "ABBC")
    await keep(queue, ids[0], None if due_in is None else T0 + due_in)  # type: ignore[operator]

    assert await crash(database, "ABBC", ids) == marked


@pytest.mark.parametrize("status", Status)
async def test_only_of_a_connection_that_was_sending(
    database: Database, queue: Queue, status: Status
) -> None:
    await LaneStates(database).save(1, State(status, T0))

    assert await crash(database, "A", await put(queue, "A")) == ("A" if status in SENDING else "a")


async def test_after_a_clean_end_nothing_is_marked(database: Database, queue: Queue) -> None:
    ids = await put(queue, "AB")
    assert await begin_run(database, T0) is None
    await end_run(database)

    assert await begin_run(database, T0) is None
    assert await attempt_counts(database, ids) == [0, 0]


@pytest.mark.parametrize(
    ("ran", "saved_since", "marked"),
    [
        (2, (), "ABcd"),
        (2, (3,), "ABcd"),
        (3, (2,), "ABCd"),
        (3, (2, 1), "ABCd"),  # several updates while the lane of the first one ends
        (3, (2, 1, 1, 4, 2), "ABCd"),
        (1, (4, 4), "Abcd"),
    ],
)
async def test_the_width_of_the_revision_that_ran_counts_however_many_were_saved_since(
    database: Database, queue: Queue, ran: int, saved_since: tuple[int, ...], marked: str
) -> None:
    configurations = Configurations(database, Sealer("secret"), lambda: T0)
    await save(configurations, ran)
    await configurations.load_to_run(1)
    for size in saved_since:
        await save(configurations, size)

    assert await crash(database, "ABCD", await put(queue, "ABCD")) == marked


async def test_of_a_store_that_never_noted_what_ran_the_newest_revision_counts(
    database: Database, queue: Queue
) -> None:
    await save(Configurations(database, Sealer("secret"), lambda: T0), 3)

    assert await crash(database, "ABCD", await put(queue, "ABCD")) == "ABCd"


async def save(configurations: Configurations, max_in_flight: int) -> None:
    await configurations.replace(
        1, replaced_by(to_document(connection(max_in_flight=max_in_flight))), _accept
    )


async def _accept(_connection: object) -> None:
    """Let every change pass."""


async def test_a_mark_says_that_the_result_is_unknown_and_the_message_stays(
    database: Database, queue: Queue
) -> None:
    ids = await put(queue, "A")
    (before,) = await queue.read_ahead(1, ReadPage(0))
    await crash(database, "A", ids, now=T0 + SECOND)

    record = await Activity(database).get(ids[0])
    (attempt,) = record.attempts
    assert (attempt.number, attempt.trigger, attempt.cause) == (1, "unknown", "unknown")
    assert (attempt.detail, attempt.status) == (UNKNOWN_DETAIL, None)
    assert record.row.reason == UNKNOWN_DETAIL
    assert await outcomes(database) == {ids[0]: Outcome.QUEUED}
    assert await queue.read_ahead(1, ReadPage(0)) == [replace(before, attempt_count=1)]
