"""Events: what happened, with its cause and what to do."""

from dataclasses import dataclass

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.web.ui.page import PER_PAGE, Caller, PageRequest, frame_of, page_number, pages_around
from longwire.web.ui.render import page


@dataclass(frozen=True, slots=True)
class EventsPages:
    """What the page of events works with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/events")
        async def list_events(request: PageRequest) -> Response[str]:
            query = request.query_params
            connection = query.get("connection", "")
            answer = await self.caller.api(request).get(
                "/events",
                page=page_number(request),
                perPage=PER_PAGE,
                q_connectionId=connection,
                q=query.get("q"),
            )
            return page(
                frame_of(request),
                "events.html",
                events=answer.document,
                total=answer.total,
                q=query.get("q", ""),
                connection=connection,
                pages=pages_around(request, answer),
                toast=None,
            )

        return [list_events]
