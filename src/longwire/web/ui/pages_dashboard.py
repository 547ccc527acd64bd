"""The dashboard: what needs attention, how much comes and goes, and the first steps when there is nothing yet."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.web.ui.api_client import Api
from longwire.web.ui.page import Caller, PageRequest, frame_of
from longwire.web.ui.render import page
from longwire.web.ui.toasts import find_toast
from longwire.web.ui.tones import TONES

SHOWN = 10
"""Connections in need of attention that are listed; the rest are counted."""


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
        api = self.caller.api(request)
        connections = (await api.get("/connections")).document
        period = "24h" if request.query_params.get("period") == "24h" else "1h"
        metrics = {
            str(each["connectionId"]): each for each in (await api.get("/connections/metrics")).document
        }
        needy = [found for each in connections if (found := _needs(each, metrics.get(each["id"], {})))]
        return page(
            frame_of(request),
            "dashboard.html",
            period=period,
            connections=len(connections),
            states=_states(connections),
            needy=needy[:SHOWN],
            needy_count=len(needy),
            uplinks=sum(each[f"uplinksLast{period}"] for each in metrics.values()),
            failed=sum(each[f"uplinksLast{period}Failed"] for each in metrics.values()),
            steps=None if connections else await self._steps(api),
            toast=find_toast(request.query_params),
        )

    async def _steps(self, api: Api) -> dict[str, Any]:
        """Return what a first message needs: the address of a network server, when there is one."""
        servers = (await api.get("/networkServers", perPage=1)).document
        return {"uplink_url": servers[0]["uplinkUrl"] if servers else None}


def _needs(connection: Mapping[str, Any], metrics: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return why a connection needs somebody, or None."""
    lost, waiting = metrics.get("uplinksLast1hLost", 0), connection["lag"]
    name = connection.get("name") or f"Connection {connection['id']}"
    whole = {
        "id": connection["id"],
        "name": name,
        "tone": TONES[connection["state"]],
        "state": connection["state"],
    }
    if TONES[connection["state"]] in {"bad", "warn"}:
        reason = connection.get("stateReason") or connection["state"]
        return {**whole, "text": f"{reason}. {waiting:,} messages wait.", "can_retry": True}
    if lost and not connection["configuration"].get("strictMode"):
        return {
            **whole,
            "tone": "warn",
            "text": f"{lost:,} lost in the last hour: strict mode would have resent them.",
            "can_retry": False,
        }
    return None


def _states(connections: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the arcs of the ring of states, the good ones first."""
    counts = Counter(each["state"] for each in connections)
    order = sorted(counts, key=lambda state: ("ok", "busy", "warn", "bad", "off").index(TONES[state]))
    found, offset = [], 0.0
    for state in order:
        length = 100 * counts[state] / len(connections)
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
