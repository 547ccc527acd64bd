"""Connections: the list, and creating one, step by step as the original does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.web.ui import forms
from longwire.web.ui.api_client import Refused
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

        @get("/connections/create")
        async def choose_product(request: PageRequest) -> Response[str]:
            return page(frame_of(request), "create.html", is_type=False, toast=None)

        @get("/connections/create/iot-flow")
        async def choose_type(request: PageRequest) -> Response[str]:
            return page(frame_of(request), "create.html", is_type=True, toast=None)

        @get("/connections/create/http")
        async def show_form(request: PageRequest) -> Response[str]:
            return _form(request, {}, (), {})

        @post("/connections/create/http", status_code=200)
        async def create(request: PageRequest) -> Response[Any]:
            return await self._create(request)

        return [list_connections, choose_product, choose_type, show_form, create]

    async def _list(self, request: PageRequest) -> Response[str]:
        api = self.caller.api(request)
        q, state = request.query_params.get("q", ""), request.query_params.get("state", "")
        answer = await api.get("/connections", page=page_number(request), perPage=PER_PAGE, q=q, state=state)
        ids = [each["id"] for each in answer.document]
        carried = (await api.get("/connections/metrics", connectionId=ids)).document if ids else []
        metrics = {each["connectionId"]: each for each in carried}
        shown = [{**_UNNAMED, **each, "metrics": metrics[int(each["id"])]} for each in answer.document]
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

    async def _create(self, request: PageRequest) -> Response[Any]:
        visit = visit_of(request)
        try:
            made = await self.caller.api(request).call(
                "POST", "/connections", forms.create_document(visit.form, visit.fields)
            )
        except Refused as refused:
            return _form(request, visit.form, visit.fields, forms.errors_by_field(refused.problems))
        return go_to(request, f"connections/{made.document['id']}", toast="created")


_UNNAMED: Mapping[str, Any] = {"name": None, "stateReason": None, "startupTime": None}


def _form(
    request: PageRequest,
    form: Mapping[str, str],
    pairs: tuple[tuple[str, str], ...],
    errors: Mapping[str, str],
) -> Response[str]:
    """Return the form as it was sent, with what is wrong, or empty."""
    fields = {
        each.name: forms.filled(
            each, form.get(each.name, ""), errors.get(each.name, ""), is_valid=bool(form.get(each.name))
        )
        for each in forms.FIELDS
    }
    advanced = [each for each in forms.FIELDS if each.group == "advanced"]
    shape = {
        "open_proxy": "proxy" in form,
        "open_advanced": any(form.get(each.name) and each.kind != "select" for each in advanced)
        or any(each.name in errors for each in advanced),
        "strict": form.get("strictMode") == "on",
        "problems": [forms.BY_NAME[name].label if name else message for name, message in errors.items()],
    }
    headers = forms.headers_of(pairs)
    return page(
        frame_of(request),
        "create_http.html",
        422 if errors else 200,
        fields=fields,
        form=shape,
        headers=list(headers.items()),
        header_error=errors.get("headers", ""),
        toast=None,
    )
