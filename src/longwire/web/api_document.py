"""`/openapi.json`: the API described by itself, and what the front answers beside the API's routes."""

from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.handlers import HTTPRouteHandler

from longwire.core.access import Right
from longwire.core.document import Member, Object
from longwire.core.downlink import DOWNLINK
from longwire.core.kinds import Anything, Choice, Text
from longwire.web.identity import PUBLIC
from longwire.web.openapi import Route, build_document, routes_of
from longwire.web.operation import Body, Operation, described

_DOCUMENT = Operation(tag="documentation", id="getOpenApi", summary="This document", answer=Anything())
_HEALTH = Object(
    name="Health",
    members={"status": Member(kind=Choice(("ok", "ready")), description="That it is.", required=True)},
)
_INGEST = Operation(
    tag="networkServers",
    id="acceptUplink",
    summary="Take a message from a network server",
    description="200 once it is durable; 503: send it again. Any path below it is the same door.",
    body=Body(Anything(), others=("application/xml", "text/xml")),
    query={
        "LrnDevEui": Member(kind=Text(), description="The device, as ThingPark's LRC names it."),
        "Time": Member(kind=Text(), description="When the LRC sent it."),
        "Token": Member(kind=Text(), description="The signature, where the network server has an `asKey`."),
    },
    answer=Object(name="Accepted", members={}),
)
_DOWNLINK = Operation(
    tag="downlinks",
    id="sendDownlink",
    summary="Send a downlink to a device",
    description="Each message carries this address as `downlinkURL`; it alone authorizes.",
    body=Body(DOWNLINK),
    answer=Object(
        name="QueuedDownlink",
        members={
            "correlationId": Member(kind=Text(), description="Comes back in reports.", required=True),
            "status": Member(kind=Choice(("QUEUED",)), description="It is durable.", required=True),
        },
    ),
    errors=(403, 404),
)
_HEALTHY = Operation(tag="health", id="getHealth", summary="Whether the process runs", answer=_HEALTH)
_READY = Operation(tag="health", id="getReadiness", summary="Whether messages can be stored", answer=_HEALTH)

_METRICS = Operation(
    tag="health",
    id="getPrometheusMetrics",
    summary="What Prometheus reads",
    description="With `LONGWIRE_METRICS_PUBLIC=true` it needs no key.",
    answer=Text(),
    answer_type="text/plain",
)

FRONT_ROUTES = (
    Route("POST", "/ingest/{id}", _INGEST, None),
    Route("POST", "/iot-flow/downlinkMessages/{uuid}", _DOWNLINK, None),
    Route("GET", "/healthz", _HEALTHY, None),
    Route("GET", "/readyz", _READY, None),
    Route("GET", "/metrics", _METRICS, Right.READ),
)


def document_routes() -> list[HTTPRouteHandler]:
    """Return the routes of the document, which is made once, by `write_document`."""

    @get("/openapi.json", opt=PUBLIC | described(_DOCUMENT))
    async def show_document(request: Request[Any, Any, Any]) -> Response[bytes]:
        return Response(request.app.state["openapi"], media_type="application/json")

    return [show_document]


def write_document(api: Litestar) -> None:
    """Make the document of everything that answers, to be shown from now on."""
    api.state["openapi"] = msgspec.json.encode(build_document([*routes_of(api), *FRONT_ROUTES]))
