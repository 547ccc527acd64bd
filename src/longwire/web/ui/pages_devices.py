"""Devices: the list, and one with the applications its messages go to."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent

from longwire.web.ui.api_client import Api, Refused
from longwire.web.ui.charts import line
from longwire.web.ui.choices import find_choices, find_connections
from longwire.web.ui.deliveries_list import connections_of
from longwire.web.ui.live import Parts, live
from longwire.web.ui.page import (
    PER_PAGE,
    Caller,
    PageRequest,
    frame_of,
    go_to,
    page_number,
    pages_around,
    visit_of,
)
from longwire.web.ui.render import Frame, page, text
from longwire.web.ui.toasts import Toast, find_toast


@dataclass(frozen=True, slots=True)
class DevicesPages:
    """What the pages of devices work with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/devices")
        async def list_devices(request: PageRequest) -> Response[str]:
            return await self._list(request)

        @get("/devices/{dev_eui:str}")
        async def show_device(request: PageRequest, dev_eui: str) -> Response[str]:
            return await self._show(request, dev_eui)

        @post("/devices/{dev_eui:str}/applications", status_code=200)
        async def change_applications(request: PageRequest, dev_eui: str) -> Response[Any]:
            return await self._change(request, dev_eui)

        @post("/devices/{dev_eui:str}/name", status_code=200)
        async def rename(request: PageRequest, dev_eui: str) -> Response[Any]:
            form = visit_of(request).form
            return await self._patch(request, dev_eui, {"name": form.get("name") or None})

        @get("/devices/{dev_eui:str}/stream")
        async def stream(request: PageRequest, dev_eui: str) -> ServerSentEvent:
            return live(self.caller, request, lambda frame: self._look(request, dev_eui, frame))

        return [list_devices, show_device, change_applications, rename, stream]

    async def _list(self, request: PageRequest) -> Response[str]:
        query = request.query_params
        answer = await self.caller.api(request).get(
            "/devices", page=page_number(request), perPage=PER_PAGE, q=query.get("q"), tag=query.get("tag")
        )
        return page(
            frame_of(request),
            "devices.html",
            devices=answer.document,
            total=answer.total,
            q=query.get("q", ""),
            pages=pages_around(request, answer),
            toast=find_toast(query),
        )

    async def _change(self, request: PageRequest, dev_eui: str) -> Response[Any]:
        """Add an application to a device, or take one away."""
        form, api = visit_of(request).form, self.caller.api(request)
        if "find" in form:
            return await self._show(request, dev_eui)
        ids: list[str] = (await api.get(f"/devices/{dev_eui}")).document["connectionIds"]
        wanted = [each for each in ids if each != form.get("remove")]
        if form.get("add") and form["add"] not in wanted:
            wanted.append(form["add"])
        return await self._patch(request, dev_eui, {"connectionIds": wanted})

    async def _patch(self, request: PageRequest, dev_eui: str, change: dict[str, Any]) -> Response[Any]:
        try:
            await self.caller.api(request).call("PATCH", f"/devices/{dev_eui}", change)
        except Refused as refused:
            return await self._show(request, dev_eui, Toast("bad", "Not saved", str(refused)))
        return go_to(request, f"devices/{dev_eui}", toast="deviceUpdated")

    async def _look(self, request: PageRequest, dev_eui: str, frame: Frame) -> Parts:
        """Return what is live of the page of a device, as it is now."""
        api = self.caller.api(request)
        device = (await api.get(f"/devices/{dev_eui}")).document
        content = await _carried(request, api, device)
        names = {"last": "device_last", "deliveries": "deliveries"}
        return {
            name: text(frame, f"parts/{file}.html", device=device, **content) for name, file in names.items()
        }

    async def _show(self, request: PageRequest, dev_eui: str, toast: Toast | None = None) -> Response[str]:
        api = self.caller.api(request)
        device = (await api.get(f"/devices/{dev_eui}")).document
        applications = await find_connections(api, device["connectionIds"])
        form = visit_of(request).form
        name = device.get("name") or device["devEUI"]
        return page(
            frame_of(request),
            "device.html",
            device=device,
            name=name,
            applications=list(applications.values()),
            choices=await find_choices(api, form.get("search", "")),
            is_adding="add" in request.query_params or "search" in form,
            is_first_page=page_number(request) == 1,
            toast=toast or find_toast(request.query_params, name=name),
            **await _carried(request, api, device),
        )


async def _carried(request: PageRequest, api: Api, device: Mapping[str, Any]) -> dict[str, Any]:
    """Return the newest messages of a device, what the last uplink carried, and how well they were heard."""
    asked = {"devEUI": device["devEUI"], "perPage": PER_PAGE, "include": "uplink"}
    newest = deliveries = await api.get("/deliveries", **asked)
    if page_number(request) > 1:
        deliveries = await api.get("/deliveries", page=page_number(request), **asked)
    # A message that went to several connections is several deliveries.
    heard = {(each["receivedAt"], each["fCnt"]): each["uplink"] for each in newest.document if each["uplink"]}
    uplinks = list(heard.values())
    rssi, snr = (
        [each[name] for each in reversed(uplinks) if each[name] is not None] for name in ("rssi", "snr")
    )
    return {
        "server": await _server_name(api, device.get("networkServerId")),
        "deliveries": deliveries.document,
        "connections": await connections_of(api, deliveries.document),
        "total": deliveries.total,
        "filtered": False,
        "pages": pages_around(request, deliveries),
        "last": uplinks[0] if uplinks else None,
        "rssi": line("RSSI", "dBm", rssi),
        "snr": line("SNR", "dB", snr),
    }


async def _server_name(api: Api, number: str | None) -> str:
    try:
        return str((await api.get(f"/networkServers/{number}")).document["name"]) if number else "-"
    except Refused:
        return "-"
