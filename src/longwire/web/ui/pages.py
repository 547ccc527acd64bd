"""All pages as one application below `/ui`."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from litestar import Litestar, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler

from longwire.core.errors import LongwireError
from longwire.web.downlink_door import DownlinkDoor
from longwire.web.errors import internal_error, status_of
from longwire.web.identity import Authentication
from longwire.web.ui.api_client import Refused
from longwire.web.ui.page import Caller, PageRequest, frame_of
from longwire.web.ui.pages_connection import ConnectionPages
from longwire.web.ui.pages_connections import ConnectionsPages
from longwire.web.ui.pages_create import CreatePages
from longwire.web.ui.pages_dashboard import DashboardPages
from longwire.web.ui.pages_dead_letters import DeadLettersPages
from longwire.web.ui.pages_delivery import DeliveryPages
from longwire.web.ui.pages_devices import DevicesPages
from longwire.web.ui.pages_events import EventsPages
from longwire.web.ui.pages_keys import KeysPages
from longwire.web.ui.pages_routing import RoutingPages
from longwire.web.ui.pages_sign_in import SignInPages
from longwire.web.ui.problem import problem_text
from longwire.web.ui.render import HTML
from longwire.web.ui.sessions import Sessions
from longwire.web.ui.site import BASE, Site


@dataclass(frozen=True, slots=True)
class Ground:
    """What the pages stand on: the API, the door of downlinks, who may sign in.

    `base_url` is how others reach us; `commits` counts what was written.
    """

    api: Litestar
    downlinks: DownlinkDoor
    authentication: Authentication
    sessions: Sessions
    base_url: str
    commits: Callable[[], int]
    now: Callable[[], datetime]


def make_site(ground: Ground) -> Site:
    """Return the site with all its pages."""
    caller = Caller(ground.api, ground.sessions, ground.commits)
    parts = (
        SignInPages(ground.authentication, ground.sessions),
        DashboardPages(caller),
        ConnectionsPages(caller),
        CreatePages(caller),
        ConnectionPages(caller, ground.downlinks.accept),
        DeliveryPages(caller),
        DevicesPages(caller),
        RoutingPages(caller),
        EventsPages(caller),
        DeadLettersPages(caller),
        KeysPages(caller, ground.base_url),
    )
    pages = _make_pages([route for part in parts for route in part.routes()])
    return Site(pages, ground.sessions, urlsplit(ground.base_url).path, ground.now)


def _make_pages(routes: list[HTTPRouteHandler]) -> Litestar:
    """Return the pages as one application; whatever goes wrong is a page too."""
    return Litestar(
        path=BASE,
        route_handlers=routes,
        openapi_config=None,
        logging_config=None,
        exception_handlers={
            Refused: _on_refused,
            LongwireError: _on_error,
            HTTPException: _on_framework_error,
            Exception: _on_bug,
        },
    )


def _problem(request: PageRequest, status: int, text: str) -> Response[str]:
    return Response(problem_text(frame_of(request), status, text), status_code=status, media_type=HTML)


def _on_refused(request: PageRequest, refused: Refused) -> Response[Any]:
    return _problem(request, refused.status, str(refused))


def _on_error(request: PageRequest, error: LongwireError) -> Response[Any]:
    return _problem(request, status_of(error), str(error))


def _on_framework_error(request: PageRequest, error: HTTPException) -> Response[Any]:
    if error.status_code >= 500:  # noqa: PLR2004
        return _on_bug(request, error)
    return _problem(request, error.status_code, "There is no page at this address.")


def _on_bug(request: PageRequest, _error: Exception) -> Response[Any]:
    return _on_error(request, internal_error(request.scope["state"]["correlation_id"]))
