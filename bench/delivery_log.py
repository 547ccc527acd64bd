"""What the delivery log takes to answer, in CPU time: `python -m bench.delivery_log [how many deliveries]`."""

import asyncio
import sys
import tempfile
import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from bench.filled_log import BEGIN, EVERY, fill_log
from longwire.core.delivery import DEAD_LETTERS, Outcome
from longwire.core.message import DevEui
from longwire.storage.database import Database
from longwire.storage.delivery_search import DeliveryFilter, find_deliveries
from longwire.storage.micros import from_micros
from longwire.storage.page import Page

ROUNDS = 7
PART = 50_000

FILTERS = {
    "all": DeliveryFilter(),
    "one connection": DeliveryFilter(1),
    "one device": DeliveryFilter(dev_eui=DevEui("0059AC0000000001")),
    "dead letters": DeliveryFilter(outcomes=frozenset(DEAD_LETTERS)),
    "waiting": DeliveryFilter(outcomes=frozenset({Outcome.QUEUED})),
    "delivered, one connection": DeliveryFilter(1, outcomes=frozenset({Outcome.DELIVERED})),
    "status 5xx": DeliveryFilter(status=5),
    "status none, one connection": DeliveryFilter(1, status=0),
    "a second, long ago": DeliveryFilter(
        begin=from_micros(BEGIN + 1000 * EVERY), end=from_micros(BEGIN + 1000 * EVERY) + timedelta(seconds=1)
    ),
    "text in none": DeliveryFilter(text="not there"),
    "text in all": DeliveryFilter(text="payload_hex"),
    "text in one, dead letters": DeliveryFilter(outcomes=frozenset(DEAD_LETTERS), text=f"{90:032x}"),
}


async def measure(database: Database, wanted: DeliveryFilter, page: Page) -> float:
    took = []
    for _ in range(ROUNDS):
        began = time.process_time()
        await find_deliveries(database, wanted, page)
        took.append(1000 * (time.process_time() - began))
    return min(took)


async def run(folder: Path, count: int) -> None:
    database = Database(folder / "longwire.db")
    database.start()
    for first in range(0, count, PART):
        last = min(first + PART, count) - 1
        await database.write(partial(fill_log, first=first, last=last))
    print(f"| {count:,} deliveries | first page of 100, CPU ms | page 50, CPU ms |\n|---|---|---|")
    for name, wanted in FILTERS.items():
        first_page = await measure(database, wanted, Page(1, 100))
        later = await measure(database, wanted, Page(50, 100))
        print(f"| {name} | {first_page:.1f} | {later:.1f} |")
    await database.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
