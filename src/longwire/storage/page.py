"""A page of a list."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is asked for; both count from 1."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """Return how many come before it."""
        return (self.number - 1) * self.size
