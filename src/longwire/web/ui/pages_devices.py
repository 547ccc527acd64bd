"""Devices: the list, and one with the applications its messages go to."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.web.ui.api_client import Api, Refused
from longwire.web.ui.choices import find_choices, find_connections
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
from longwire.web.ui.render import page
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

        return [list_devices, show_device, change_applications, rename]

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

    async def _show(self, request: PageRequest, dev_eui: str, toast: Toast | None = None) -> Response[str]:
        api = self.caller.api(request)
        device = (await api.get(f"/devices/{dev_eui}")).document
        applications = await find_connections(api, device["connectionIds"])
        search = visit_of(request).form.get("search", "")
        deliveries = await api.get(
            "/deliveries", devEUI=device["devEUI"], perPage=PER_PAGE, page=page_number(request)
        )
        name = device.get("name") or device["devEUI"]
        return page(
            frame_of(request),
            "device.html",
            device=device,
            name=name,
            applications=list(applications.values()),
            choices=await find_choices(api, search),
            is_adding="add" in request.query_params or "search" in visit_of(request).form,
            server=await _server_name(api, device.get("networkServerId")),
            deliveries=deliveries.document,
            total=deliveries.total,
            filtered=False,
            pages=pages_around(request, deliveries),
            toast=toast or find_toast(request.query_params, name=name),
        )


async def _server_name(api: Api, number: str | None) -> str:
    try:
        return str((await api.get(f"/networkServers/{number}")).document["name"]) if number else "-"
    except Refused:
        return "-"
