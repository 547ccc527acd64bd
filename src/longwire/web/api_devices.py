"""`/devices`: list, create, read, change, delete (specification, sections 10 and 18)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, delete, get, post, route
from litestar.handlers import HTTPRouteHandler

from longwire.core.device import DEVICE, parse_device
from longwire.core.document import Member
from longwire.core.errors import InvalidInput, NotFound
from longwire.core.kinds import ID, Boolean, Text
from longwire.core.message import DevEui, parse_dev_eui
from longwire.core.sighting import LONGEST_WORD
from longwire.storage.devices import DeviceFilter, Devices, StoredDevice
from longwire.web.api import created, document_of, edit_of, expected_revisions, revision_tag
from longwire.web.identity import author_of
from longwire.web.operation import changing, creating, deleting, described, listing, showing
from longwire.web.paging import PAGING, page_response, parse_page
from longwire.web.query import read_query
from longwire.web.shapes import device_shape

_FILTER = {
    "q": Member(kind=Text(longest=200), description="A text in the name or the DevEUI, in any case."),
    "tag": Member(kind=Text(longest=LONGEST_WORD), description="A whole tag, in any case."),
    "networkServerId": Member(kind=Text(), description="The network server they belong to."),
    "connectionId": Member(
        kind=ID,
        description="A connection that was added to them by hand.",
    ),
    "configured": Member(kind=Boolean(), description="True: only those that were set up or changed by hand."),
}


@dataclass(frozen=True, slots=True)
class DevicesApi:
    """What the routes of `/devices` work with."""

    devices: Devices
    now: Callable[[], datetime]

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/devices", opt=described(listing(DEVICE, PAGING, _FILTER)))
        async def list_devices(request: Request[Any, Any, Any]) -> Response[Any]:
            query = request.query_params
            wanted, page = _filter(query), parse_page(query)
            total, found = await self.devices.list(wanted, page)
            shapes = [device_shape(each, self.now()) for each in found]
            return page_response(request, page, total, shapes)

        @post("/devices", opt=described(creating(DEVICE)))
        async def create_device(request: Request[Any, Any, Any]) -> Response[Any]:
            stored = await self.devices.create(parse_device(await document_of(request)), author_of(request))
            tag = revision_tag(stored.row.revision)
            return created(request, stored.device.dev_eui, device_shape(stored, self.now()), tag)

        return [list_devices, create_device, *self._routes_of_one()]

    def _routes_of_one(self) -> list[HTTPRouteHandler]:
        @get("/devices/{dev_eui:str}", opt=described(showing(DEVICE)))
        async def get_device(dev_eui: str) -> Response[Any]:
            return self._show(await self.devices.get(_in_path(dev_eui)))

        @route("/devices/{dev_eui:str}", http_method=["PUT", "PATCH"], opt=changing(DEVICE))
        async def change_device(request: Request[Any, Any, Any], dev_eui: str) -> Response[Any]:
            edit, expected = await edit_of(request), expected_revisions(request)
            return self._show(
                await self.devices.replace(_in_path(dev_eui), edit, expected, author_of(request))
            )

        @delete("/devices/{dev_eui:str}", opt=described(deleting(DEVICE)))
        async def delete_device(request: Request[Any, Any, Any], dev_eui: str) -> None:
            await self.devices.delete(_in_path(dev_eui), expected_revisions(request), author_of(request))

        return [get_device, change_device, delete_device]

    def _show(self, stored: StoredDevice) -> Response[Any]:
        return Response(device_shape(stored, self.now()), headers=revision_tag(stored.row.revision))


def _in_path(text: str) -> DevEui:
    """Return the DevEUI of a path in any spelling; raises NotFound for what cannot be one."""
    try:
        return parse_dev_eui(text)
    except InvalidInput as problem:
        raise NotFound("there is no such device") from problem


def _filter(query: Mapping[str, str]) -> DeviceFilter:
    asked = read_query(_FILTER, query)
    connection_id = asked.text("connectionId")
    return DeviceFilter(
        asked.text("q"),
        asked.text("tag"),
        asked.text("networkServerId"),
        None if connection_id is None else int(connection_id),
        configured_only=asked.boolean("configured"),
    )
