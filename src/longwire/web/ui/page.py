"""What every page's handlers share: the visit, the API in this person's name, redirects, pages of a list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from litestar import Litestar, Request, Response

from longwire.core.access import Author
from longwire.core.errors import Unauthorized
from longwire.web.ui.api_client import Answer, Api
from longwire.web.ui.render import Frame
from longwire.web.ui.sessions import Sessions
from longwire.web.ui.site import Visit

PER_PAGE = 25

PageRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Gives the API as whoever asks for a page; `commits` counts what was written: while it stays, nothing is new."""

    app: Litestar
    sessions: Sessions
    commits: Callable[[], int]

    def is_signed_in(self, request: PageRequest) -> bool:
        """Return whether the session of a request is still valid: for what goes on longer than a request."""
        return self.sessions.is_open(request.headers.get("cookie", ""))

    def api(self, request: PageRequest) -> Api:
        """Return the API in the name of the person who is signed in; raises Unauthorized when nobody is."""
        visit = visit_of(request)
        if visit.session is None:
            raise Unauthorized("sign in first")
        author = Author(visit.session.identity, visit.frame.now)
        return Api(self.app, author, request.scope["state"]["correlation_id"])


def visit_of(request: PageRequest) -> Visit:
    """Return who asks, and the form that was sent."""
    visit: Visit = request.scope["state"]["visit"]
    return visit


def frame_of(request: PageRequest) -> Frame:
    """Return what is around the page."""
    return visit_of(request).frame


def go_to(request: PageRequest, path: str, **query: str) -> Response[None]:
    """Return the redirect that follows a form, to a path below `/ui/`."""
    target = f"{frame_of(request).prefix}/ui/{path}"
    location = f"{target}?{urlencode(query)}" if query else target
    return Response(None, status_code=303, headers={"Location": location})


def period_of(request: PageRequest) -> str:
    """Return which period is asked for: `1h` or `24h`."""
    return "24h" if request.query_params.get("period") == "24h" else "1h"


def page_number(request: PageRequest) -> int:
    """Return which page of a list is asked for; the first for anything that is no number."""
    text = request.query_params.get("page", "1")
    return max(int(text), 1) if text.isascii() and text.isdecimal() and len(text) < 8 else 1  # noqa: PLR2004


def pages_around(request: PageRequest, answer: Answer) -> Mapping[str, str | None]:
    """Return the addresses of the pages of a list before and after this one, the filters kept."""
    number = page_number(request)
    return {
        "previous": _page_address(request, number - 1) if number > 1 else None,
        "next": _page_address(request, number + 1) if number * PER_PAGE < answer.total else None,
    }


def _page_address(request: PageRequest, number: int) -> str:
    query = {name: value for name, value in request.query_params.items() if name not in {"page", "toast"}}
    return f"?{urlencode({**query, 'page': number})}"
