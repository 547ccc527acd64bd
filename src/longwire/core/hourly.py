"""How many uplinks each of the last hours had: newest first, an hour counted since 1970 UTC."""

from collections.abc import Mapping, Sequence

HOURS = 24


def add_counts(counts: Sequence[int], newest: int, added: Mapping[int, int], now: int) -> tuple[int, ...]:
    """Return the counts of the hour `now` and those before it, with those of some more hours added.

    `newest` is the hour the given counts begin with. What lies after `now` (the clock was put back) is forgotten.
    """
    shifted = ([0] * min(now - newest, HOURS) if counts and now > newest else []) + list(counts)
    kept = shifted[max(newest - now, 0) :][:HOURS] if counts else []
    for hour, count in added.items():
        age = now - hour
        if 0 <= age < HOURS:
            kept += [0] * (age + 1 - len(kept))
            kept[age] += count
    return tuple(kept)


def sum_of_day(counts: Sequence[int], newest: int, now: int) -> int:
    """Return how many there were in the hour `now` and the 23 before it."""
    return sum(count for age, count in enumerate(counts) if now - HOURS < newest - age <= now)
