"""`/connections/{id}/deliveries` and `/deliveries/{id}`: what happened to every message (specification, section 14)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.core.configuration import Connection
from longwire.core.errors import NotAvailableYet
from longwire.storage.activity import Activity, DeliveryRecord
from longwire.storage.configurations import Configurations
from longwire.web.answers import DELIVERY, DELIVERY_DETAILS
from longwire.web.api import resource_id
from longwire.web.operation import Operation, described, listing
from longwire.web.paging import PAGING, page_headers, parse_page
from longwire.web.shapes import attempt_shape, delivery_shape, request_shape

_LIST = replace(listing(DELIVERY, PAGING), id="listDeliveries", summary="List deliveries, newest first")
_LIST_OF_CONNECTION = replace(_LIST, id="listConnectionDeliveries", summary="List a connection's deliveries")
_SHOW = Operation(id="getDelivery", summary="Show a delivery and its attempts", answer=DELIVERY_DETAILS)
_LATER_FILTERS = ("connectionId", "devEUI", "outcome", "status", "startTime", "endTime", "q")


@dataclass(frozen=True, slots=True)
class DeliveriesApi:
    """What the routes of the delivery log work with; `webhook_id` gives the id a delivery is sent with."""

    activity: Activity
    configurations: Configurations
    webhook_id: Callable[[int], str]

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
            record = await self.activity.get(resource_id(delivery_id, "delivery"))
            return Response(await self._whole(record))

        return [list_deliveries, list_all_deliveries, get_delivery]

    async def _list(self, request: Request[Any, Any, Any], connection_id: int | None) -> Response[Any]:
        _refuse_filters(request.query_params)
        page = parse_page(request.query_params)
        total, records = await self.activity.list(connection_id, page)
        shapes = [delivery_shape(each.row, self.webhook_id(each.row.id)) for each in records]
        return Response(shapes, headers=page_headers(request.url.path, page, total, request.query_params))

    async def _whole(self, record: DeliveryRecord) -> dict[str, Any]:
        row = record.row
        webhook_id = self.webhook_id(row.id)
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


def _refuse_filters(query: Mapping[str, str]) -> None:
    for name in _LATER_FILTERS:
        if name in query:
            raise NotAvailableYet(f"filter {name}")
