"""Carries the replay jobs out, in slices beside everything else."""

import asyncio
from datetime import timedelta

from longwire import log
from longwire.clock import Clock
from longwire.core.errors import StorageUnavailable
from longwire.storage.replay_jobs import ReplayJobs

LOOK_EVERY = timedelta(seconds=1)


async def run_replays(jobs: ReplayJobs, clock: Clock) -> None:
    """Advance the jobs for ever, until cancelled; those that a restart cut off are taken up again."""
    wake = asyncio.Event()
    jobs.begun = wake.set
    while True:
        wake.clear()
        try:
            are_there, have_more = await jobs.advance()
        except StorageUnavailable as error:
            log.warning(log.STORAGE_COMMIT_FAILED, error=str(error))
            are_there, have_more = True, False
        if not have_more:
            timer = clock.call_at(clock.now() + LOOK_EVERY, wake.set) if are_there else None
            await wake.wait()
            if timer is not None:
                timer.cancel()
