"""What has to be done now and then: the log's retention."""

from datetime import timedelta

from longwire import log
from longwire.clock import Clock, sleep
from longwire.core.errors import StorageUnavailable
from longwire.storage.database import Database
from longwire.storage.purge import Retention, purge

EVERY = timedelta(minutes=10)


async def keep_house(database: Database, retention: Retention, clock: Clock) -> None:
    """Purge the log for ever, until cancelled."""
    while True:
        try:
            purged = await purge(database, retention, clock.now())
            if purged:
                log.info(log.STORAGE_PURGED, deliveries=purged)
        except StorageUnavailable as error:
            log.warning(log.STORAGE_COMMIT_FAILED, error=str(error))
        await sleep(clock, EVERY)
