"""Network servers and flows: where messages come from, and which go where."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.web.ui.api_client import Refused
from longwire.web.ui.choices import find_choices, find_connections
from longwire.web.ui.dialog import ask_deletion
from longwire.web.ui.flow_form import flow_document, matchers_in_words
from longwire.web.ui.page import (
    PER_PAGE,
    Caller,
    PageRequest,
    frame_of,
    go_to,
    page_number,
    pages_around,
    visit_of,
)
from longwire.web.ui.render import page
from longwire.web.ui.toasts import Toast, find_toast

_MOST_SERVERS = 1000


@dataclass(frozen=True, slots=True)
class RoutingPages:
    """What the pages of network servers and flows work with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""
        return [*self._servers(), *self._flows()]

    def _servers(self) -> list[HTTPRouteHandler]:
        @get("/networkServers")
        async def list_servers(request: PageRequest) -> Response[str]:
            return await self._show_servers(request)

        @post("/networkServers", status_code=200)
        async def create_server(request: PageRequest) -> Response[Any]:
            form = visit_of(request).form
            document = {
                "name": form.get("name", ""),
                "type": "thingpark",
                "configuration": _configuration(form),
            }
            try:
                await self.caller.api(request).call("POST", "/networkServers", document)
            except Refused as refused:
                return await self._show_servers(request, Toast("bad", "Not saved", str(refused)), 422)
            return go_to(request, "networkServers", toast="saved", name=form.get("name", ""))

        @post("/networkServers/{number:str}/delete", status_code=200)
        async def delete_server(request: PageRequest, number: str) -> Response[Any]:
            try:
                await self.caller.api(request).call("DELETE", f"/networkServers/{number}")
            except Refused as refused:
                return await self._show_servers(request, Toast("bad", "Not deleted", str(refused)), 409)
            return go_to(request, "networkServers", toast="gone")

        @post("/networkServers/{number:str}/key", status_code=200)
        async def set_key(request: PageRequest, number: str) -> Response[Any]:
            return await self._set_key(request, number)

        return [list_servers, create_server, delete_server, set_key]

    def _flows(self) -> list[HTTPRouteHandler]:
        @get("/flows")
        async def list_flows(request: PageRequest) -> Response[str]:
            return await self._show_flows(request)

        @post("/flows", status_code=200)
        async def create_flow(request: PageRequest) -> Response[Any]:
            form = visit_of(request).form
            if "find" in form:
                return await self._show_flows(request)
            try:
                await self.caller.api(request).call("POST", "/flows", flow_document(form))
            except Refused as refused:
                return await self._show_flows(request, Toast("bad", "Not saved", str(refused)), 422)
            return go_to(request, "flows", toast="saved", name=form.get("name") or "The flow")

        @post("/flows/{number:str}/delete", status_code=200)
        async def delete_flow(request: PageRequest, number: str) -> Response[None]:
            await self.caller.api(request).call("DELETE", f"/flows/{number}")
            return go_to(request, "flows", toast="gone")

        return [list_flows, create_flow, delete_flow]

    async def _set_key(self, request: PageRequest, number: str) -> Response[Any]:
        change = {"configuration": {"asKey": visit_of(request).form.get("tunnelKey") or None}}
        try:
            saved = await self.caller.api(request).call("PATCH", f"/networkServers/{number}", change)
        except Refused as refused:
            return await self._show_servers(request, Toast("bad", "Not saved", str(refused)), 422)
        return go_to(request, "networkServers", toast="saved", name=saved.document["name"])

    async def _show_servers(
        self, request: PageRequest, toast: Toast | None = None, status: int = 200
    ) -> Response[str]:
        servers = (await self.caller.api(request).get("/networkServers", perPage=_MOST_SERVERS)).document
        form = visit_of(request).form
        name = request.query_params.get("name", "")
        return page(
            frame_of(request),
            "network_servers.html",
            status,
            servers=servers,
            form=form,
            dialog=ask_deletion(
                request,
                "networkServers",
                {each["id"]: each["name"] for each in servers},
                "What it sends is refused from then on.",
            ),
            toast=toast or find_toast(request.query_params, name=name),
        )

    async def _show_flows(
        self, request: PageRequest, toast: Toast | None = None, status: int = 200
    ) -> Response[str]:
        api = self.caller.api(request)
        form = visit_of(request).form
        flows = await api.get("/flows", page=page_number(request), perPage=PER_PAGE)
        ids = {to["connectionId"] for each in flows.document for to in each["connectors"]}
        return page(
            frame_of(request),
            "flows.html",
            status,
            flows=[(each, matchers_in_words(each)) for each in flows.document],
            total=flows.total,
            pages=pages_around(request, flows),
            choices=await find_choices(api, form.get("search", "")),
            connections=await find_connections(api, ids),
            form=form,
            dialog=ask_deletion(
                request,
                "flows",
                {each["id"]: each.get("name") or f"Flow {each['id']}" for each in flows.document},
                "Messages that no other flow matches are kept in the log then, and go nowhere.",
            ),
            toast=toast or find_toast(request.query_params, name=request.query_params.get("name", "")),
        )


def _configuration(form: Any) -> dict[str, str]:
    return {name: form[name] for name in ("asKey", "asId", "lrcUrl") if form.get(name)}
