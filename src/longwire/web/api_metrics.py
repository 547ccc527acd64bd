"""`/connections/metrics`: what connections carried in the last hour and day (specification, section 13)."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.core.errors import NotFound
from longwire.core.kinds import ListOf
from longwire.core.traffic import Counts
from longwire.storage.activity import Activity
from longwire.storage.traffic import Metrics, Traffic
from longwire.web.answers import METRICS
from longwire.web.api import resource_id
from longwire.web.operation import Operation, described

_LIST = Operation(
    id="listMetrics",
    summary="Show what every connection carried, newest connection first",
    answer=ListOf(METRICS),
)
_SHOW = Operation(id="getMetrics", summary="Show what a connection carried", answer=METRICS)


@dataclass(frozen=True, slots=True)
class MetricsApi:
    """What the routes of metrics work with."""

    traffic: Traffic
    activity: Activity

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/connections/metrics", opt=described(_LIST))
        async def list_metrics() -> Response[Any]:
            lags = await self.activity.count_waiting()
            found = await self.traffic.read()
            return Response([_shape(each, lags.get(each.connection_id, 0)) for each in found])

        @get("/connections/{connection_id:str}/metrics", opt=described(_SHOW))
        async def get_metrics(connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            found = await self.traffic.read([number])
            if not found:
                raise NotFound("there is no such connection")
            lags = await self.activity.count_waiting([number])
            return Response(_shape(found[0], lags.get(number, 0)))

        return [list_metrics, get_metrics]


def _shape(metrics: Metrics, lag: int) -> dict[str, int]:
    nothing = Counts()  # downlinks are not built yet, so there have been none
    return {
        "connectionId": metrics.connection_id,
        "activeThingsLast1h": metrics.things_hour,
        "activeThingsLast24h": metrics.things_day,
        **_counts("uplinksLast1h", metrics.hour),
        **_counts("uplinksLast24h", metrics.day),
        **_counts("downlinksLast1h", nothing),
        **_counts("downlinksLast24h", nothing),
        "lag": lag,
    }


def _counts(name: str, counts: Counts) -> dict[str, int]:
    return {name: counts.uplinks, f"{name}Failed": counts.failed, f"{name}Lost": counts.lost}
