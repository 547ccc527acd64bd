"""One connection: how it is, what it does, and editing its values in place."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response import ServerSentEvent

from longwire.core.delivery import is_accepted
from longwire.core.errors import Forbidden, InvalidInput, TooManyRequests
from longwire.core.fields import MASK
from longwire.web.ui import forms
from longwire.web.ui.api_client import Refused
from longwire.web.ui.connection_content import Edit, Sending, around, head, settings
from longwire.web.ui.dialog import Dialog
from longwire.web.ui.forms import BY_NAME, Field
from longwire.web.ui.live import Parts, live
from longwire.web.ui.page import Caller, PageRequest, frame_of, go_to, page_number, visit_of
from longwire.web.ui.render import Frame, name_of, page, text
from longwire.web.ui.toasts import Toast, find_toast

_STALE = 412


@dataclass(frozen=True, slots=True)
class ConnectionPages:
    """What the pages of one connection work with; `accept_downlink` takes what is posted to a downlink address."""

    caller: Caller
    accept_downlink: Callable[[str, str, bytes], Awaitable[bytes]]

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/connections/{number:str}")
        async def show(request: PageRequest, number: str) -> Response[str]:
            name = request.query_params.get("edit", "")
            return await self._show(request, number, Edit(BY_NAME.get(name)))

        @get("/connections/{number:str}/stream")
        async def stream(request: PageRequest, number: str) -> ServerSentEvent:
            return live(self.caller, request, lambda frame: self._look(request, number, frame))

        return [show, stream, *self._editing(), *self._commands()]

    async def _look(self, request: PageRequest, number: str, frame: Frame) -> Parts:
        """Return what is live of the page, as it is now."""
        api = self.caller.api(request)
        connection = (await api.get(f"/connections/{number}")).document
        content = head(connection)
        content |= await around(request, api, connection)
        names = {
            "head": "connection_head",
            "metrics": "metrics",
            "downlinks": "downlinks",
            "events": "events",
            "deliveries": "deliveries",
        }
        return {name: text(frame, f"parts/{file}.html", **content) for name, file in names.items()}

    def _editing(self) -> list[HTTPRouteHandler]:
        @post("/connections/{number:str}/confirm", status_code=200)
        async def ask(request: PageRequest, number: str) -> Response[Any]:
            return await self._ask(request, number)

        @post("/connections/{number:str}/update", status_code=200)
        async def update(request: PageRequest, number: str) -> Response[Any]:
            return await self._update(request, number)

        return [ask, update]

    def _commands(self) -> list[HTTPRouteHandler]:
        @post("/connections/{number:str}/restart", status_code=200)
        async def restart(request: PageRequest, number: str) -> Response[None]:
            await self.caller.api(request).call("POST", f"/connections/{number}/restart")
            return go_to(request, f"connections/{number}", toast="restarted")

        @post("/connections/{number:str}/active", status_code=200)
        async def activate(request: PageRequest, number: str) -> Response[None]:
            active = visit_of(request).form.get("active") == "true"
            await self.caller.api(request).call("PATCH", f"/connections/{number}", {"active": active})
            return go_to(request, f"connections/{number}", toast="updated")

        @post("/connections/{number:str}/test", status_code=200)
        async def send_sample(request: PageRequest, number: str) -> Response[str]:
            sent = await self.caller.api(request).call("POST", f"/connections/{number}/test", {})
            return await self._show(request, number, Edit(), _told(sent.document))

        @get("/connections/{number:str}/delete")
        async def ask_delete(request: PageRequest, number: str) -> Response[str]:
            return await self._show(request, number, Edit(deletes=True))

        @post("/connections/{number:str}/delete", status_code=200)
        async def remove(request: PageRequest, number: str) -> Response[None]:
            await self.caller.api(request).call("DELETE", f"/connections/{number}")
            return go_to(request, "connections", toast="deleted")

        @post("/connections/{number:str}/downlinks", status_code=200)
        async def send_downlink(request: PageRequest, number: str) -> Response[Any]:
            return await self._send_downlink(request, number)

        return [restart, activate, send_sample, ask_delete, remove, send_downlink]

    async def _send_downlink(self, request: PageRequest, number: str) -> Response[Any]:
        """Send a downlink as an application would: through the connection's downlink address."""
        form, api = visit_of(request).form, self.caller.api(request)
        address: str = (await api.get(f"/connections/{number}")).document["downlinkUrl"]
        uuid = address.rpartition("/")[2]
        if uuid == MASK:
            raise Forbidden("only keys that may send downlinks know a downlink address")
        try:
            await self.accept_downlink(uuid, "application/json", msgspec.json.encode(_downlink(form)))
        except (InvalidInput, Forbidden, TooManyRequests) as problem:
            reason = str(problem).removeprefix("DevEUI_downlink.")
            edit = Edit(sending=Sending(form, reason))
            return await self._show(request, number, edit, Toast("bad", "Not sent", reason))
        return go_to(request, f"connections/{number}", toast="sent")

    async def _ask(self, request: PageRequest, number: str) -> Response[Any]:
        """Ask for confirmation before a changed value is saved."""
        visit = visit_of(request)
        field = BY_NAME.get(visit.form.get("field", ""))
        if field is None:
            return go_to(request, f"connections/{number}")
        if {"addHeader", "removeHeader"} & visit.form.keys():
            return await self._show(request, number, Edit(field))
        values = [(name, value) for name, value in visit.fields if name != "csrf"]
        return await self._show(request, number, Edit(field, visit.form.get("value"), asked=values))

    async def _update(self, request: PageRequest, number: str) -> Response[Any]:
        visit, api = visit_of(request), self.caller.api(request)
        field = BY_NAME.get(visit.form.get("field", ""))
        if field is None:
            return go_to(request, f"connections/{number}")
        change = forms.change_document(field, visit.form, visit.fields)
        try:
            if field.kind == "headers":
                before = forms.shown((await api.get(f"/connections/{number}")).document, field) or {}
                gone = forms.removed_headers(before, change["configuration"]["headers"])
                change["configuration"]["headers"] |= gone
            tag = {"If-Match": visit.form.get("tag", "*")}
            await api.call("PATCH", f"/connections/{number}", change, headers=tag)
        except Refused as refused:
            return await self._refused(request, number, field, refused)
        return go_to(request, f"connections/{number}", toast="updated")

    async def _refused(
        self, request: PageRequest, number: str, field: Field, refused: Refused
    ) -> Response[str]:
        """Return the page with the value as it was typed, and why it was not saved."""
        if refused.status not in {400, 409, _STALE}:
            raise refused
        reason = (
            "Somebody changed this connection meanwhile. Your value is kept: look at both, then confirm again."
            if refused.status == _STALE
            else "; ".join(forms.errors_by_field(refused.problems).values())
        )
        typed = visit_of(request).form.get("value")
        edit = Edit(field, typed, reason, is_stale=refused.status == _STALE)
        return await self._show(request, number, edit, Toast("bad", "Not saved", reason))

    async def _show(
        self,
        request: PageRequest,
        number: str,
        edit: Edit,
        toast: Toast | None = None,
    ) -> Response[str]:
        api = self.caller.api(request)
        answer = await api.get(f"/connections/{number}")
        connection = answer.document
        name = name_of(connection)
        dialog = None
        if edit.deletes:
            dialog = _ask_delete(request, number, name, connection["lag"])
        elif edit.asked is not None:
            dialog = _ask_edit(request, number, name, edit.asked)
        return page(
            frame_of(request),
            "connection.html",
            422 if edit.error or edit.sending.error else 200,
            toast=toast or find_toast(request.query_params, name=name),
            **head(connection),
            **await around(request, api, connection),
            **settings(connection, edit, visit_of(request).fields),
            tag=answer.headers.get("etag", "*"),
            query=request.url.query,
            is_first_page=page_number(request) == 1,
            dialog=dialog,
        )


def _downlink(form: Mapping[str, str]) -> dict[str, Any]:
    port = form.get("fPort", "").strip()
    content: dict[str, Any] = {
        "DevEUI": form.get("devEUI", "").strip(),
        "payload_hex": "".join(form.get("payload", "").split()),
        "Confirmed": int("confirmed" in form),
    }
    if port:
        content["FPort"] = int(port) if port.isascii() and port.isdecimal() else port
    return {"DevEUI_downlink": content}


def _ask_edit(request: PageRequest, number: str, name: str, fields: list[tuple[str, str]]) -> Dialog:
    base = f"{frame_of(request).prefix}/ui/connections/{number}"
    question = (
        f'Your connection "{name}" may restart to apply your changes. Are you sure you want to proceed?'
    )
    return Dialog(question, base, f"{base}/update", "Proceed update", fields)


def _ask_delete(request: PageRequest, number: str, name: str, waiting: int) -> Dialog:
    base = f"{frame_of(request).prefix}/ui/connections/{number}"
    backlog = f" {waiting:,} waiting messages become dead letters." if waiting else ""
    question = f'Your connection "{name}" will be deleted.{backlog} Are you sure you want to proceed?'
    return Dialog(question, base, f"{base}/delete", "Delete")


def _told(attempt: Mapping[str, Any]) -> Toast:
    status = attempt.get("status")
    took = f"{attempt.get('durationMs', 0):.0f} ms"
    if status is not None and is_accepted(status):
        return Toast("ok", "Sample sent", f"The destination answered {status} in {took}.")
    why = (
        f"it answered {status}"
        if status
        else f"{attempt.get('cause')}: {attempt.get('detail') or 'no answer'}"
    )
    return Toast("bad", "Sample not accepted", f"After {took}: {why}")
