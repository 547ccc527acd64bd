"""The dashboard: what needs attention, how much comes and goes, and the first steps when there is nothing yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent

from longwire.core.connection_state import Status
from longwire.web.ui.api_client import Api
from longwire.web.ui.charts import time_chart
from longwire.web.ui.live import Parts, live
from longwire.web.ui.page import Caller, PageRequest, frame_of, period_of
from longwire.web.ui.render import Frame, name_of, page, text
from longwire.web.ui.toasts import find_toast
from longwire.web.ui.tones import TONES

SHOWN = 10
"""Connections in need of attention that are listed; the rest are counted."""
_TROUBLE = frozenset({"bad", "warn"})
_BAD_STATES = frozenset(each.value for each in Status if TONES[each.value] in _TROUBLE)


@dataclass(frozen=True, slots=True)
class DashboardPages:
    """What the dashboard works with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/")
        async def show(request: PageRequest) -> Response[str]:
            content = await self._content(request)
            toast = find_toast(request.query_params)
            return page(frame_of(request), "dashboard.html", toast=toast, **content)

        @get("/stream")
        async def stream(request: PageRequest) -> ServerSentEvent:
            return live(self.caller, request, lambda frame: self._look(request, frame))

        return [show, stream]

    async def _look(self, request: PageRequest, frame: Frame) -> Parts:
        """Return what is live of the page, as it is now."""
        return {"dashboard": text(frame, "parts/dashboard.html", **await self._content(request))}

    async def _content(self, request: PageRequest) -> dict[str, Any]:
        api, period = self.caller.api(request), period_of(request)
        counts, troubled = await _by_state(api)
        total = sum(counts.values())
        losing = await _losing(api)
        needy = [_trouble(each) for each in troubled] + losing
        in_trouble = sum(count for state, count in counts.items() if state in _BAD_STATES)
        series = (await api.get("/connections/metrics/series", window=period)).document
        uplinks = sum(each["uplinks"] for each in series)
        return {
            "period": period,
            "connections": total,
            "states": _arcs(counts),
            "needy": needy[:SHOWN],
            "needy_count": in_trouble + len(losing),
            "uplinks": uplinks,
            "failed": sum(each["uplinksFailed"] + each["uplinksLost"] for each in series),
            "chart": time_chart(series, period),
            "steps": await _first_steps(api, total, uplinks),
        }


async def _first_steps(api: Api, connections: int, carried: int) -> dict[str, Any] | None:
    """Return how far somebody is who begins, until a second message came; None: there is nothing to begin."""
    if connections > 1 or carried > 1:
        return None
    seen = await api.get("/deliveries", perPage=1)
    if seen.total > 1:
        return None
    servers = (await api.get("/networkServers", perPage=1)).document
    flows = (await api.get("/flows", perPage=1)).total
    is_done = [True, connections > 0, bool(servers), flows > 0, seen.total > 0]
    return {
        "is_done": is_done,
        "now": is_done.index(False) if False in is_done else None,
        "server": servers[0] if servers else None,
        "delivery": seen.document[0] if seen.total else None,
    }


async def _by_state(api: Api) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return how many connections are in each state, and some of those that are in trouble."""
    counts = {
        state: count for state, count in (await api.get("/connections/states")).document.items() if count
    }
    bad = sorted(counts.keys() & _BAD_STATES)
    if not bad:
        return counts, []
    return counts, (await api.get("/connections", state=",".join(bad), perPage=SHOWN)).document


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
        if not each["configuration"].get("strictMode") and each["state"] not in _BAD_STATES
    ]


def _trouble(connection: Mapping[str, Any]) -> dict[str, Any]:
    reason = connection.get("stateReason") or connection["state"]
    lag = connection["lag"]
    waiting = f"{reason}. {lag:,} message{' waits' if lag == 1 else 's wait'}."
    return {**_line(connection, TONES[connection["state"]]), "text": waiting, "can_retry": True}


def _line(connection: Mapping[str, Any], tone: str) -> dict[str, Any]:
    return {"id": connection["id"], "name": name_of(connection), "tone": tone, "state": connection["state"]}


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
