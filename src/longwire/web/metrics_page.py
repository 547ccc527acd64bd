"""`/metrics`: what the process has done and how things stand, as Prometheus reads it (specification, section 13)."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from longwire import __version__
from longwire.core.meters import OTHER, Histogram, Meters
from longwire.storage.database import Database
from longwire.storage.gauges import Gauges, read_gauges
from longwire.storage.witness import Witness

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MetricsPage:
    """What the page is made from; a public one needs no key."""

    witness: Witness
    database: Database
    is_public: bool

    async def render(self) -> bytes:
        """Return the page: made in a thread, as thousands of connections take a while."""
        await self.witness.traffic.flush()
        gauges = await read_gauges(self.database)
        meters = self.witness.meters
        labels = {each: meters.label(each) for each in gauges.states}
        metrics = [*_counters(meters), *_histograms(meters), *_gauges(gauges, labels, self.witness.now())]
        return await asyncio.to_thread(_as_text, metrics)


class _Given(Collector):
    """Gives metrics that were collected before."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


def _as_text(metrics: list[Metric]) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    registry.register(_Given(metrics))
    return generate_latest(registry)


def _counters(meters: Meters) -> Iterator[Metric]:
    yield InfoMetricFamily("longwire", "The version that runs.", {"version": __version__})
    for name, what, value in (
        ("messages_received", "Messages that became durable.", meters.received),
        ("messages_repeated", "Messages that were known from within the last hour.", meters.repeated),
        ("messages_unrouted", "Messages that no flow routes to a connection.", meters.unrouted),
        ("commits_failed", "Batches that could not be written.", meters.failed_commits),
    ):
        yield CounterMetricFamily(f"longwire_{name}", what, value)
    ended = CounterMetricFamily(
        "longwire_messages_ended", "Messages that ended on a connection.", labels=("connection", "outcome")
    )
    for labels, count in meters.outcomes.items():
        ended.add_metric(labels, count)
    yield ended
    requests = CounterMetricFamily(
        "longwire_requests", "Requests sent, by the answer or by why there was none.", labels=("result",)
    )
    for result, count in meters.results.items():
        requests.add_metric((f"{result}xx" if isinstance(result, int) else str(result),), count)
    yield requests


def _histograms(meters: Meters) -> Iterator[Metric]:
    for name, what, histogram in (
        (
            "request_seconds",
            "From sending a request to its answer, or to its failure.",
            meters.request_seconds,
        ),
        ("delivered_seconds", "From the receipt of a message to its delivery.", meters.delivered_seconds),
        ("commit_seconds", "Writing and syncing one batch.", meters.commit_seconds),
    ):
        yield _histogram(f"longwire_{name}", what, histogram)


def _histogram(name: str, what: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, what, buckets=histogram.buckets(), sum_value=histogram.sum)


def _gauges(gauges: Gauges, labels: Mapping[int, str], now: datetime) -> Iterator[Metric]:
    yield from _states(gauges, labels)
    depth: Counter[str] = Counter()
    age: dict[str, float] = dict.fromkeys(labels.values(), 0.0)
    for connection_id, backlog in gauges.backlogs.items():
        label = labels.get(connection_id, OTHER)
        depth[label] += backlog.depth
        age[label] = max(age.get(label, 0.0), (now - backlog.oldest).total_seconds())
    waiting = GaugeMetricFamily("longwire_messages_waiting", "Messages that wait.", labels=("connection",))
    oldest = GaugeMetricFamily(
        "longwire_oldest_waiting_seconds", "How long the oldest one has waited.", labels=("connection",)
    )
    for label, seconds in age.items():
        waiting.add_metric((label,), depth[label])
        oldest.add_metric((label,), seconds)
    yield waiting
    yield oldest
    for name, what, value in (
        ("waiting_writes", "Writes that wait for a commit.", gauges.waiting_writes),
        ("database_bytes", "The size of the database.", gauges.file_bytes),
        ("wal_bytes", "The size of its write-ahead log.", gauges.wal_bytes),
    ):
        yield GaugeMetricFamily(f"longwire_{name}", what, value)


def _states(gauges: Gauges, labels: Mapping[int, str]) -> Iterator[Metric]:
    """Return how many connections are in each state, and the state of each one that has a label of its own."""
    total = GaugeMetricFamily("longwire_connections", "Connections in a state.", labels=("state",))
    for state, count in Counter(gauges.states.values()).items():
        total.add_metric((state,), count)
    yield total
    each = GaugeMetricFamily(
        "longwire_connection_state", "1 for the state a connection is in.", labels=("connection", "state")
    )
    for connection_id, state in gauges.states.items():
        if labels[connection_id] != OTHER:
            each.add_metric((labels[connection_id], state), 1)
    yield each
