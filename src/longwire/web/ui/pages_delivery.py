"""One delivery: what was received, every attempt with what was sent and answered, and sending it again."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.fields import MASK
from longwire.core.request import CannotRender, sent_form
from longwire.web.ui.api_client import Api, Refused
from longwire.web.ui.dialog import Dialog
from longwire.web.ui.page import Caller, PageRequest, frame_of, go_to
from longwire.web.ui.render import name_of, page, pretty_json
from longwire.web.ui.toasts import Toast, find_toast

_OURS = frozenset(
    {"content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature", "longwire-attempt"}
)


@dataclass(frozen=True, slots=True)
class DeliveryPages:
    """What the pages of one delivery work with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/deliveries/{number:str}")
        async def show(request: PageRequest, number: str) -> Response[str]:
            return await self._show(request, number)

        @post("/deliveries/{number:str}/replay", status_code=200)
        async def replay(request: PageRequest, number: str) -> Response[Any]:
            try:
                await self.caller.api(request).call("POST", f"/deliveries/{number}/replay")
            except Refused as refused:
                return await self._show(request, number, Toast("bad", "Not sent again", str(refused)))
            return go_to(request, f"deliveries/{number}", toast="replayed")

        return [show, replay]

    async def _show(self, request: PageRequest, number: str, toast: Toast | None = None) -> Response[str]:
        api = self.caller.api(request)
        members = (await api.get(f"/deliveries/{number}")).members
        message = bytes(members.pop("message"))
        delivery = {name: msgspec.json.decode(value) for name, value in members.items()}
        connection = await _connection_of(api, delivery["connectionId"])
        attempt = _chosen(delivery["attempts"], request.query_params.get("attempt"))
        sent = _sent_body(message, attempt, connection)
        return page(
            frame_of(request),
            "delivery.html",
            delivery=delivery,
            connection_name=name_of(connection),
            attempt=attempt,
            request_headers=_headers(attempt, connection),
            sent_body=pretty_json(sent),
            message=pretty_json(message.decode()),
            curl=_curl(attempt, sent),
            dialog=_dialog(request, delivery) if request.query_params.get("replay") == "ask" else None,
            toast=toast or find_toast(request.query_params),
        )


async def _connection_of(api: Api, number: str | None) -> Mapping[str, Any]:
    """Return the connection of a delivery as it is now; no more than its id for one that is gone."""
    gone = {"id": number}
    if number is None:
        return gone
    try:
        found: Mapping[str, Any] = (await api.get(f"/connections/{number}")).document
    except Refused:
        return gone
    return found


def _chosen(attempts: list[dict[str, Any]], number: str | None) -> dict[str, Any] | None:
    """Return the attempt that is asked for, or the last."""
    asked = [each for each in attempts if str(each["number"]) == number]
    return (asked or attempts)[-1] if attempts else None


def _headers(attempt: Mapping[str, Any] | None, connection: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the headers that were sent, each with its pattern or who set it."""
    if attempt is None or not attempt["requestHeaders"]:
        return []
    configured = connection.get("configuration", {}).get("headers", {})
    patterns = {name.lower(): value for name, value in configured.items()}
    found = []
    for name, value in attempt["requestHeaders"].items():
        pattern = patterns.get(name.lower(), "")
        origin = (
            "secret" if value == MASK else "set by Longwire" if name.lower() in _OURS else "as configured"
        )
        shown = "" if value in {MASK, pattern} else pattern
        found.append({"name": name, "value": value, "pattern": shown, "origin": origin})
    return found


def _sent_body(message: bytes, attempt: Mapping[str, Any] | None, connection: Mapping[str, Any]) -> str:
    """Return the body that was sent where it was kept, else the message as the connection sends it now."""
    if attempt is not None and attempt.get("requestBody"):
        return str(attempt["requestBody"])
    configuration = connection.get("configuration", {})
    sent = sent_form(
        message,
        connection.get("downlinkUrl") if configuration.get("downlinkEnabled", True) else None,
        send_metadata=configuration.get("sendMetadata", False),
        send_raw_decoded_format=configuration.get("sendRawDecodedFormat", False),
    )
    return (message if isinstance(sent, CannotRender) else sent).decode()


def _curl(attempt: Mapping[str, Any] | None, body: str) -> str:
    """Return a command that sends the same, secrets as variables of the shell."""
    if attempt is None or not attempt["url"]:
        return ""
    lines = [f"curl -X POST {shlex.quote(attempt['url'])}"]
    for name, value in attempt["requestHeaders"].items():
        if value == MASK:
            variable = "".join(each if each.isalnum() else "_" for each in name.upper())
            lines.append(f'-H "{name}: ${variable}"')
        else:
            lines.append(f"-H {shlex.quote(f'{name}: {value}')}")
    lines.append(f"--data-binary {shlex.quote(body)}")
    return " \\\n  ".join(lines)


def _dialog(request: PageRequest, delivery: Mapping[str, Any]) -> Dialog:
    base = f"{frame_of(request).prefix}/ui/deliveries/{delivery['id']}"
    number = delivery["attemptCount"] + 1
    question = f"The message is sent again with the same id, Longwire-Attempt: {number}, behind what waits."
    if delivery["outcome"] == "DELIVERED":
        question += " It was delivered already: the destination gets it a second time, with the same id."
    return Dialog(question, base, f"{base}/replay", "Replay")
