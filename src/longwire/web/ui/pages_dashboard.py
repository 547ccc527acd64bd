"""The dashboard: what needs attention, how much comes and goes, and the first steps when there is nothing yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.core.connection_state import Status
from longwire.web.ui.api_client import Api
from longwire.web.ui.charts import time_chart
from longwire.web.ui.page import Caller, PageRequest, frame_of, period_of
from longwire.web.ui.render import page
from longwire.web.ui.toasts import find_toast
from longwire.web.ui.tones import TONES

SHOWN = 10
"""Connections in need of attention that are listed; the rest are counted."""
_TROUBLE = frozenset({"bad", "warn"})


@dataclass(frozen=True, slots=True)
class DashboardPages:
    """What the dashboard works with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/")
        async def show(request: PageRequest) -> Response[str]:
            return await self._show(request)

        return [show]

    async def _show(self, request: PageRequest) -> Response[str]:
        api, period = self.caller.api(request), period_of(request)
        counts, troubled = await _by_state(api)
        total = sum(counts.values())
        losing = await _losing(api)
        needy = [_trouble(each) for each in troubled] + losing
        in_trouble = sum(count for state, count in counts.items() if TONES[state] in _TROUBLE)
        series = (await api.get("/connections/metrics/series", window=period)).document
        return page(
            frame_of(request),
            "dashboard.html",
            period=period,
            connections=total,
            states=_arcs(counts),
            needy=needy[:SHOWN],
            needy_count=in_trouble + len(losing),
            uplinks=sum(each["uplinks"] for each in series),
            failed=sum(each["uplinksFailed"] + each["uplinksLost"] for each in series),
            chart=time_chart(series, period),
            steps=None if total else await self._steps(api),
            toast=find_toast(request.query_params),
        )

    async def _steps(self, api: Api) -> dict[str, Any]:
        """Return what a first message needs: the address of a network server, when there is one."""
        servers = (await api.get("/networkServers", perPage=1)).document
        return {"uplink_url": servers[0]["uplinkUrl"] if servers else None}


async def _by_state(api: Api) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return how many connections are in each state, and some of those that are in trouble."""
    counts: dict[str, int] = {}
    troubled: list[dict[str, Any]] = []
    for status in Status:
        is_trouble = TONES[status.value] in _TROUBLE
        answer = await api.get("/connections", state=status.value, perPage=SHOWN if is_trouble else 1)
        if answer.total:
            counts[status.value] = answer.total
            troubled += answer.document if is_trouble else []
    return counts, troubled


async def _losing(api: Api) -> list[dict[str, Any]]:
    """Return the connections that lose messages which strict mode would send again."""
    lost = {
        str(each["connectionId"]): each["uplinksLast1hLost"]
        for each in (await api.get("/connections/metrics", lostMost=SHOWN)).document
    }
    if not lost:
        return []
    found = (await api.get("/connections", id=",".join(lost), perPage=SHOWN)).document
    return [
        {
            **_line(each, "warn"),
            "text": f"{lost[each['id']]:,} lost in the last hour: strict mode would have resent them.",
            "can_retry": False,
        }
        for each in found
        if not each["configuration"].get("strictMode") and TONES[each["state"]] not in _TROUBLE
    ]


def _trouble(connection: Mapping[str, Any]) -> dict[str, Any]:
    reason = connection.get("stateReason") or connection["state"]
    lag = connection["lag"]
    waiting = f"{reason}. {lag:,} message{' waits' if lag == 1 else 's wait'}."
    return {**_line(connection, TONES[connection["state"]]), "text": waiting, "can_retry": True}


def _line(connection: Mapping[str, Any], tone: str) -> dict[str, Any]:
    name = connection.get("name") or f"Connection {connection['id']}"
    return {"id": connection["id"], "name": name, "tone": tone, "state": connection["state"]}


def _arcs(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the arcs of the ring of states, the good ones first."""
    total = sum(counts.values())
    order = sorted(counts, key=lambda state: ("ok", "busy", "warn", "bad", "off").index(TONES[state]))
    found, offset = [], 0.0
    for state in order:
        length = 100 * counts[state] / total
        found.append(
            {
                "state": state,
                "count": counts[state],
                "tone": TONES[state],
                "length": round(length - (0.5 if len(order) > 1 else 0), 2),
                "offset": round(offset, 2),
            }
        )
        offset += length
    return found
