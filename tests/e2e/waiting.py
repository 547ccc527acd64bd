"""Waiting for something that happens elsewhere: always with a deadline, never for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_S = 0.02


class NotInTimeError(AssertionError):
    """What was waited for did not happen before the deadline."""


def wait_until(what: str, look: Callable[[], T | None], *, timeout_s: float = 10.0) -> T:
    """Return the first true value that `look` gives; raise NotInTimeError with the last one otherwise."""
    deadline = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise NotInTimeError(f"not within {timeout_s} s: {what}; last seen: {seen!r}")
        time.sleep(POLL_S)
    return seen


def holds_for(what: str, look: Callable[[], bool], *, seconds: float) -> None:
    """Check that `look` stays true for so long: the only way to show that something does not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not look():
            raise AssertionError(f"did not hold for {seconds} s: {what}")
        time.sleep(POLL_S)
