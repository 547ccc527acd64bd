"""Numbers of pictures: the arcs of a ring, the bars of a time chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

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


WIDTH, HEIGHT, TOP = 600, 60, 8
"""The size of a chart in its own units; above `TOP` there is room for what failed."""
_TICKS = 5
_FAILED_HEIGHT = 5
_SUMMED = {"1h": 1, "24h": 3}
"""How many steps of the API one bar shows."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What was carried in one step; `failed_y` is where the mark of failed ones stands, None without any."""

    x: float
    y: float
    height: float
    failed_y: float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """A time chart: bars, the same in a sentence, times of the axis, and from which x on nothing could be sent."""

    bars: Sequence[Bar]
    width: float
    sentence: str
    ticks: Sequence[str]
    unit: str
    gap: float | None = None


def time_chart(
    series: Sequence[Mapping[str, Any]], period: str, closed_since: datetime | None = None
) -> Chart:
    """Return the chart of `/connections/metrics/series`; `closed_since` is since when the connection is closed."""
    size = _SUMMED[period]
    times = [datetime.fromisoformat(each["time"]) for each in series][::size]
    steps = [
        (sum(each["uplinks"] for each in part), sum(_failed(each) for each in part))
        for part in (series[at : at + size] for at in range(0, len(series), size))
    ]
    width, most = WIDTH / len(steps), max(1, *(all_ for all_, _ in steps))
    bars = []
    for number, (uplinks, failed) in enumerate(steps):
        height = round((HEIGHT - TOP) * (uplinks - failed) / most, 1)
        top = round(HEIGHT - height, 1)
        if uplinks:
            mark = round(top - _FAILED_HEIGHT - 1, 1) if failed else None
            bars.append(Bar(round(number * width + 0.1 * width, 1), top, height, mark))
    ticks = [f"{times[at].astimezone(UTC):%H:%M}" for at in _ticks(len(times))]
    unit = "a minute" if period == "1h" else "every 15 minutes"
    gap = _gap(times, width, closed_since)
    return Chart(
        bars,
        round(0.8 * width, 1),
        _sentence(steps, times, unit, is_closed=gap is not None),
        ticks,
        unit,
        gap,
    )


def _failed(step: Mapping[str, Any]) -> int:
    return int(step["uplinksFailed"]) + int(step["uplinksLost"])


def _ticks(count: int) -> list[int]:
    return [round(number * (count - 1) / (_TICKS - 1)) for number in range(_TICKS)]


def _gap(times: Sequence[datetime], width: float, closed_since: datetime | None) -> float | None:
    """Return where the shade of a closed connection begins; it reaches until now."""
    if closed_since is None:
        return None
    return round(sum(each < closed_since for each in times) * width, 1) if closed_since > times[0] else 0.0


def _sentence(
    steps: Sequence[tuple[int, int]], times: Sequence[datetime], unit: str, *, is_closed: bool
) -> str:
    total, failed = sum(all_ for all_, _ in steps), sum(bad for _, bad in steps)
    if not total:
        return f"Uplinks {unit}: none."
    last = max(at for at, (all_, _) in zip(times, steps, strict=True) if all_)
    closed = " Closed now: nothing is sent." if is_closed else ""
    return (
        f"Uplinks {unit}: {total:,} in all, at most {max(all_ for all_, _ in steps):,} at once, {failed:,} failed; "
        f"the last at {last.astimezone(UTC):%H:%M} UTC.{closed}"
    )


@dataclass(frozen=True, slots=True)
class Level:
    """What waited over time: the points of its line, the most, the same in a sentence, times of the axis."""

    points: str
    most: int
    sentence: str
    ticks: Sequence[str]


def backlog_chart(series: Sequence[Mapping[str, Any]], now: int) -> Level | None:
    """Return the chart of what waited in `/connections/{id}/metrics/series`, `now` so many; None: nothing did."""
    lags = [int(each["lag"]) for each in series]
    most = max(lags)
    if not most:
        return None
    times = [f"{datetime.fromisoformat(each['time']).astimezone(UTC):%H:%M}" for each in series]
    points = _points([HEIGHT - (HEIGHT - TOP) * lag / most for lag in lags])
    sentence = f"Messages that waited: at most {most:,}, at {times[lags.index(most)]} UTC; {now:,} now."
    return Level(points, most, sentence, [times[at] for at in _ticks(len(times))])


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its points, its range, and the same in a sentence."""

    points: str
    low: float
    high: float
    sentence: str


def line(name: str, unit: str, values: Sequence[float], of: str = "uplinks") -> Line | None:
    """Return the line of values in order, oldest first; None for fewer than two."""
    if len(values) < 2:  # noqa: PLR2004
        return None
    low, high = min(values), max(values)
    # What never changes runs through the middle.
    top, span = (high, high - low) if high > low else (high + 1, 2.0)
    points = _points([TOP + (HEIGHT - 2 * TOP) * (top - value) / span for value in values])
    heard = f"{low:g} to {high:g} {unit}, the newest {values[-1]:g} {unit}"
    sentence = f"{name} of the last {len(values)} {of}: {heard}."
    return Line(points, low, high, sentence)


def _points(heights: Sequence[float]) -> str:
    """Return the points of a line over the whole width."""
    step = WIDTH / (len(heights) - 1)
    return " ".join(f"{number * step:.1f},{height:.1f}" for number, height in enumerate(heights))
