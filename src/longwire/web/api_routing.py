"""`/flows` and `/networkServers`: create, read, change, delete (specification, sections 10 and 18)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post, route
from litestar.handlers import HTTPRouteHandler

from longwire.core.document import Member
from longwire.core.errors import InvalidInput
from longwire.core.flow import FLOW, parse_flow
from longwire.core.http import Endpoint
from longwire.core.kinds import Boolean
from longwire.core.network_server import (
    NETWORK_SERVER,
    NetworkServer,
    mask,
    parse_network_server,
    to_document,
)
from longwire.storage.edit import Edit
from longwire.storage.flows import Flows
from longwire.storage.network_servers import NetworkServers, StoredNetworkServer
from longwire.storage.sightings import Sightings
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
from longwire.web.operation import changing, creating, deleting, described, listing, showing
from longwire.web.paging import PAGING, page_of, page_response, parse_page
from longwire.web.query import read_query
from longwire.web.shapes import flow_shape, network_server_shape

_FORCE = {
    "force": Member(kind=Boolean(), description="Delete it even while devices use it.", default=False),
}


@dataclass(frozen=True, slots=True)
class FlowsApi:
    """What the routes of `/flows` work with."""

    flows: Flows

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/flows", opt=described(listing(FLOW, PAGING)))
        async def list_flows(request: Request[Any, Any, Any]) -> Response[Any]:
            page = parse_page(request.query_params)
            total, flows = await self.flows.list(page)
            return page_response(request, page, total, [flow_shape(each) for each in flows])

        @post("/flows", opt=described(creating(FLOW)))
        async def create_flow(request: Request[Any, Any, Any]) -> Response[Any]:
            flow_id = await self.flows.create(parse_flow(await document_of(request)), author_of(request))
            stored = await self.flows.get(flow_id)
            return created(request, str(flow_id), flow_shape(stored), revision_tag(stored.revision))

        return [list_flows, create_flow, *self._routes_of_one()]

    def _routes_of_one(self) -> list[HTTPRouteHandler]:
        @get("/flows/{flow_id:str}", opt=described(showing(FLOW)))
        async def get_flow(flow_id: str) -> Response[Any]:
            return await self._show(resource_id(flow_id, "flow"))

        @route("/flows/{flow_id:str}", http_method=["PUT", "PATCH"], opt=changing(FLOW))
        async def change_flow(request: Request[Any, Any, Any], flow_id: str) -> Response[Any]:
            number = resource_id(flow_id, "flow")
            edit, expected = await edit_of(request), expected_revisions(request)
            await self.flows.replace(number, edit, expected, author_of(request))
            return await self._show(number)

        @delete("/flows/{flow_id:str}", opt=described(deleting(FLOW)))
        async def delete_flow(request: Request[Any, Any, Any], flow_id: str) -> None:
            number, expected = resource_id(flow_id, "flow"), expected_revisions(request)
            await self.flows.delete(number, expected, author_of(request))

        return [get_flow, change_flow, delete_flow]

    async def _show(self, flow_id: int) -> Response[Any]:
        stored = await self.flows.get(flow_id)
        return Response(flow_shape(stored), headers=revision_tag(stored.revision))


@dataclass(frozen=True, slots=True)
class NetworkServersApi:
    """What the routes of `/networkServers` work with; `refuses` as in ConnectionsApi."""

    network_servers: NetworkServers
    refuses: Callable[[Endpoint], Awaitable[tuple[str, str] | None]]
    base_url: str
    sightings: Sightings

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/networkServers", opt=described(listing(NETWORK_SERVER, PAGING)))
        async def list_network_servers(request: Request[Any, Any, Any]) -> Response[Any]:
            page = parse_page(request.query_params)
            known = list(self.network_servers.known.values())[::-1]
            shapes = [self._shape(each) for each in page_of(known, page)]
            return page_response(request, page, len(known), shapes)

        @post("/networkServers", opt=described(creating(NETWORK_SERVER)))
        async def create_network_server(request: Request[Any, Any, Any]) -> Response[Any]:
            server = parse_network_server(await document_of(request))
            await self._check_lrc(server)
            stored = await self.network_servers.create(server, author_of(request))
            return created(request, stored.id, self._shape(stored), revision_tag(stored.revision))

        return [list_network_servers, create_network_server, *self._routes_of_one()]

    def _routes_of_one(self) -> list[HTTPRouteHandler]:
        @get("/networkServers/{network_server_id:str}", opt=described(showing(NETWORK_SERVER)))
        async def get_network_server(network_server_id: str) -> Response[Any]:
            return self._show(self.network_servers.get(network_server_id))

        @route(
            "/networkServers/{network_server_id:str}",
            http_method=["PUT", "PATCH"],
            opt=changing(NETWORK_SERVER, IF_CHANGED),
        )
        async def change_network_server(
            request: Request[Any, Any, Any], network_server_id: str
        ) -> Response[Any]:
            edit, expected = await edit_of(request), expected_revisions(request)
            stored = self.network_servers.get(network_server_id)
            if only_if_changed(request) and _stays(stored.server, edit):
                return self._show(stored)
            check, by = self._check_lrc, author_of(request)
            return self._show(
                await self.network_servers.replace(network_server_id, edit, check, expected, by)
            )

        @delete("/networkServers/{network_server_id:str}", opt=described(deleting(NETWORK_SERVER, _FORCE)))
        async def delete_network_server(request: Request[Any, Any, Any], network_server_id: str) -> None:
            expected, force = expected_revisions(request), _is_forced(request)
            # Devices that were just heard for the first time use it too.
            await self.sightings.write()
            await self.network_servers.delete(network_server_id, expected, author_of(request), force=force)

        return [get_network_server, change_network_server, delete_network_server]

    async def _check_lrc(self, server: NetworkServer) -> None:
        """Raise InvalidInput when downlinks may not go where they are to go."""
        refusal = await self.refuses(server.lrc.endpoint) if server.lrc else None
        if refusal is not None:
            raise InvalidInput("configuration.lrcUrl", refusal[1])

    def _show(self, stored: StoredNetworkServer) -> Response[Any]:
        return Response(self._shape(stored), headers=revision_tag(stored.revision))

    def _shape(self, stored: StoredNetworkServer) -> dict[str, Any]:
        return network_server_shape(stored, self.base_url, self.sightings.last_uplink_at(stored.id))


def _stays(server: NetworkServer, edit: Edit) -> bool:
    """Return whether a change leaves the network server as it is."""
    return parse_network_server(edit(mask(to_document(server))), server) == server


def _is_forced(request: Request[Any, Any, Any]) -> bool:
    return read_query(_FORCE, request.query_params).boolean("force")
