"""API keys: who may use this server; and what this server is."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.web.ui.api_client import Refused
from longwire.web.ui.dialog import ask_deletion
from longwire.web.ui.page import Caller, PageRequest, frame_of, go_to, visit_of
from longwire.web.ui.render import page
from longwire.web.ui.toasts import Toast, find_toast

ROLES = (
    ("Reader", "Reader: looks, and changes nothing"),
    ("Writer", "Writer: creates and changes, no deletes, no downlinks"),
    ("Controller", "Controller: as Writer, and downlinks"),
    ("Owner", "Owner: everything, and keys"),
)


@dataclass(frozen=True, slots=True)
class KeysPages:
    """What the pages of keys and settings work with."""

    caller: Caller
    base_url: str

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/apiKeys")
        async def list_keys(request: PageRequest) -> Response[str]:
            return await self._show(request)

        @post("/apiKeys", status_code=200)
        async def create_key(request: PageRequest) -> Response[str]:
            form = visit_of(request).form
            document = {"name": form.get("name", ""), "role": form.get("role", "")}
            try:
                made = await self.caller.api(request).call("POST", "/apiKeys", document)
            except Refused as refused:
                return await self._show(request, Toast("bad", "Not created", str(refused)), status=422)
            return await self._show(request, made=made.document)

        @post("/apiKeys/{number:str}/delete", status_code=200)
        async def delete_key(request: PageRequest, number: str) -> Response[Any]:
            try:
                await self.caller.api(request).call("DELETE", f"/apiKeys/{number}")
            except Refused as refused:
                return await self._show(request, Toast("bad", "Not deleted", str(refused)), status=409)
            return go_to(request, "apiKeys", toast="gone")

        @get("/settings")
        async def show_settings(request: PageRequest) -> Response[str]:
            return page(frame_of(request), "settings.html", base_url=self.base_url, toast=None)

        return [list_keys, create_key, delete_key, show_settings]

    async def _show(
        self, request: PageRequest, toast: Toast | None = None, *, made: Any = None, status: int = 200
    ) -> Response[str]:
        keys = (await self.caller.api(request).get("/apiKeys")).document
        return page(
            frame_of(request),
            "keys.html",
            status,
            keys=keys,
            roles=ROLES,
            made=made,
            form=visit_of(request).form if made is None else {},
            dialog=ask_deletion(
                request,
                "apiKeys",
                {each["id"]: each["name"] for each in keys},
                "Whoever uses it is locked out at once.",
            ),
            toast=toast or find_toast(request.query_params),
        )
