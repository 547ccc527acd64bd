"""`/connections/metrics`: what connections carried in the last hour and day (specification, section 13)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.core.document import Member
from longwire.core.errors import NotFound
from longwire.core.kinds import ID, Choice, Integer, ListOf
from longwire.core.traffic import DAY_MINUTES, HOUR_MINUTES, Counts, percentile
from longwire.storage.activity import Activity, Pulse
from longwire.storage.downlinks import Downlinks
from longwire.storage.traffic import Metrics, Traffic, Window
from longwire.web.answers import CONNECTION_METRICS, METRICS, METRICS_STEP, TOTAL_METRICS_STEP
from longwire.web.api import resource_id
from longwire.web.operation import Operation, described
from longwire.web.query import read_query
from longwire.web.shapes import iso

_FILTER = {
    "connectionId": Member(
        kind=ID,
        description="Only of this connection; may be given several times.",
    )
}
_LISTED = {
    **_FILTER,
    "lostMost": Member(
        kind=Integer(1, 100),
        description="Only the connections that lost most in the last hour, at most that many.",
    ),
}
_LIST = Operation(
    id="listMetrics",
    summary="Show what every connection carried, newest connection first",
    query=_LISTED,
    answer=ListOf(METRICS),
)
_SHOW = Operation(id="getMetrics", summary="Show what a connection carried", answer=CONNECTION_METRICS)


_WINDOWS = {"1h": Window(HOUR_MINUTES, 1), "24h": Window(DAY_MINUTES, 5)}
_QUERY = {
    "window": Member(
        kind=Choice(tuple(_WINDOWS)),
        description="How far back: by the minute, or by 5 minutes.",
        default="1h",
    )
}
_SERIES = Operation(
    id="getMetricsSeries",
    summary="Show what a connection carried and what waited on it over time, oldest first",
    query=_QUERY,
    answer=ListOf(METRICS_STEP),
)


_TOTAL_SERIES = Operation(
    id="getTotalMetricsSeries",
    summary="Show what all connections carried together over time, oldest first",
    query=_QUERY,
    answer=ListOf(TOTAL_METRICS_STEP),
)


@dataclass(frozen=True, slots=True)
class MetricsApi:
    """What the routes of metrics work with."""

    traffic: Traffic
    activity: Activity
    downlinks: Downlinks

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/connections/metrics", opt=described(_LIST))
        async def list_metrics(request: Request[Any, Any, Any]) -> Response[Any]:
            return Response(await self._metrics(self._asked(request)))

        @get("/connections/{connection_id:str}/metrics", opt=described(_SHOW))
        async def get_metrics(connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            found = await self._metrics([number])
            if not found:
                raise NotFound("there is no such connection")
            return Response({**found[0], **_pulse_shape(await self.activity.pulse(number))})

        @get("/connections/{connection_id:str}/metrics/series", opt=described(_SERIES))
        async def get_series(request: Request[Any, Any, Any], connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            window = _WINDOWS[read_query(_QUERY, request.query_params).required_text("window")]
            series = await self.traffic.series(number, window)
            return Response([{**_step_shape(each.begin, each.counts), "lag": each.lag} for each in series])

        @get("/connections/metrics/series", opt=described(_TOTAL_SERIES))
        async def get_total_series(request: Request[Any, Any, Any]) -> Response[Any]:
            window = _WINDOWS[read_query(_QUERY, request.query_params).required_text("window")]
            return Response([_step_shape(*each) for each in await self.traffic.total_series(window)])

        return [list_metrics, get_metrics, get_series, get_total_series]

    def _asked(self, request: Request[Any, Any, Any]) -> list[int] | None:
        """Return the connections that a list is asked for; None: all."""
        most = read_query(_LISTED, request.query_params).values.get("lostMost")
        if most is not None:
            return self.traffic.most_lost(most)
        given = request.query_params.getall("connectionId", None)
        return None if given is None else [_parse_id(each) for each in given]

    async def _metrics(self, connection_ids: Sequence[int] | None) -> list[dict[str, int]]:
        lags = await self.activity.count_waiting(connection_ids)
        downlinks = await self.downlinks.count(connection_ids)
        return [
            _shape(each, downlinks.get(each.connection_id, _NO_DOWNLINKS), lags.get(each.connection_id, 0))
            for each in await self.traffic.read(connection_ids)
        ]


def _parse_id(text: str) -> int:
    return int(read_query(_FILTER, {"connectionId": text}).required_text("connectionId"))


_NO_DOWNLINKS = (Counts(), Counts())
_TOLD_ONE_BY_ONE = 100
"""How many of the newest requests that are."""


def _shape(metrics: Metrics, downlinks: tuple[Counts, Counts], lag: int) -> dict[str, int]:
    return {
        "connectionId": metrics.connection_id,
        "activeThingsLast1h": metrics.things_hour,
        "activeThingsLast24h": metrics.things_day,
        **_counts("uplinksLast1h", metrics.hour),
        **_counts("uplinksLast24h", metrics.day),
        **_counts("downlinksLast1h", downlinks[0]),
        **_counts("downlinksLast24h", downlinks[1]),
        "lag": lag,
    }


def _counts(name: str, counts: Counts) -> dict[str, int]:
    return {name: counts.total, f"{name}Failed": counts.failed, f"{name}Lost": counts.lost}


def _step_shape(begin: datetime, counts: Counts) -> dict[str, Any]:
    return {"time": iso(begin), **_counts("uplinks", counts)}


def _pulse_shape(pulse: Pulse) -> dict[str, Any]:
    def took(percent: int) -> float | None:
        micros = percentile(pulse.durations, percent)
        return None if micros is None else micros / 1000

    return {
        "oldestWaitingAt": iso(pulse.oldest_waiting),
        "requestMsP50": took(50),
        "requestMsP95": took(95),
        "requestMs": [micros / 1000 for micros in pulse.durations[-_TOLD_ONE_BY_ONE:]],
    }
