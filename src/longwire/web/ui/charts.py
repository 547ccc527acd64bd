"""Numbers of pictures: the arcs of a ring."""

from dataclasses import dataclass

LEAST_SHARE = 2.5
"""A failed part is at least that many per cent of a ring, so that it is seen."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A part of a ring of 100, from `offset` on."""

    tone: str
    length: float
    offset: float


def ring_arcs(ok: int, bad: int) -> list[Arc]:
    """Return the arcs of a ring of successful and failed ones; none for an empty one."""
    total = ok + bad
    if not total:
        return []
    if not bad:
        return [Arc("ok", 100.0, 0.0)]
    if not ok:
        return [Arc("bad", 100.0, 0.0)]
    failed = min(max(round(100 * bad / total, 1), LEAST_SHARE), 100 - LEAST_SHARE)
    return [Arc("ok", round(99 - failed, 1), 0.0), Arc("bad", failed, round(99.5 - failed, 1))]
