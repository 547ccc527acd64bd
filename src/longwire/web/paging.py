"""Lists in pages: `page`, `perPage`, and the headers that lead through them (specification, section 2)."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.datastructures import MultiDict

from longwire.core.document import Member
from longwire.core.kinds import Integer
from longwire.storage.page import Page
from longwire.web.query import read_query

T = TypeVar("T")

PAGING: Mapping[str, Member] = {
    "page": Member(kind=Integer(1, 10**9), description="Which page, from 1.", default=1),
    "perPage": Member(kind=Integer(1, 5000), description="How many elements a page holds.", default=100),
}


def parse_page(query: Mapping[str, str]) -> Page:
    """Return the page asked for; raises InvalidInput."""
    asked = read_query(PAGING, query)
    return Page(asked.integer("page"), asked.integer("perPage"))


def page_response(
    request: Request[Any, Any, Any], page: Page, total: int, shapes: Sequence[Any]
) -> Response[Any]:
    """Return the answer of a list: the shapes of one page, and the headers that lead through the others."""
    return Response(shapes, headers=_page_headers(request.url.path, page, total, request.query_params))


def _page_headers(path: str, page: Page, total: int, query: MultiDict[Any]) -> dict[str, str]:
    """Return the headers of one page of a list at `path`; its links keep the rest of the query."""
    filters = urlencode(
        [(name, value) for name, value in query.multi_items() if name not in {"page", "perPage"}]
    )
    last = max(1, -(-total // page.size))
    neighbours = {"prev": page.number - 1 or None, "next": page.number + 1 if page.number < last else None}
    links = {"first": 1, "last": last, **neighbours}
    return {
        "X-Total": str(total),
        "X-Total-Pages": str(last),
        "X-Per-Page": str(page.size),
        "X-Page": str(page.number),
        "X-Next-Page": str(neighbours["next"] or ""),
        "X-Prev-Page": str(neighbours["prev"] or ""),
        "Link": ", ".join(
            f'<{path}?{filters}{"&" if filters else ""}page={number}&perPage={page.size}>; rel="{rel}"'
            for rel, number in links.items()
            if number
        ),
    }


def page_of(items: Sequence[T], page: Page) -> list[T]:
    """Return the part of a list that the page holds."""
    begin = (page.number - 1) * page.size
    return list(items[begin : begin + page.size])
