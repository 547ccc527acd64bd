"""Lists of deliveries cost the same however long the log is: few statements, a bounded number of rows looked at."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bench.delivery_log import FILTERS
from bench.filled_log import BEGIN, EVERY, fill_log
from sqlalchemy import event

from longwire.core.delivery import DEAD_LETTERS, Outcome
from longwire.core.message import DevEui
from longwire.storage import delivery_search
from longwire.storage.database import Database
from longwire.storage.delivery_search import DeliveryFilter, Found, Mark, find_deliveries, scan
from longwire.storage.micros import from_micros
from longwire.storage.page import Page

PAGE = Page(1, 100)
LOG = 100_000
STEPS_AT_ONCE = 100
# These read an index whole, but no row behind it: of what waits, which knows places in queues and not times, or of the
# dead letters of all connections.
READS_AN_INDEX = ("waiting", "status 5xx", "status none, one connection")


class Cost:
    """Counts the statements of a database's readers, and the steps of SQLite's machine behind them."""

    def __init__(self, database: Database) -> None:
        self.statements = 0
        self.steps = 0
        engine = database._reader_engine

        @event.listens_for(engine, "before_cursor_execute")
        def _execute(_sql: object, _cursor: object, statement: str, *_: object) -> None:
            self.statements += statement.startswith("SELECT")

        @event.listens_for(engine, "checkout")
        def _checkout(raw: Any, *_: object) -> None:
            raw.set_progress_handler(self._step, STEPS_AT_ONCE)

    def _step(self) -> int:
        self.steps += STEPS_AT_ONCE
        return 0


async def filled(folder: Path, count: int) -> Database:
    database = Database(folder / "longwire.db")
    database.start()
    await database.write(lambda sql: fill_log(sql, 0, count - 1))
    return database


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log")


@pytest.fixture
async def log(folder: Path) -> AsyncIterator[Database]:
    """Give a log of 100,000 deliveries; the first test fills it."""
    is_new = not (folder / "longwire.db").exists()
    database = Database(folder / "longwire.db")
    database.start()
    if is_new:
        await database.write(lambda sql: fill_log(sql, 0, LOG - 1))
    yield database
    await database.close()


@pytest.mark.parametrize("name", FILTERS)
async def test_a_list_of_100_000_takes_few_statements_and_reads_each_row_at_most_once(
    log: Database, name: str
) -> None:
    cost = Cost(log)

    found = await find_deliveries(log, FILTERS[name], PAGE)

    reads_texts = FILTERS[name].text is not None
    at_most = 3 + delivery_search.TEXTS_READ // delivery_search.READ_AT_ONCE if reads_texts else 2
    assert cost.statements <= at_most
    assert cost.steps < 60 * LOG
    assert len(found.rows) <= PAGE.size


@pytest.mark.parametrize("name", [name for name in FILTERS if name not in READS_AN_INDEX])
async def test_a_log_that_is_twice_as_long_costs_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for limit, value in (("LOOKED_AT", 200), ("TEXTS_READ", 100), ("READ_AT_ONCE", 50)):
        monkeypatch.setattr(delivery_search, limit, value)
    database = await filled(tmp_path, 10_000)
    cost = Cost(database)
    await find_deliveries(database, FILTERS[name], PAGE)
    once = cost.steps
    await database.write(lambda sql: fill_log(sql, 10_000, 19_999))
    cost.steps = 0

    await find_deliveries(database, FILTERS[name], PAGE)

    assert cost.steps <= 1.2 * once + 2 * STEPS_AT_ONCE
    await database.close()


async def numbers(
    database: Database, wanted: DeliveryFilter, page: Page = PAGE
) -> tuple[int, list[int], Found]:
    """Return the total, the numbers of the messages on the page, and what was found."""
    found = await find_deliveries(database, wanted, page)
    return found.total, [row.id // 2 for row in found.rows], found


async def test_the_filters_agree_with_a_search_through_every_row(log: Database) -> None:
    device = DevEui("0059AC00000004D2")
    cases: dict[DeliveryFilter, Callable[[int], bool]] = {
        DeliveryFilter(3): lambda n: n // 100 % 10 == 2,
        DeliveryFilter(dev_eui=device): lambda n: n * 7919 % 5000 == 0x4D2,
        DeliveryFilter(outcomes=frozenset(DEAD_LETTERS)): lambda n: 90 <= n % 100 < 97,
        DeliveryFilter(outcomes=frozenset({Outcome.QUEUED, Outcome.EXPIRED})): lambda n: n % 100 >= 96,
        DeliveryFilter(status=5): lambda n: 94 <= n % 100 < 96,
        DeliveryFilter(status=0): lambda n: n % 100 >= 96,
        DeliveryFilter(3, status=4, dev_eui=device): lambda n: (
            n // 100 % 10 == 2 and 90 <= n % 100 < 94 and n * 7919 % 5000 == 0x4D2
        ),
        DeliveryFilter(3, outcomes=frozenset({Outcome.DELIVERED, Outcome.LOST})): lambda n: (
            n // 100 % 10 == 2 and n % 100 < 94
        ),
    }
    for wanted, matches in cases.items():
        expected = [n for n in reversed(range(LOG)) if matches(n)]
        total, page, _ = await numbers(log, wanted, Page(2, 10))
        assert (total, page) == (len(expected), expected[10:20]), wanted


DEVICE = DeliveryFilter(dev_eui=DevEui("0059AC00000004D2"))
TEXT = DeliveryFilter(begin=from_micros(BEGIN + 80_000 * EVERY), text='"FCntUp":80001,')


@pytest.mark.parametrize(
    ("wanted", "looked_at", "matches"),
    [
        (DEVICE, 30_000, lambda n: n * 7919 % 5000 == 0x4D2),
        (TEXT, 30_000, lambda n: n == 80_001),
        # Dead letters are cut at a time when messages that wait are older.
        (DeliveryFilter(status=0), 5000, lambda n: n % 100 >= 96),
    ],
)
async def test_a_search_that_stops_early_says_where_to_go_on_and_nothing_is_missed(
    log: Database,
    monkeypatch: pytest.MonkeyPatch,
    wanted: DeliveryFilter,
    looked_at: int,
    matches: Callable[[int], bool],
) -> None:
    monkeypatch.setattr(delivery_search, "LOOKED_AT", looked_at)
    monkeypatch.setattr(delivery_search, "TEXTS_READ", 3000)
    seen: set[int] = set()
    until = None
    searches = 0
    while searches == 0 or until is not None:
        _, page, found = await numbers(log, replace(wanted, end=until), Page(1, 5000))
        seen.update(page)
        assert until is None or found.looked_until is None or found.looked_until < until
        until = found.looked_until
        searches += 1
    assert searches > 1
    assert seen == {n for n in range(LOG) if matches(n)}


async def test_a_scan_gives_every_match_once_oldest_first(log: Database) -> None:
    dead = DeliveryFilter(3, outcomes=frozenset(DEAD_LETTERS), end=from_micros(BEGIN) + timedelta(seconds=50))
    mark: Mark | None = delivery_search.BEGIN
    found: list[int] = []
    while mark is not None:
        marks, mark = await scan(log, dead, mark, [])
        found += [each.id // 2 for each in marks]
    assert found == [n for n in range(50_000) if n // 100 % 10 == 2 and 90 <= n % 100 < 97]
