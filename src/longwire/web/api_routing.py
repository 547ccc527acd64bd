"""`/flows` and `/networkServers`: create, read, delete (specification, sections 10 and 18)."""

from dataclasses import dataclass
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.errors import InvalidInput
from longwire.core.flow import parse_flow
from longwire.core.network_server import parse_network_server
from longwire.storage.flows import Flows
from longwire.storage.network_servers import NetworkServers
from longwire.web.api import created, document_of, resource_id
from longwire.web.paging import page_headers, page_of, parse_page
from longwire.web.shapes import flow_shape, network_server_shape


@dataclass(frozen=True, slots=True)
class FlowsApi:
    """What the routes of `/flows` work with."""

    flows: Flows

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/flows")
        async def list_flows(request: Request[Any, Any, Any]) -> Response[Any]:
            page = parse_page(request.query_params)
            shapes = [flow_shape(flow_id, document) for flow_id, document in await self.flows.list()]
            headers = page_headers(request.url.path, page, len(shapes), request.query_params)
            return Response(page_of(shapes[::-1], page), headers=headers)

        @post("/flows")
        async def create_flow(request: Request[Any, Any, Any]) -> Response[Any]:
            flow_id = await self.flows.create(parse_flow(await document_of(request)))
            shape = flow_shape(flow_id, await self.flows.get(flow_id))
            return created(request, str(flow_id), shape)

        @get("/flows/{flow_id:str}")
        async def get_flow(flow_id: str) -> Response[Any]:
            number = resource_id(flow_id, "flow")
            return Response(flow_shape(number, await self.flows.get(number)))

        @delete("/flows/{flow_id:str}")
        async def delete_flow(flow_id: str) -> None:
            await self.flows.delete(resource_id(flow_id, "flow"))

        return [list_flows, create_flow, get_flow, delete_flow]


@dataclass(frozen=True, slots=True)
class NetworkServersApi:
    """What the routes of `/networkServers` work with."""

    network_servers: NetworkServers
    base_url: str

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/networkServers")
        async def list_network_servers(request: Request[Any, Any, Any]) -> Response[Any]:
            page = parse_page(request.query_params)
            known = list(self.network_servers.known.values())[::-1]
            shapes = [network_server_shape(each, self.base_url) for each in page_of(known, page)]
            headers = page_headers(request.url.path, page, len(known), request.query_params)
            return Response(shapes, headers=headers)

        @post("/networkServers")
        async def create_network_server(request: Request[Any, Any, Any]) -> Response[Any]:
            stored = await self.network_servers.create(parse_network_server(await document_of(request)))
            return created(request, stored.id, network_server_shape(stored, self.base_url))

        @get("/networkServers/{network_server_id:str}")
        async def get_network_server(network_server_id: str) -> Response[Any]:
            return Response(network_server_shape(self.network_servers.get(network_server_id), self.base_url))

        @delete("/networkServers/{network_server_id:str}")
        async def delete_network_server(request: Request[Any, Any, Any], network_server_id: str) -> None:
            force = _is_forced(request)
            await self.network_servers.delete(network_server_id, force=force)

        return [list_network_servers, create_network_server, get_network_server, delete_network_server]


def _is_forced(request: Request[Any, Any, Any]) -> bool:
    asked = request.query_params.get("force", "false")
    if asked not in {"true", "false"}:
        raise InvalidInput("force", f"expected true or false, got {asked[:40]!r}")
    return asked == "true"
