"""The list of deliveries and its filters, on every page that has one."""

from collections.abc import Mapping, Sequence
from typing import Any

from longwire.web.ui.api_client import Answer, Api, Refused
from longwire.web.ui.choices import find_connections
from longwire.web.ui.page import PER_PAGE, PageRequest, frame_of, page_number, pages_around

OUTCOMES = (
    ("", "Every outcome"),
    *(
        (name, name)
        for name in ("QUEUED", "DELIVERED", "LOST", "REJECTED", "EXPIRED", "FAILED", "DISCARDED", "FILTERED")
    ),
)
STATUSES = (
    ("", "Every answer"),
    *((name, name) for name in ("2xx", "3xx", "4xx", "5xx")),
    ("none", "No answer"),
)
_WRONG = 400
_FILTERS = ("q", "devEUI", "outcome", "status")


async def list_deliveries(request: PageRequest, api: Api, connection_id: str) -> dict[str, Any]:
    """Return a page of a connection's deliveries as its template wants it, by the filters in the address."""
    given = {name: request.query_params.get(name, "") for name in _FILTERS}
    path = f"/connections/{connection_id}/deliveries"
    answer, problem = await search(api, path, page=page_number(request), perPage=PER_PAGE, **given)
    base = f"{frame_of(request).prefix}/ui/connections/{connection_id}"
    return {
        "deliveries": answer.document,
        "total": answer.total,
        "problem": problem,
        "filtered": any(given.values()),
        "pages": pages_around(request, answer),
        "filters": {"action": base, "outcomes": OUTCOMES, "statuses": STATUSES, **given},
    }


async def connections_of(api: Api, deliveries: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the connections that these deliveries are of, by id; those that are gone are left out."""
    return await find_connections(api, {each["connectionId"] for each in deliveries if each["connectionId"]})


async def search(api: Api, path: str, **query: Any) -> tuple[Answer, str]:
    """Return a page of a list; for a filter that is wrong nothing, and what is wrong with it."""
    try:
        return await api.get(path, **query), ""
    except Refused as refused:
        if refused.status != _WRONG:
            raise
        return Answer(b"[]", {}), str(refused)
