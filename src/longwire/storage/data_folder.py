"""The data folder: one process at a time, and files only its owner may read."""

import fcntl
import os
from pathlib import Path
from typing import IO

from longwire.core.errors import Misconfigured


def open_data_folder(folder: Path) -> IO[str]:
    """Return the lock on the folder, held until it is closed; the folder is made when missing.

    Raises Misconfigured when another process holds it, or when it cannot be written.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for made in missing:  # what is durable in a folder is lost with the folder's own name
            _sync_folder(made.parent)
        lock = (folder / "lock").open("a+")
    except OSError as error:
        raise Misconfigured(f"the data folder {folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        owner = lock.read().strip() or "unknown"
        lock.close()
        raise Misconfigured(
            f"another Longwire process (PID {owner}) uses the data folder {folder}; "
            "stop it, or set LONGWIRE_DATA to another folder"
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def write_private_file(path: Path, content: str) -> None:
    """Write a file that only its owner may read (mode 0600), whole or not at all; it is there after a power loss.

    What is sealed with a key must not outlive the key.
    """
    partial = path.with_suffix(path.suffix + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; syncing a file says nothing of its name."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
