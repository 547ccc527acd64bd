"""`/connections`: create, read, replace, delete (specification, sections 2 and 3)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post, put, route
from litestar.handlers import HTTPRouteHandler

from longwire.core.configuration import Connection, parse_connection
from longwire.core.errors import InvalidInput, NotFound
from longwire.core.fields import Fields
from longwire.core.http import Endpoint
from longwire.storage.activity import Activity
from longwire.storage.configurations import Configurations, Listed
from longwire.storage.edit import Edit, replaced_by
from longwire.storage.flows import Flows
from longwire.web.api import (
    created,
    document_of,
    edit_of,
    expected_revisions,
    resource_id,
    revision_tag,
)
from longwire.web.shapes import connection_shape


@dataclass(frozen=True, slots=True)
class ConnectionsApi:
    """What the routes of `/connections` work with.

    `refuses` says which member of the configuration keeps the destination from being dialled, and why, or None;
    `base_url` is how others reach this server.
    """

    configurations: Configurations
    flows: Flows
    activity: Activity
    refuses: Callable[[Endpoint], Awaitable[tuple[str, str] | None]]
    base_url: str

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/connections")
        async def list_connections() -> Response[Any]:
            lags = await self.activity.count_waiting()
            listed = await self.configurations.list()
            return Response([connection_shape(each, self.base_url, lags.get(each.id, 0)) for each in listed])

        @post("/connections")
        async def create_connection(request: Request[Any, Any, Any]) -> Response[Any]:
            connection = parse_connection(await document_of(request))
            await self._check_destination(connection)
            connection_id = await self.configurations.create(connection)
            listed = await self._listed(connection_id)
            return created(
                request, str(connection_id), await self._shape(listed), revision_tag(listed.revision)
            )

        @get("/connections/{connection_id:str}")
        async def get_connection(connection_id: str) -> Response[Any]:
            return await self._show(resource_id(connection_id, "connection"))

        return [list_connections, create_connection, get_connection, *self._changing(), *self._as_the_seed()]

    def _changing(self) -> list[HTTPRouteHandler]:
        @route("/connections/{connection_id:str}", http_method=["PUT", "PATCH"])
        async def change_connection(request: Request[Any, Any, Any], connection_id: str) -> Response[Any]:
            return await self._change(request, connection_id, await edit_of(request))

        @delete("/connections/{connection_id:str}")
        async def delete_connection(request: Request[Any, Any, Any], connection_id: str) -> None:
            await self._delete(request, connection_id)

        @post("/connections/{connection_id:str}/restart", status_code=202)
        async def restart_connection(connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            await self.configurations.restart(number)
            return await self._show(number, 202)

        return [change_connection, delete_connection, restart_connection]

    def _as_the_seed(self) -> list[HTTPRouteHandler]:
        """Return the two routes that the original's page writes without an id in the path."""

        @put("/connections")
        async def replace_connection_in_body(request: Request[Any, Any, Any]) -> Response[Any]:
            body = await document_of(request)
            fields = Fields(body)
            connection_id = fields.required_text("id")
            fields.finish()
            return await self._change(request, connection_id, replaced_by(body))

        @delete("/connections")
        async def delete_connection_in_query(request: Request[Any, Any, Any]) -> None:
            if "id" not in request.query_params:
                raise InvalidInput("id", "required: DELETE /connections?id=<id>")
            await self._delete(request, request.query_params["id"])

        return [replace_connection_in_body, delete_connection_in_query]

    async def _change(self, request: Request[Any, Any, Any], connection_id: str, edit: Edit) -> Response[Any]:
        number = resource_id(connection_id, "connection")
        await self.configurations.replace(number, edit, self._check_destination, expected_revisions(request))
        return await self._show(number)

    async def _delete(self, request: Request[Any, Any, Any], connection_id: str) -> None:
        keep = _keeps_backlog(request)
        number, expected = resource_id(connection_id, "connection"), expected_revisions(request)
        await self.configurations.delete(number, expected, keep_backlog=keep)
        await self.flows.load()

    async def _show(self, connection_id: int, status: int = 200) -> Response[Any]:
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

    async def _check_destination(self, connection: Connection) -> None:
        refusal = await self.refuses(connection.configuration.destination.endpoint)
        if refusal is not None:
            member, reason = refusal
            raise InvalidInput(f"configuration.{member}", reason)


def _keeps_backlog(request: Request[Any, Any, Any]) -> bool:
    asked = request.query_params.get("backlog", "discard")
    if asked not in {"discard", "keep"}:
        raise InvalidInput("backlog", f"expected keep or discard, got {asked[:40]!r}")
    return asked == "keep"
