"""`/events`: what the operator is told (specification, sections 2 and 13)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from sqlalchemy.engine import Row

from longwire.core.document import Member
from longwire.core.kinds import ID, Text
from longwire.storage.events import EventFilter, Events
from longwire.web.answers import EVENT
from longwire.web.operation import described, listing
from longwire.web.paging import PAGING, page_response, parse_page
from longwire.web.query import parse_time, parsed, read_query
from longwire.web.shapes import iso_micros

_LONGEST_TEXT = 200
_TIME = Text(format="date-time")
_FILTER = {
    "q_connectionId": Member(kind=ID, description="Of this connection."),
    "startTime": Member(kind=_TIME, description="From this time on."),
    "endTime": Member(kind=_TIME, description="Before this time."),
    "q": Member(kind=Text(longest=_LONGEST_TEXT), description="With this text."),
}
_LONGEST_ID = 18


@dataclass(frozen=True, slots=True)
class EventsApi:
    """What the route of events works with."""

    events: Events

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/events", opt=described(listing(EVENT, PAGING, _FILTER)))
        async def list_events(request: Request[Any, Any, Any]) -> Response[Any]:
            query = request.query_params
            page, wanted = parse_page(query), parse_filter(query)
            total, rows = await self.events.list(wanted, page)
            return page_response(request, page, total, [_shape(row) for row in rows])

        return [list_events]


def parse_filter(query: Mapping[str, str]) -> EventFilter:
    """Return which events are asked for; raises InvalidDocument naming every parameter that is wrong."""
    asked = read_query(_FILTER, query)
    connection_id = asked.text("q_connectionId")
    found = EventFilter(
        connection_id=None if connection_id is None else int(connection_id),
        begin=parsed(asked, "startTime", parse_time),
        end=parsed(asked, "endTime", parse_time),
        text=asked.text("q") or None,
    )
    asked.finish()
    return found


def _shape(row: Row[Any]) -> dict[str, Any]:
    return {
        "eventTime": iso_micros(row.at),
        "level": row.level,
        "code": row.code,
        "message": row.message,
        "data": msgspec.Raw(row.data.encode()),
    }
