"""Creating a connection, step by step as the original does; what is typed is judged, and shown as it would be sent."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.headers import is_secret_header
from longwire.web.ui import forms
from longwire.web.ui.api_client import Refused
from longwire.web.ui.page import Caller, PageRequest, frame_of, go_to, visit_of
from longwire.web.ui.render import HTML, page, pretty_json, text

_SHOWS_AGAIN = frozenset({"preview", "addHeader", "removeHeader"})
"""Buttons of the form that do not create anything."""


@dataclass(frozen=True, slots=True)
class CreatePages:
    """What the pages of creating a connection work with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/connections/create")
        async def choose_product(request: PageRequest) -> Response[str]:
            return page(frame_of(request), "create.html", is_type=False, toast=None)

        @get("/connections/create/iot-flow")
        async def choose_type(request: PageRequest) -> Response[str]:
            return page(frame_of(request), "create.html", is_type=True, toast=None)

        @get("/connections/create/http")
        async def show_form(request: PageRequest) -> Response[str]:
            return _form(request, _Judgement())

        @post("/connections/create/http", status_code=200)
        async def create(request: PageRequest) -> Response[Any]:
            if _SHOWS_AGAIN & visit_of(request).form.keys():
                return _form(request, await self._judge(request))
            return await self._create(request)

        @post("/connections/create/http/validate", status_code=200)
        async def validate(request: PageRequest) -> Response[str]:
            return await self._validate(request)

        return [choose_product, choose_type, show_form, create, validate]

    async def _create(self, request: PageRequest) -> Response[Any]:
        visit = visit_of(request)
        document = forms.create_document(visit.form, visit.fields)
        try:
            made = await self.caller.api(request).call("POST", "/connections", document)
        except Refused as refused:
            return _form(request, _Judgement(forms.errors_by_field(refused.problems), is_final=True))
        return go_to(request, f"connections/{made.document['id']}", toast="created")

    async def _judge(self, request: PageRequest) -> "_Judgement":
        """Return what is wrong with the form so far, or what would be sent."""
        visit = visit_of(request)
        document = {"connection": forms.create_document(visit.form, visit.fields)}
        try:
            shown = await self.caller.api(request).call("POST", "/connections/preview", document)
        except Refused as refused:
            return _Judgement(forms.errors_by_field(refused.problems))
        return _Judgement({}, shown.document)

    async def _validate(self, request: PageRequest) -> Response[str]:
        """Return one field of the form, judged, and beside it what would be sent."""
        judgement = await self._judge(request)
        judged = forms.BY_NAME.get(request.query_params.get("field", ""), forms.BY_NAME["name"])
        content = text(
            frame_of(request),
            "parts/judged.html",
            field=_filled(judged, visit_of(request).form, judgement),
            header_error=judgement.errors.get("headers", ""),
            **_preview(judgement),
        )
        return Response(content, media_type=HTML)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """What is wrong, by field, and what would be sent; `is_final`: it was to be created."""

    errors: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, Any] | None = None
    is_final: bool = False


def _form(request: PageRequest, judgement: _Judgement) -> Response[str]:
    """Return the form as it was sent, with what is wrong, or empty."""
    visit = visit_of(request)
    form, errors = visit.form, judgement.errors if judgement.is_final else {}
    fields = {each.name: _filled(each, form, judgement) for each in forms.FIELDS}
    headers = forms.headers_of(visit.fields)
    headers.pop(form.get("removeHeader", ""), None)
    return page(
        frame_of(request),
        "create_http.html",
        422 if errors else 200,
        fields=fields,
        is_open={
            group: _is_open(group, form, judgement) for group in ("proxy", "advanced", "tls", "downlink")
        },
        strict=form.get("strictMode") == "on",
        problems=[forms.BY_NAME[name].label if name else message for name, message in errors.items()],
        headers=shown_headers(headers),
        header_error=judgement.errors.get("headers", ""),
        toast=None,
        **_preview(judgement),
    )


def shown_headers(headers: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Return each header with its value, and that value as people may see it."""
    return [(name, value, "*****" if is_secret_header(name) else value) for name, value in headers.items()]


def _is_open(group: str, form: Mapping[str, str], judgement: _Judgement) -> bool:
    """Return whether a card is open: something in it was changed or is wrong."""
    if group == "proxy":
        return "proxy" in form
    inside = [each for each in forms.FIELDS if each.group == group]
    return any(
        each.name in judgement.errors
        or form.get(each.name, "") not in {"", forms.DEFAULTS.get(each.name, "")}
        for each in inside
    )


def _filled(shown: forms.Field, form: Mapping[str, str], judgement: _Judgement) -> forms.Field:
    """Return a field as typed; one that is still empty is not wrong before the form is sent."""
    typed = form.get(shown.name, "")
    error = judgement.errors.get(shown.name, "") if typed or judgement.is_final else ""
    value = typed or forms.DEFAULTS.get(shown.name, "")
    return forms.filled(
        shown, value, error, is_valid=bool(typed) and shown.kind not in {"select", "password"}
    )


def _preview(judgement: _Judgement) -> dict[str, Any]:
    """Return the request as it would go over the wire, and what to know about it."""
    sent = judgement.sent
    if sent is None:
        (name, error), *_ = [*judgement.errors.items(), ("", "")]
        label = forms.BY_NAME[name].label if name else ""
        return {"request_text": "", "warnings": [], "missing": f"{label}: {error}" if label else error}
    address = urlsplit(sent["url"])
    target = f"{address.path or '/'}{'?' + address.query if address.query else ''}"
    lines = [f"{sent['method']} {target} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in sent["headers"].items()]
    return {
        "request_text": "\n".join([*lines, "", pretty_json(sent["body"])]),
        "warnings": sent["warnings"],
        "missing": "",
    }
