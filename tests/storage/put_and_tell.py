"""A process that puts messages one by one and writes `durable` to standard output for each: watched by a test."""

import asyncio
import sys
from pathlib import Path

from tests.storage.uplinks import uplink

from longwire.storage.database import Database
from longwire.storage.queue_sql import Queue


async def put(folder: Path) -> None:
    database = Database(folder / "longwire.db")
    database.start()
    queue = Queue(database, "store")
    await queue.open()
    for number in range(5):
        await queue.put(uplink(str(number)))
        sys.stdout.write("durable\n")
        sys.stdout.flush()
    await database.close()


if __name__ == "__main__":
    asyncio.run(put(Path(sys.argv[1])))
