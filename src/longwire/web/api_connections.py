"""`/connections`: create, read, replace, delete (specification, sections 2 and 3)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from litestar import Request, Response, delete, get, post, put, route
from litestar.handlers import HTTPRouteHandler

from longwire.core.configuration import Connection, mask, parse_connection, to_document
from longwire.core.connection_state import Status
from longwire.core.connector import CONNECTION
from longwire.core.document import Member, Object, read_body
from longwire.core.errors import InvalidInput, NotFound
from longwire.core.http import Endpoint
from longwire.core.kinds import ID, Choice, ListOf, Text
from longwire.storage.activity import Activity
from longwire.storage.configurations import MAX_CONNECTIONS, Configurations, Listed
from longwire.storage.connection_search import ConnectionFilter
from longwire.storage.edit import Edit, replaced_by
from longwire.storage.page import Page
from longwire.web.answers import CONNECTION_STATES
from longwire.web.api import (
    IF_CHANGED,
    created,
    document_of,
    edit_of,
    expected_revisions,
    only_if_changed,
    resource_id,
    revision_tag,
)
from longwire.web.identity import author_of
from longwire.web.operation import (
    Body,
    Operation,
    changing,
    creating,
    deleting,
    described,
    listing,
    replacing,
    showing,
)
from longwire.web.paging import PAGING, page_response, parse_page
from longwire.web.query import read_query
from longwire.web.shapes import connection_shape

_BACKLOG = {
    "backlog": Member(
        kind=Choice(("discard", "keep")),
        description="What becomes of waiting messages; `keep`: 409 while there are any.",
        default="discard",
    ),
}
_ID = Member(kind=Text(shortest=1), description="The id of the connection.", required=True)
# What the original's page writes: the id in the body.
_WITH_ID = replace(CONNECTION, name="ConnectionWithId", members={**CONNECTION.members, "id": _ID})
_FILTER: Mapping[str, Member] = {
    "id": Member(
        kind=ListOf(ID),
        description="Those with one of these ids, separated by commas.",
    ),
    "q": Member(kind=Text(longest=200), description="With this text in name, URL or description."),
    "state": Member(
        kind=ListOf(Choice(tuple(each.value for each in Status))),
        description="In one of these states, separated by commas.",
    ),
}
_LIST = replace(
    listing(CONNECTION, PAGING, _FILTER),
    description="All of them; a page of them where `page` or `perPage` is given.",
)
_STATES = Operation(
    id="countConnectionStates", summary="Count the connections in each state", answer=CONNECTION_STATES
)
_RESTART = Operation(
    id="restartConnection",
    summary="Reconnect at once",
    description="A command: the state changes once it is carried out.",
    status=202,
    answer=CONNECTION,
    answer_headers=showing(CONNECTION).answer_headers,
)
_REPLACE_IN_BODY = replace(
    replacing(CONNECTION),
    errors=(404, 409, 412),
    id="replaceConnectionInBody",
    summary="Replace the connection that the body names",
    body=Body(_WITH_ID),
)
_DELETE_IN_QUERY = replace(
    deleting(CONNECTION, {"id": _ID, **_BACKLOG}),
    errors=(404, 409, 412),
    id="deleteConnectionInQuery",
    summary="Delete the connection that the query names",
)


@dataclass(frozen=True, slots=True)
class ConnectionsApi:
    """What the routes of `/connections` work with.

    `refuses` says which member of the configuration keeps the destination from being dialled, and why, or None;
    `base_url` is how others reach this server.
    """

    configurations: Configurations
    activity: Activity
    refuses: Callable[[Endpoint], Awaitable[tuple[str, str] | None]]
    base_url: str

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/connections", opt=described(_LIST))
        async def list_connections(request: Request[Any, Any, Any]) -> Response[Any]:
            return await self._list(request)

        @post("/connections", opt=described(creating(CONNECTION)))
        async def create_connection(request: Request[Any, Any, Any]) -> Response[Any]:
            connection = parse_connection(await document_of(request))
            await self.check_destination(connection)
            connection_id = await self.configurations.create(connection, author_of(request))
            listed = await self._listed(connection_id)
            return created(
                request, str(connection_id), await self._shape(listed), revision_tag(listed.revision)
            )

        @get("/connections/{connection_id:str}", opt=described(showing(CONNECTION)))
        async def get_connection(connection_id: str) -> Response[Any]:
            return await self.show(resource_id(connection_id, "connection"))

        return [list_connections, create_connection, get_connection, *self._changing(), *self._others()]

    def _changing(self) -> list[HTTPRouteHandler]:
        @route(
            "/connections/{connection_id:str}",
            http_method=["PUT", "PATCH"],
            opt=changing(CONNECTION, IF_CHANGED),
        )
        async def change_connection(request: Request[Any, Any, Any], connection_id: str) -> Response[Any]:
            return await self._change(request, connection_id, await edit_of(request))

        @delete("/connections/{connection_id:str}", opt=described(deleting(CONNECTION, _BACKLOG)))
        async def delete_connection(request: Request[Any, Any, Any], connection_id: str) -> None:
            await self._delete(request, connection_id)

        @post("/connections/{connection_id:str}/restart", status_code=202, opt=described(_RESTART))
        async def restart_connection(request: Request[Any, Any, Any], connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            await self.configurations.restart(number, author_of(request))
            return await self.show(number, 202)

        return [change_connection, delete_connection, restart_connection]

    def _others(self) -> list[HTTPRouteHandler]:
        @get("/connections/states", opt=described(_STATES))
        async def count_states() -> Response[Any]:
            counts = await self.configurations.count_states()
            return Response({each.value: counts.get(each, 0) for each in Status})

        return [count_states, *self._as_the_seed()]

    def _as_the_seed(self) -> list[HTTPRouteHandler]:
        """Return the two routes that the original's page writes without an id in the path."""

        @put("/connections", opt=described(_REPLACE_IN_BODY))
        async def replace_connection_in_body(request: Request[Any, Any, Any]) -> Response[Any]:
            body = await document_of(request)
            connection_id = _id_in(body)
            return await self._change(request, connection_id, replaced_by(body))

        @delete("/connections", opt=described(_DELETE_IN_QUERY))
        async def delete_connection_in_query(request: Request[Any, Any, Any]) -> None:
            asked = read_query({"id": _ID}, request.query_params)
            await self._delete(request, asked.required_text("id"))

        return [replace_connection_in_body, delete_connection_in_query]

    async def _change(self, request: Request[Any, Any, Any], connection_id: str, edit: Edit) -> Response[Any]:
        number = resource_id(connection_id, "connection")
        if only_if_changed(request) and await self._stays(number, edit):
            return await self.show(number)
        expected, by = expected_revisions(request), author_of(request)
        await self.configurations.replace(number, edit, self.check_destination, expected, by)
        return await self.show(number)

    async def _stays(self, connection_id: int, edit: Edit) -> bool:
        """Return whether a change leaves the connection as it is."""
        stored = (await self.configurations.load(connection_id)).connection
        return parse_connection(edit(mask(to_document(stored))), stored) == stored

    async def _delete(self, request: Request[Any, Any, Any], connection_id: str) -> None:
        keep = _keeps_backlog(request)
        number, expected = resource_id(connection_id, "connection"), expected_revisions(request)
        await self.configurations.delete(number, expected, author_of(request), keep_backlog=keep)

    async def _list(self, request: Request[Any, Any, Any]) -> Response[Any]:
        query = request.query_params
        asked = read_query(_FILTER, query)
        # The published contract knows no pages of connections: who asks for none gets them all.
        page = parse_page(query) if query.keys() & PAGING.keys() else Page(1, MAX_CONNECTIONS)
        ids = [int(each) for each in asked.elements("id")] if "id" in query else None
        statuses = [Status(each) for each in asked.elements("state")] if "state" in query else None
        wanted = ConnectionFilter(ids, asked.text("q"), statuses)
        total, listed = await self.configurations.search(wanted, page)
        lags = await self.activity.count_waiting([each.id for each in listed])
        shapes = [connection_shape(each, self.base_url, lags.get(each.id, 0)) for each in listed]
        return page_response(request, page, total, shapes)

    async def show(self, connection_id: int, status: int = 200) -> Response[Any]:
        """Return the answer of a GET; raises NotFound."""
        listed = await self._listed(connection_id)
        return Response(await self._shape(listed), status_code=status, headers=revision_tag(listed.revision))

    async def _listed(self, connection_id: int) -> Listed:
        found = await self.configurations.list([connection_id])
        if not found:
            raise NotFound("there is no such connection")
        return found[0]

    async def _shape(self, listed: Listed) -> dict[str, Any]:
        lags = await self.activity.count_waiting([listed.id])
        return connection_shape(listed, self.base_url, lags.get(listed.id, 0))

    async def check_destination(self, connection: Connection) -> None:
        """Raise InvalidInput for a connection whose destination, or proxy, may not be dialled."""
        refusal = await self.refuses(connection.configuration.destination.endpoint)
        if refusal is not None:
            member, reason = refusal
            raise InvalidInput(f"configuration.{member}", reason)


def _keeps_backlog(request: Request[Any, Any, Any]) -> bool:
    return read_query(_BACKLOG, request.query_params).required_text("backlog") == "keep"


def _id_in(body: Any) -> str:
    """Return the id that a body names; what else is in it is judged when it is known which connection it is for."""
    id_alone = (
        {name: value for name, value in body.items() if name == "id"} if isinstance(body, dict) else body
    )
    document = read_body(Object(name="Id", members={"id": _ID}), id_alone)
    document.finish()
    return document.required_text("id")
