"""Connections: the list."""

from dataclasses import dataclass

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.web.ui.page import (
    PER_PAGE,
    Caller,
    PageRequest,
    frame_of,
    page_number,
    pages_around,
)
from longwire.web.ui.render import page
from longwire.web.ui.toasts import find_toast


@dataclass(frozen=True, slots=True)
class ConnectionsPages:
    """What the pages of all connections work with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/connections")
        async def list_connections(request: PageRequest) -> Response[str]:
            return await self._list(request)

        return [list_connections]

    async def _list(self, request: PageRequest) -> Response[str]:
        api = self.caller.api(request)
        q, state = request.query_params.get("q", ""), request.query_params.get("state", "")
        answer = await api.get("/connections", page=page_number(request), perPage=PER_PAGE, q=q, state=state)
        ids = [each["id"] for each in answer.document]
        carried = (await api.get("/connections/metrics", connectionId=ids)).document if ids else []
        metrics = {each["connectionId"]: each for each in carried}
        shown = [{**each, "metrics": metrics[int(each["id"])]} for each in answer.document]
        return page(
            frame_of(request),
            "connections.html",
            connections=shown,
            q=q,
            state=state,
            total=answer.total,
            pages=pages_around(request, answer),
            toast=find_toast(request.query_params),
        )
