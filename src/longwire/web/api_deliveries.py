"""`/connections/{id}/deliveries` and `/deliveries/{id}`: what happened to every message (specification, section 14)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.configuration import Connection
from longwire.core.document import Member, Object, read_body
from longwire.core.kinds import ID, Choice, Text
from longwire.storage.activity import Activity
from longwire.storage.configurations import Configurations
from longwire.storage.queue_sql import Queue
from longwire.storage.replays import replay
from longwire.web.answers import DELIVERY, DELIVERY_DETAILS
from longwire.web.api import document_of, resource_id
from longwire.web.delivery_filter import FILTER, read_filter
from longwire.web.identity import author_of
from longwire.web.operation import Body, Operation, described, listing
from longwire.web.paging import PAGING, page_response, parse_page
from longwire.web.query import read_query
from longwire.web.shapes import attempt_shape, delivery_shape, request_shape, uplink_shape

_LOOKED_UNTIL = (
    "Older deliveries than this time were not looked at: the same filter with it as `endTime` finds them. Absent when "
    "all were; `X-Total` counts what was looked at."
)
_INCLUDE = {
    "include": Member(
        kind=Choice(("uplink",)),
        description="`uplink`: each with what the uplink carried, and how it was heard.",
    )
}
_LISTED = listing(DELIVERY, PAGING, {**FILTER.members, **_INCLUDE})
_LIST = replace(
    _LISTED,
    id="listDeliveries",
    summary="List deliveries, newest first",
    optional_headers={"X-Looked-Until": _LOOKED_UNTIL},
)
_LIST_OF_CONNECTION = replace(_LIST, id="listConnectionDeliveries", summary="List a connection's deliveries")
_SHOW = Operation(id="getDelivery", summary="Show a delivery and its attempts", answer=DELIVERY_DETAILS)
_TARGET = Object(
    name="ReplayTarget",
    members={
        "connectionId": Member(
            kind=ID,
            description="Another connection: it gets a new delivery of the message.",
        )
    },
)
_REPLAYED = Object(
    name="Replayed",
    members={"id": Member(kind=Text(), description="The delivery that waits again.", required=True)},
)
_REPLAY = Operation(
    id="replayDelivery",
    summary="Send a message again, behind what waits",
    description="The same delivery, with the next `Longwire-Attempt`; its age counts from now.",
    body=Body(_TARGET),
    status=202,
    answer=_REPLAYED,
    errors=(409,),
)


@dataclass(frozen=True, slots=True)
class DeliveriesApi:
    """What the routes of the delivery log work with."""

    activity: Activity
    configurations: Configurations
    queue: Queue
    now: Callable[[], datetime]

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/connections/{connection_id:str}/deliveries", opt=described(_LIST_OF_CONNECTION))
        async def list_deliveries(request: Request[Any, Any, Any], connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            answer = await self._list(request, number)
            if answer.content == []:
                # A deleted connection's log stays readable; of one that never was there is none.
                await self.configurations.load(number)
            return answer

        @get("/deliveries", opt=described(_LIST))
        async def list_all_deliveries(request: Request[Any, Any, Any]) -> Response[Any]:
            return await self._list(request, None)

        @get("/deliveries/{delivery_id:str}", opt=described(_SHOW))
        async def get_delivery(delivery_id: str) -> Response[Any]:
            return Response(await self.details(resource_id(delivery_id, "delivery")))

        @post("/deliveries/{delivery_id:str}/replay", status_code=202, opt=described(_REPLAY))
        async def replay_delivery(request: Request[Any, Any, Any], delivery_id: str) -> Response[Any]:
            number, target_id = resource_id(delivery_id, "delivery"), await _target_of(request)
            replayed = await replay(self.queue, number, target_id, self.now(), author_of(request))
            return Response({"id": str(replayed)}, status_code=202)

        return [list_deliveries, list_all_deliveries, get_delivery, replay_delivery]

    async def _list(self, request: Request[Any, Any, Any], connection_id: int | None) -> Response[Any]:
        query = request.query_params
        page, wanted = parse_page(query), read_filter(query)
        if connection_id is not None:
            wanted = replace(wanted, connection_id=connection_id)
        found = await self.activity.list(wanted, page)
        shapes = [delivery_shape(row, self.queue.webhook_id(row.id)) for row in found.rows]
        if read_query(_INCLUDE, query).text("include") is not None:
            bodies = await self.activity.bodies(row.message_id for row in found.rows)
            for shape, row in zip(shapes, found.rows, strict=True):
                shape["uplink"] = uplink_shape(bodies.get(row.message_id))
        answer = page_response(request, page, found.total, shapes)
        if found.looked_until is not None:
            answer.headers["X-Looked-Until"] = found.looked_until.isoformat().replace("+00:00", "Z")
        return answer

    async def details(self, delivery_id: int) -> dict[str, Any]:
        """Return a delivery with its message and its attempts; raises NotFound."""
        record = await self.activity.get(delivery_id)
        row = record.row
        webhook_id = self.queue.webhook_id(row.id)
        used = {number: await self._revision(row.connection_id, number) for number in record.revisions}
        attempts = [
            attempt_shape(each, request_shape(used[each.revision], each, row.body, webhook_id))
            for each in record.attempts
        ]
        return {
            **delivery_shape(row, webhook_id),
            "message": msgspec.Raw(row.body),
            "attempts": attempts,
        }

    async def _revision(self, connection_id: int, number: int) -> Connection | None:
        return await self.configurations.load_revision(connection_id, number)


async def _target_of(request: Request[Any, Any, Any]) -> int | None:
    """Return the connection that a replay shall go to; without a body, or without `connectionId`, to its own."""
    if not await request.body():
        return None
    document = read_body(_TARGET, await document_of(request))
    document.finish()
    text = document.text("connectionId")
    return None if text is None else int(text)
