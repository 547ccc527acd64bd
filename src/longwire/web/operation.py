"""What a route says of itself: its operation in the OpenAPI document, declared beside its handler.

A handler carries `opt=described(OPERATION)`, or `opt=changing(SHAPE)` for PUT and PATCH. The functions here make the
usual operations: `listing`, `creating`, `showing`, `deleting`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from longwire.core.document import Member, Object, Use
from longwire.core.kinds import Kind, ListOf

JSON_TYPE = "application/json"
PATCH_TYPE = "application/merge-patch+json"

_TAG = {"ETag": "The revision, for `If-Match`."}
_LOCATION = {"Location": "The path of the new resource."}
_PAGES = {
    "X-Total": "How many elements there are.",
    "X-Total-Pages": "How many pages.",
    "X-Per-Page": "How many elements a page holds.",
    "X-Page": "The number of this page.",
    "X-Next-Page": "The number of the next page; empty on the last.",
    "X-Prev-Page": "The number of the page before; empty on the first.",
    "Link": "The pages `first`, `prev`, `next` and `last` (RFC 8288).",
}


@dataclass(frozen=True, slots=True)
class Body:
    """What a request sends; `others` are media types in which it may be sent too."""

    kind: Kind
    media_type: str = JSON_TYPE
    use: Use = Use.INPUT
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one path; `id` names it for generated clients.

    `errors` are the statuses beside those every operation has; a 400 comes with a body or a query, a 404 with an id
    in the path. `answer` None: there is no body. `other_answers`: more good ones, by status. `optional_headers` are not
    in every answer. The `tag` is that of its path unless it says another.
    """

    id: str
    summary: str
    tag: str = ""
    description: str = ""
    body: Body | None = None
    query: Mapping[str, Member] = field(default_factory=dict)
    has_if_match: bool = False
    status: int = 200
    answer: Kind | None = None
    answer_type: str = JSON_TYPE
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    optional_headers: Mapping[str, str] = field(default_factory=dict)
    other_answers: Mapping[int, Kind] = field(default_factory=dict)
    errors: tuple[int, ...] = ()
    is_planned: bool = False


def described(operation: Operation | None = None, **by_method: Operation) -> dict[str, Any]:
    """Return the `opt` of a handler: its one operation, or that of each of its methods."""
    return {"operation": operation or by_method}


def listing(
    shape: Object, paging: Mapping[str, Member], query: Mapping[str, Member] | None = None
) -> Operation:
    """Return the operation that lists resources; without paging it lists them all."""
    return Operation(
        id=f"list{_plural(shape)}",
        summary=f"List {_words(_plural(shape))}, newest first",
        query={**(query or {}), **paging},
        answer=ListOf(shape),
        answer_headers=_PAGES if paging else {},
    )


def creating(shape: Object) -> Operation:
    """Return the operation that creates a resource."""
    return Operation(
        id=f"create{shape.name}",
        summary=f"Create {_one(shape)}",
        body=Body(shape),
        status=201,
        answer=shape,
        answer_headers=_LOCATION | _TAG,
        errors=(409,),
    )


def showing(shape: Object) -> Operation:
    """Return the operation that shows one resource."""
    return Operation(id=f"get{shape.name}", summary=f"Show {_one(shape)}", answer=shape, answer_headers=_TAG)


def replacing(shape: Object) -> Operation:
    """Return the operation that replaces a resource: the whole of it is sent again."""
    return Operation(
        id=f"replace{shape.name}",
        summary=f"Replace {_one(shape)}",
        description="The whole resource is sent again; an absent member gets its default.",
        body=Body(shape),
        has_if_match=True,
        answer=shape,
        answer_headers=_TAG,
        errors=(409, 412),
    )


def patching(shape: Object) -> Operation:
    """Return the operation that changes members of a resource."""
    return replace(
        replacing(shape),
        id=f"change{shape.name}",
        summary=f"Change {_one(shape)}",
        description="JSON Merge Patch (RFC 7396): what is absent stays, `null` removes.",
        body=Body(shape, PATCH_TYPE, Use.PATCH),
    )


def changing(shape: Object, query: Mapping[str, Member] | None = None) -> dict[str, Any]:
    """Return the `opt` of a handler for both PUT and PATCH of a resource."""
    put, patch = (replace(each, query=query or {}) for each in (replacing(shape), patching(shape)))
    return described(PUT=put, PATCH=patch)


def deleting(shape: Object, query: Mapping[str, Member] | None = None) -> Operation:
    """Return the operation that deletes a resource."""
    return Operation(
        id=f"delete{shape.name}",
        summary=f"Delete {_one(shape)}",
        query=query or {},
        has_if_match=True,
        status=204,
        errors=(409, 412),
    )


def planned(method: str, path: str) -> Operation:
    """Return the operation of a route that is not built yet."""
    name = "".join(part[:1].upper() + part[1:] for part in path.replace("{", "").replace("}", "").split("/"))
    return Operation(
        id=f"planned{method.capitalize()}{name.replace('.', '')}",
        summary="Not available yet",
        status=501,
        is_planned=True,
    )


def _plural(shape: Object) -> str:
    return f"{shape.name[:-1]}ies" if shape.name.endswith("ry") else f"{shape.name}s"


def _one(shape: Object) -> str:
    words = _words(shape.name)
    return f"an {words}" if words[0] in "aeio" else f"a {words}"


def _words(name: str) -> str:
    """Return `network server` for `NetworkServer`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
