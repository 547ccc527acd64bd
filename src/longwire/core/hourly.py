"""How many uplinks each of the last hours had: newest first, an hour counted since 1970 UTC."""

from collections.abc import Mapping, Sequence

HOURS = 24


def add_counts(counts: Sequence[int], newest: int, added: Mapping[int, int], now: int) -> tuple[int, ...]:
    """Return the counts of the hour `now` and those before it, with those of some more hours added.

    `newest` is the hour the given counts begin with. What lies after `now` (the clock was put back) is forgotten.
    """
    by_hour = {newest - age: count for age, count in enumerate(counts)}
    for hour, count in added.items():
        by_hour[hour] = by_hour.get(hour, 0) + count
    oldest = max(min(by_hour, default=now), now - HOURS + 1)
    return tuple(by_hour.get(hour, 0) for hour in range(now, oldest - 1, -1))


def sum_of_day(counts: Sequence[int], newest: int, now: int) -> int:
    """Return how many there were in the hour `now` and the 23 before it."""
    return sum(count for age, count in enumerate(counts) if now - HOURS < newest - age <= now)
