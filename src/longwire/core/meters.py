"""What the process has done since it started, as plain numbers: the source of `/metrics` (specification, section 13).

Counting one message costs a few additions. How many series there are is bounded: the first `MAX_LABELLED`
connections that count anything have their own; those beyond share the label `other`. Who has a label keeps it until
the next start, so a counter never goes back.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence

from longwire.core.delivery import Attempt, Outcome

MAX_LABELLED = 1000
OTHER = "other"
_HUNDRED = 100

# From a destination next door to the longest requestTimeout, and from a message that goes through to one of a backlog.
REQUEST_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
DELIVERED_BOUNDS_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600, 86_400)
COMMIT_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Histogram:
    """How often a value lay between two bounds, and the sum of all."""

    def __init__(self, bounds: Sequence[float]) -> None:
        """Begin with nothing; the bounds ascend."""
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return each upper bound with how many values lie at or below it; the last one is `+Inf`."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip([*map(str, map(float, self._bounds)), "+Inf"], self._counts, strict=True):
            total += count
            found.append((bound, total))
        return found


class Meters:
    """Every counter and histogram."""

    def __init__(self, max_labelled: int = MAX_LABELLED) -> None:
        """Begin with nothing."""
        self._max_labelled = max_labelled
        self._labels: dict[int, str] = {}
        self.received = 0
        self.repeated = 0
        self.unrouted = 0
        self.failed_commits = 0
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.results: dict[int | str | None, int] = {}
        self.request_seconds = Histogram(REQUEST_BOUNDS_S)
        self.delivered_seconds = Histogram(DELIVERED_BOUNDS_S)
        self.commit_seconds = Histogram(COMMIT_BOUNDS_S)

    def label(self, connection_id: int) -> str:
        """Return the label of a connection."""
        label = self._labels.get(connection_id)
        if label is None:
            if len(self._labels) >= self._max_labelled:
                return OTHER
            label = self._labels[connection_id] = str(connection_id)
        return label

    def count_outcomes(self, connection_id: int, outcomes: Mapping[Outcome, int]) -> None:
        """Count messages that ended."""
        label = self.label(connection_id)
        for outcome, count in outcomes.items():
            self.outcomes[label, outcome.value] += count

    def count_attempt(self, attempt: Attempt) -> None:
        """Count a request that was sent: by its status's first digit, or by why there was no answer."""
        status = attempt.status
        result = attempt.cause if status is None else status // _HUNDRED
        self.results[result] = self.results.get(result, 0) + 1
        self.request_seconds.observe(attempt.duration.total_seconds())
