"""Dead letters, and sending many again: counted first, then a job that shows how far it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from longwire.core.delivery import DEAD_LETTERS
from longwire.web.ui.api_client import Api, Refused
from longwire.web.ui.deliveries_list import connections_of, search
from longwire.web.ui.dialog import Dialog
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
from longwire.web.ui.render import HTML, page, text
from longwire.web.ui.toasts import Toast, find_toast

_DEAD = tuple(each.value for each in DEAD_LETTERS)
_FILTER = ("connection", "devEUI", "outcome", "startTime", "endTime", "delivered")


@dataclass(frozen=True, slots=True)
class DeadLettersPages:
    """What the pages of dead letters and replays work with."""

    caller: Caller

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the handlers."""

        @get("/deadLetters")
        async def list_dead_letters(request: PageRequest) -> Response[str]:
            return await self._list(request)

        @post("/replays", status_code=200)
        async def start_replay(request: PageRequest) -> Response[Any]:
            document = _order(visit_of(request).form)
            try:
                made = await self.caller.api(request).call("POST", "/replays", document)
            except Refused as refused:
                return await self._list(request, Toast("bad", "Not started", str(refused)))
            return go_to(request, f"replays/{made.document['id']}")

        @get("/replays/{number:str}")
        async def show_replay(request: PageRequest, number: str) -> Response[str]:
            replay = (await self.caller.api(request).get(f"/replays/{number}")).document
            return page(frame_of(request), "replay.html", replay=replay, toast=None)

        @get("/replays/{number:str}/progress")
        async def show_progress(request: PageRequest, number: str) -> Response[str]:
            replay = (await self.caller.api(request).get(f"/replays/{number}")).document
            return Response(text(frame_of(request), "parts/progress.html", replay=replay), media_type=HTML)

        @post("/replays/{number:str}/cancel", status_code=200)
        async def cancel_replay(request: PageRequest, number: str) -> Response[None]:
            await self.caller.api(request).call("DELETE", f"/replays/{number}")
            return go_to(request, f"replays/{number}")

        return [list_dead_letters, start_replay, show_replay, show_progress, cancel_replay]

    async def _list(self, request: PageRequest, toast: Toast | None = None) -> Response[str]:
        api, given = self.caller.api(request), {name: request.query_params.get(name, "") for name in _FILTER}
        given |= {name: value for name, value in visit_of(request).form.items() if name in _FILTER}
        answer, problem = await search(
            api,
            "/deliveries",
            page=page_number(request),
            perPage=PER_PAGE,
            connectionId=given["connection"],
            devEUI=given["devEUI"],
            outcome=given["outcome"] or list(_DEAD),
            startTime=given["startTime"],
            endTime=given["endTime"],
        )
        return page(
            frame_of(request),
            "dead_letters.html",
            deliveries=answer.document,
            connections=await connections_of(api, answer.document),
            total=answer.total,
            problem=problem,
            filtered=any(given.values()),
            given=given,
            outcomes=_DEAD,
            pages=pages_around(request, answer),
            dialog=await _dialog(request, api, given)
            if request.query_params.get("replay") == "ask"
            else None,
            toast=toast or find_toast(request.query_params),
        )


def _order(form: Mapping[str, str]) -> dict[str, Any]:
    """Return the body of a POST of a replay, from a form or from the filter in the address."""
    outcome = form.get("outcome")
    if form.get("delivered"):
        return {"filter": _replay_filter(form, ()), "includeDelivered": True}
    return {"filter": _replay_filter(form, (outcome,) if outcome else _DEAD)}


def _replay_filter(form: Mapping[str, str], outcomes: Sequence[str]) -> dict[str, Any]:
    wanted = {
        "connectionId": form.get("connection"),
        "devEUI": form.get("devEUI"),
        "startTime": form.get("startTime"),
        "endTime": form.get("endTime"),
        "outcome": list(outcomes),
    }
    return {name: value for name, value in wanted.items() if value}


async def _dialog(request: PageRequest, api: Api, given: dict[str, str]) -> Dialog:
    """Count what would be sent again, and ask."""
    document = {**_order(given), "dryRun": True}
    count = (await api.call("POST", "/replays", document)).document["count"]
    base = f"{frame_of(request).prefix}/ui"
    question = (
        f"{count:,} messages will be sent again with their ids, behind what waits."
        " Are you sure you want to proceed?"
    )
    fields = [(name, value) for name, value in given.items() if value]
    return Dialog(question, f"{base}/deadLetters", f"{base}/replays", f"Replay {count:,}", fields)
