"""What has to be done now and then: the retention of the log and the events, and writing what occurred."""

from datetime import timedelta

from longwire import log
from longwire.clock import Clock, sleep
from longwire.core.errors import StorageUnavailable
from longwire.storage.database import Database
from longwire.storage.events import Events
from longwire.storage.purge import Retention, purge

EVERY = timedelta(minutes=10)
FLUSH_EVERY = timedelta(seconds=1)


async def write_events(events: Events, clock: Clock) -> None:
    """Write what occurred, every second, until cancelled."""
    while True:
        await sleep(clock, FLUSH_EVERY)
        await events.flush()


async def keep_house(database: Database, events: Events, retention: Retention, clock: Clock) -> None:
    """Purge the log and the events for ever, until cancelled."""
    while True:
        try:
            purged = await purge(database, retention, clock.now())
            if purged:
                log.info(log.STORAGE_PURGED, deliveries=purged)
            await events.purge()
        except StorageUnavailable as error:
            log.warning(log.STORAGE_COMMIT_FAILED, error=str(error))
        await sleep(clock, EVERY)
