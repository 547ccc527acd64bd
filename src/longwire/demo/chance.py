"""Repeatable chance: the same key always draws the same number, so a second run continues the first."""

from hashlib import blake2b
from math import pi, sin


def draw(*key: int | str) -> float:
    """Return a number from 0 (included) to 1 (excluded) that depends on nothing but the key.

    A hash instead of a generator: no state to save, so any device can be asked for any counter in any order.
    """
    digest = blake2b("|".join(map(str, key)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest) >> 11) / 2**53


def draw_between(low: int, high: int, *key: int | str) -> int:
    """Return a whole number from `low` to `high`, both included."""
    return low + int(draw(*key) * (high - low + 1))


def drift(counter: int, period: int, *key: int | str) -> float:
    """Return a value from -1 to 1 that swings once per `period` uplinks, with a little noise."""
    swing = sin(2 * pi * (counter / period + draw(*key, "phase")))
    noise = 2 * draw(*key, counter) - 1
    return 0.85 * swing + 0.15 * noise
