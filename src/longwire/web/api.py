"""What every route of the API shares: bodies, ids, and the routes that are refused by name until they are built."""

import re
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response, route
from litestar.handlers import HTTPRouteHandler
from litestar.types import Method

from longwire.core.document import Member
from longwire.core.errors import NotFound, RouteNotAvailableYet
from longwire.core.kinds import Boolean
from longwire.storage.edit import Edit, merged_with, replaced_by
from longwire.web.body import parse_json_body
from longwire.web.operation import described, planned
from longwire.web.query import read_query

BASE = "/iot-flow/v1"

_LONGEST_ID = 18
_TAG = re.compile(r'"([0-9]{1,18})"')

# Routes of the specification that later versions build, without those that have a handler.
_PLANNED: dict[str, tuple[Method, ...]] = {
    "/drivers": ("GET", "POST"),
    "/drivers/providers": ("GET",),
    "/drivers/manufacturers": ("GET",),
    "/drivers/{_id:str}": ("GET", "PATCH", "DELETE"),
    "/drivers/validate/code": ("POST",),
    "/decode": ("POST",),
    "/decode/batch": ("POST",),
    "/decode/code": ("POST",),
    "/encode": ("POST",),
    "/encode/code": ("POST",),
    "/processor/execute": ("POST",),
}


async def document_of(request: Request[Any, Any, Any]) -> Any:
    """Return the JSON document of a request's body; raises UnsupportedMediaType, InvalidInput or TooLarge."""
    return parse_json_body(request.headers.get("content-type", ""), await request.body())


async def edit_of(request: Request[Any, Any, Any]) -> Edit:
    """Return what the body of a PUT or PATCH does to a stored document; raises as `document_of`."""
    if request.method == "PUT":
        return replaced_by(await document_of(request))
    content_type = request.headers.get("content-type", "")
    return merged_with(parse_json_body(content_type, await request.body(), "application/merge-patch+json"))


def revision_tag(revision: int) -> dict[str, str]:
    """Return the header that names a resource's revision."""
    return {"ETag": f'"{revision}"'}


IF_CHANGED = {
    "ifChanged": Member(
        kind=Boolean(),
        description="True: what would leave everything as it is, does so: no new revision, nothing restarts.",
        default=False,
    )
}


def only_if_changed(request: Request[Any, Any, Any]) -> bool:
    """Return whether a change that changes nothing is not wanted."""
    return read_query(IF_CHANGED, request.query_params).boolean("ifChanged")


def created(
    request: Request[Any, Any, Any], new_id: str, shape: Any, headers: Mapping[str, str] | None = None
) -> Response[Any]:
    """Return 201 with the new resource and where it is."""
    location = f"{request.url.path.rstrip('/')}/{new_id}"
    return Response(shape, status_code=201, headers={"Location": location, **(headers or {})})


def expected_revisions(request: Request[Any, Any, Any]) -> frozenset[int] | None:
    """Return the revisions that `If-Match` names; None without the header, or for `*`: whatever is stored.

    A tag that no revision can have matches none.
    """
    given = request.headers.get("if-match")
    if given is None or given.strip() == "*":
        return None
    tags = (tag.strip() for tag in given.split(","))
    return frozenset(int(match[1]) for tag in tags if (match := _TAG.fullmatch(tag)))


def resource_id(text: str, kind: str) -> int:
    """Return the number in a path; raises NotFound for what cannot be an id."""
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID):
        raise NotFound(f"there is no such {kind}")
    return int(text)


def planned_routes() -> list[HTTPRouteHandler]:
    """Return a handler for every route of the specification that is not built yet: 501, by name."""
    return [_planned(path, methods) for path, methods in _PLANNED.items()]


def _planned(path: str, methods: tuple[Method, ...]) -> HTTPRouteHandler:
    shown = path.replace("{_id:str}", "{id}")

    operations = {method: planned(method, shown) for method in methods}

    @route(
        path,
        http_method=list(methods),
        name=f"planned {path}",
        status_code=501,
        opt=described(**operations),
    )
    async def refuse(request: Request[Any, Any, Any]) -> Response[Any]:
        raise RouteNotAvailableYet(f"{request.method} {shown}")

    return refuse
