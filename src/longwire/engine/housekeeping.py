"""What has to be done now and then: retention, writing what occurred and when keys were last used."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from longwire import log
from longwire.clock import Clock, sleep
from longwire.core.errors import StorageUnavailable
from longwire.storage.configurations import Configurations
from longwire.storage.database import Database
from longwire.storage.downlinks import Downlinks
from longwire.storage.purge import Retention, purge
from longwire.storage.queue_sql import Queue
from longwire.storage.sightings import Sightings
from longwire.storage.witness import Witness

EVERY = timedelta(minutes=10)
EVENTS_EVERY = timedelta(seconds=1)
TRAFFIC_EVERY = timedelta(seconds=10)
LAST_USE_EVERY = timedelta(seconds=5)
SIGHTINGS_EVERY = timedelta(seconds=5)
SIGHTINGS_PAUSE = timedelta(seconds=1)
DEBUG_EVERY = timedelta(minutes=1)
CRASH_PAUSE = timedelta(minutes=1)


async def keep_on(name: str, work: Callable[[], Awaitable[None]], clock: Clock) -> None:
    """Do work that has no end, again a minute after a bug has ended it, until cancelled: the lanes go on meanwhile."""
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - the edge of what runs beside the lanes: a bug there must not end them
            log.error(log.HOUSEKEEPING_CRASHED, work=name)
        await sleep(clock, CRASH_PAUSE)


async def write_down(flush: Callable[[], Awaitable[None]], every: timedelta, clock: Clock) -> None:
    """Write what was seen, again and again, until cancelled."""
    while True:
        await sleep(clock, every)
        await flush()


async def write_sightings(sightings: Sightings, clock: Clock) -> None:
    """Write what was seen of devices, every few seconds, sooner when there is much, until cancelled."""
    while True:
        timer = clock.call_at(clock.now() + SIGHTINGS_EVERY, sightings.is_due.set)
        try:
            await sightings.is_due.wait()
            await sightings.write()
        except StorageUnavailable as error:
            log.warning(log.STORAGE_COMMIT_FAILED, error=str(error))
        finally:
            timer.cancel()
        await sleep(clock, SIGHTINGS_PAUSE)


async def purge_downlinks(downlinks: Downlinks, keep: timedelta, clock: Clock) -> None:
    """Purge downlinks that are over for ever, until cancelled."""
    await _again(lambda: downlinks.purge(clock.now() - keep), EVERY, clock)


async def end_debug(configurations: Configurations, clock: Clock) -> None:
    """Turn debug off where its time is over, every minute, until cancelled."""
    await _again(configurations.end_debug, DEBUG_EVERY, clock)


async def keep_house(
    database: Database, queue: Queue, witness: Witness, retention: Retention, clock: Clock
) -> None:
    """Purge the log and the events for ever, until cancelled."""

    def saw_expired(expired: Mapping[int, int]) -> None:
        queue.reread(expired)
        witness.saw_expired(expired)

    async def purge_all() -> None:
        purged = await purge(database, retention, clock.now(), saw_expired)
        if purged:
            log.info(log.STORAGE_PURGED, deliveries=purged)
        await witness.events.purge()
        await witness.traffic.purge()

    await _again(purge_all, EVERY, clock)


async def _again(work: Callable[[], Awaitable[None]], every: timedelta, clock: Clock) -> None:
    """Do work now and each time a while after it has ended, until cancelled; a storage that fails is waited out."""
    while True:
        try:
            await work()
        except StorageUnavailable as error:
            log.warning(log.STORAGE_COMMIT_FAILED, error=str(error))
        await sleep(clock, every)
