"""What the disk itself does: appends of a batch of 64 uplinks, each synced."""

import os
import time
from pathlib import Path

BATCH = b"x" * 64 * 950
SECONDS = 2.0


def syncs_per_second(folder: Path) -> float:
    """Return how many such batches a second are synced, by `fdatasync`."""
    count, begin = 0, time.monotonic()
    file = os.open(folder / "disk", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    while (passed := time.monotonic() - begin) < SECONDS:
        os.write(file, BATCH)
        os.fdatasync(file)
        count += 1
    os.close(file)
    return count / passed
