"""`/downlinks`, and a connection's downlink address changed (specification, sections 9 and 18)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from sqlalchemy.engine import Row

from longwire.core.access import Right
from longwire.core.connector import CONNECTION
from longwire.core.document import Member, Object
from longwire.core.downlink import Status
from longwire.core.kinds import ID, TIME, Boolean, Choice, Integer, Nullable, Text
from longwire.core.message import parse_dev_eui
from longwire.storage.configurations import Configurations
from longwire.storage.downlinks import Downlinks, Filter
from longwire.web.api import resource_id
from longwire.web.identity import author_of, needs
from longwire.web.operation import Operation, described, listing
from longwire.web.paging import PAGING, page_response, parse_page
from longwire.web.query import read_query
from longwire.web.shapes import iso_micros

_STATUS = Choice(tuple(each.value for each in Status))
_FILTER = {
    "devEUI": Member(kind=Text(), description="Of this device."),
    "connectionId": Member(kind=ID, description="Of this connection."),
    "status": Member(kind=_STATUS, description="With this status."),
}
DOWNLINK_STATE = Object(
    name="SentDownlink",
    members={
        "id": Member(kind=ID, description="The id.", required=True),
        "correlationId": Member(kind=Text(), description="Its `CorrelationID` in reports.", required=True),
        "devEUI": Member(kind=Text(), description="The device.", required=True),
        "connectionId": Member(kind=ID, description="The connection it came by.", required=True),
        "networkServerId": Member(kind=Text(), description="Where it goes.", required=True),
        "fPort": Member(kind=Integer(1, 224), description="The port.", required=True),
        "payloadHex": Member(kind=Text(), description="The payload.", required=True),
        "confirmed": Member(kind=Boolean(), description="The device shall acknowledge it.", required=True),
        "status": Member(kind=_STATUS, description="How far it is.", required=True),
        "cause": Member(kind=Nullable(Text()), description="Why it is no further.", required=True),
        "attempts": Member(kind=Integer(0, 2**31), description="Requests made for it.", required=True),
        "expiresAt": Member(kind=TIME, description="Until when it is tried.", required=True),
        "createdAt": Member(kind=TIME, description="When it came.", required=True),
        "updatedAt": Member(kind=TIME, description="When that changed last.", required=True),
    },
)
_LIST = listing(DOWNLINK_STATE, PAGING, _FILTER)
_ROTATE = Operation(
    id="rotateDownlinkUrl",
    summary="Give a connection another downlink address",
    description="The address before answers 404 from now on.",
    answer=CONNECTION,
)
_ROTATING = needs(Right.SEND_DOWNLINKS) | described(_ROTATE)


@dataclass(frozen=True, slots=True)
class DownlinksApi:
    """What the routes of downlinks work with; `show` answers with a connection as GET does."""

    downlinks: Downlinks
    configurations: Configurations
    show: Callable[[int], Awaitable[Response[Any]]]

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/downlinks", opt=described(_LIST))
        async def list_downlinks(request: Request[Any, Any, Any]) -> Response[Any]:
            query = request.query_params
            page, wanted = parse_page(query), _parse_filter(query)
            total, rows = await self.downlinks.list(wanted, page)
            return page_response(request, page, total, [_shape(row) for row in rows])

        @post("/connections/{connection_id:str}/rotateDownlinkUrl", status_code=200, opt=_ROTATING)
        async def rotate_downlink_url(request: Request[Any, Any, Any], connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            await self.configurations.rotate_downlink(number, author_of(request))
            return await self.show(number)

        return [list_downlinks, rotate_downlink_url]


def _parse_filter(query: Any) -> Filter:
    """Return which downlinks are asked for; raises InvalidInput naming the parameter."""
    found = read_query(_FILTER, query)
    dev_eui, status, connection_id = found.text("devEUI"), found.text("status"), found.text("connectionId")
    return Filter(
        parse_dev_eui(dev_eui, "devEUI") if dev_eui is not None else None,
        int(connection_id) if connection_id else None,
        Status(status) if status else None,
    )


def _shape(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "correlationId": row.correlation_id,
        "devEUI": row.dev_eui,
        "connectionId": str(row.connection_id),
        "networkServerId": row.network_server_id,
        "fPort": row.f_port,
        "payloadHex": row.payload_hex,
        "confirmed": row.confirmed,
        "status": row.status,
        "cause": row.cause,
        "attempts": row.attempts,
        "expiresAt": iso_micros(row.expires_at),
        "createdAt": iso_micros(row.created_at),
        "updatedAt": iso_micros(row.updated_at),
    }
