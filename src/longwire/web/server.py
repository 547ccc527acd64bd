"""The front of everything that listens: one bare ASGI app that limits, identifies and routes each request.

Ingest and health are answered here; the API goes on to Litestar with its body already read and bounded.
"""

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute
from litestar.types import Receive, Scope, Send

from longwire.core.access import Author, Right
from longwire.core.errors import (
    LongwireError,
    NotFound,
    StorageUnavailable,
)
from longwire.sources.ingest_request import IngestRequest
from longwire.web.answer import ACCEPTED, Answer, refusal
from longwire.web.api import BASE
from longwire.web.api_document import document_routes, write_document
from longwire.web.api_swagger import swagger_routes
from longwire.web.body import ClientGone, read_body
from longwire.web.downlink_door import DownlinkDoor
from longwire.web.errors import MethodNotAllowed, error_body, error_headers, internal_error, status_of
from longwire.web.identity import Authentication, check_right, require_right, right_needed
from longwire.web.ingest import Ingest
from longwire.web.metrics_page import CONTENT_TYPE, MetricsPage
from longwire.web.shapes import hide_downlink_addresses
from longwire.web.ui.site import Site

_INGEST = re.compile(r"/ingest/([^/]+)(/.*)?")
_DOWNLINKS = "/iot-flow/downlinkMessages/"


@dataclass(frozen=True, slots=True)
class Front:
    """The ASGI application; `is_ready` says whether the store can take messages now.

    `downlinks_need_key`: besides the address.
    """

    ingest: Ingest
    downlinks: DownlinkDoor
    authentication: Authentication
    api: Litestar
    site: Site
    public_paths: frozenset[str]
    metrics_page: MetricsPage
    is_ready: Callable[[], Awaitable[bool]]
    now: Callable[[], datetime]
    downlinks_need_key: bool = False
    # Counting is enough for an id that only has to be unique, and asks the system for nothing.
    start_id: str = field(default_factory=lambda: secrets.token_hex(4))
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it is, in the API's shape."""
        correlation_id = self.next_correlation_id()
        scope["state"] = {"correlation_id": correlation_id}
        try:
            answer = await self._answer(scope, receive, _with_correlation(send, correlation_id))
        except ClientGone:
            return
        except Exception as error:  # noqa: BLE001 - the HTTP door: a bug becomes a 500 with a correlation id
            answer = refusal(error, correlation_id)
        if answer is not None:
            await _send_answer(_with_correlation(send, correlation_id), answer)

    def next_correlation_id(self) -> str:
        """Return an id for a request, unique among all starts."""
        return f"{self.start_id}{next(self.numbers):08x}"

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> Answer | None:
        """Return the answer, or None when Litestar has given it."""
        path: str = scope["path"]
        if match := _INGEST.fullmatch(path):
            return await self._accept(match[1], scope, receive)
        if path in {"/healthz", "/readyz", "/metrics"}:
            return await (self._show_metrics(scope) if path == "/metrics" else self._health(path))
        if path.startswith(_DOWNLINKS):
            return await self._accept_downlink(path.removeprefix(_DOWNLINKS), scope, receive)
        if path in {"/", "/ui"}:
            return Answer(302, b"", ((b"location", f"{self.site.prefix}/ui/".encode()),))
        if path.startswith(("/ui/", f"{BASE}/")):
            await (self.site if path.startswith("/ui/") else self._call_api)(scope, receive, send)
            return None
        return await self._answer_without_prefix(scope, receive, send)

    async def _answer_without_prefix(self, scope: Any, receive: Receive, send: Send) -> Answer | None:
        """Answer what a proxy passed on with the path it adds; raises NotFound for anything else."""
        path: str = scope["path"]
        if not (self.site.prefix and path.startswith(f"{self.site.prefix}/")):
            raise NotFound("there is nothing at this path")
        path = path.removeprefix(self.site.prefix)
        return await self._answer({**scope, "path": path, "raw_path": path.encode()}, receive, send)

    async def _accept(self, network_server_id: str, scope: Any, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['method']} is not possible here; POST uplinks")
        headers = dict(scope["headers"])
        request = IngestRequest(
            network_server_id,
            scope["query_string"].decode("latin-1"),
            headers.get(b"content-type", b"").decode("latin-1"),
            await read_body(headers, receive),
            self.now(),
        )
        await self.ingest.accept(request)
        return ACCEPTED

    async def _accept_downlink(self, downlink_uuid: str, scope: Any, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['method']} is not possible here; POST downlinks")
        if self.downlinks_need_key:
            check_right(self.authentication.identify(scope), Right.SEND_DOWNLINKS)
        headers = dict(scope["headers"])
        content_type = headers.get(b"content-type", b"").decode("latin-1")
        body = await read_body(headers, receive)
        return Answer(200, await self.downlinks.accept(downlink_uuid, content_type, body))

    async def _health(self, path: str) -> Answer:
        if path == "/readyz" and not await self.is_ready():
            raise StorageUnavailable("not ready: the store cannot take messages now")
        return Answer(200, msgspec.json.encode({"status": "ok" if path == "/healthz" else "ready"}))

    async def _show_metrics(self, scope: Any) -> Answer:
        if scope["method"] != "GET":
            raise MethodNotAllowed(f"{scope['method']} is not possible here; GET is")
        if not self.metrics_page.is_public:
            self.authentication.identify(scope)  # every role may read
        return Answer(200, await self.metrics_page.render(), ((b"content-type", CONTENT_TYPE),))

    async def _call_api(self, scope: Any, receive: Receive, send: Send) -> None:
        is_public = scope["path"] in self.public_paths
        identity = None if is_public else self.authentication.identify(scope)
        scope["state"]["identity"] = identity
        if identity is not None:
            scope["state"]["author"] = Author(identity, self.now())
            if not identity.may(Right.SEND_DOWNLINKS):
                send = _without_downlink_addresses(send)
        body = await read_body(dict(scope["headers"]), receive)
        await self.api(scope, _replay(body, receive), send)


def make_api(routes: list[HTTPRouteHandler]) -> Litestar:
    """Return the API with its routes below `/iot-flow/v1`, roles enforced, every error in its shape."""
    api = Litestar(
        path=BASE,
        route_handlers=[*routes, *document_routes(), *swagger_routes()],
        guards=[require_right],
        openapi_config=None,
        logging_config=None,
        exception_handlers={LongwireError: _on_error, HTTPException: _on_framework_error, Exception: _on_bug},
    )
    write_document(api)
    return api


def public_paths(api: Litestar) -> frozenset[str]:
    """Return the paths of the API that need no key, as their routes say."""
    return frozenset(
        route.path
        for route in api.routes
        if isinstance(route, HTTPRoute)
        and any(right_needed(handler.opt, "POST") is None for handler in route.route_handlers)
    )


def _on_error(request: Request[Any, Any, Any], error: LongwireError) -> Response[bytes]:
    headers = {name.decode(): value.decode() for name, value in error_headers(error)}
    return Response(
        error_body(error, request.scope["state"]["correlation_id"]),
        status_code=status_of(error),
        headers=headers,
        media_type="application/json",
    )


def _on_framework_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Put into our shape what Litestar refuses before a handler is called."""
    match error.status_code:
        case 404:
            return _on_error(request, NotFound("there is nothing at this path"))
        case 405:
            allow = (error.headers or {}).get("Allow", "another method")
            return _on_error(request, MethodNotAllowed(f"{request.method} is not possible here; {allow} is"))
        case _:
            return _on_bug(request, error)


def _on_bug(request: Request[Any, Any, Any], _error: Exception) -> Response[bytes]:
    return _on_error(request, internal_error(request.scope["state"]["correlation_id"]))


def _with_correlation(send: Send, correlation_id: str) -> Send:
    async def send_with_id(event: Any) -> None:
        if event["type"] == "http.response.start":
            event["headers"] = [*event["headers"], (b"x-correlation-id", correlation_id.encode())]
        await send(event)

    return send_with_id


def _without_downlink_addresses(send: Any) -> Send:
    """Return a `send` for who may not send downlinks: whatever is shown, the addresses in it are masked."""
    held: list[Any] = []

    async def send_masked(event: Any) -> None:
        if event["type"] == "http.response.start":
            held.append(event)
            return
        body = hide_downlink_addresses(event.get("body", b""))
        if held:
            start = held.pop()
            whole = [(name, value) for name, value in start["headers"] if name != b"content-length"]
            if not event.get("more_body", False):
                whole.append((b"content-length", b"%d" % len(body)))
            await send({**start, "headers": whole})
        await send({**event, "body": body})

    return send_masked


async def _send_answer(send: Any, answer: Answer) -> None:
    length = (b"content-length", b"%d" % len(answer.body))
    headers = [*answer.headers, length]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body once more, then what really comes (the end of the connection)."""
    pending = [body]

    async def receive_again() -> Any:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return receive_again
