"""`/connections/preview` and `/connections/{id}/test`: what a connection sends, before it matters (section 14)."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler

from longwire.core import json_text
from longwire.core.access import Author, Right
from longwire.core.configuration import Connection, parse_connection
from longwire.core.connector import CONNECTION
from longwire.core.delivery import Outcome
from longwire.core.document import Member, Object, read_body
from longwire.core.errors import InvalidInput
from longwire.core.kinds import ID, Anything, ListOf, MapOf, Text
from longwire.core.message import Message
from longwire.core.network_server import NetworkServer
from longwire.core.request import CannotRender, Prepared, Sending, Target, build_request
from longwire.core.sample import sample_message
from longwire.sources import thingpark
from longwire.sources.ingest_request import IngestRequest
from longwire.storage.configurations import Configurations
from longwire.web.answers import ATTEMPT, always
from longwire.web.api import document_of, resource_id
from longwire.web.api_deliveries import DeliveriesApi
from longwire.web.identity import author_of, needs
from longwire.web.operation import Body, Operation, described
from longwire.web.shapes import sent_shape

_NETWORK_SERVER = "test"
_LONG_TEXT = Text(longest=1024 * 1024)
_MESSAGE = Member(
    kind=Anything(),
    description="One root object, as a network server sends it; without it a sample that is marked TEST.",
)
_PREVIEW_ORDER = Object(
    name="PreviewOrder",
    members={
        "connection": Member(
            kind=CONNECTION,
            description="A connection as it would be created; with `connectionId` too, `*****` keeps its secrets.",
        ),
        "connectionId": Member(
            kind=ID,
            description="A connection that exists.",
        ),
        "message": _MESSAGE,
    },
)
_TEST_ORDER = Object(name="TestOrder", members={"message": _MESSAGE})
PREVIEW = Object(
    name="Preview",
    members={
        "method": always(Text(), "The HTTP method."),
        "url": always(_LONG_TEXT, "The address, patterns filled in."),
        "headers": always(MapOf(Text(), _LONG_TEXT, 1000), "The headers, secrets masked."),
        "body": always(_LONG_TEXT, "The body."),
        "warnings": always(ListOf(_LONG_TEXT), "What would be missing in it."),
    },
)
_PREVIEW = Operation(
    id="previewConnection",
    summary="Show what would be sent, and send nothing",
    body=Body(_PREVIEW_ORDER),
    answer=PREVIEW,
    errors=(404,),
)
# It sends and stores nothing, and shows nothing that a GET does not.
_PREVIEWING = needs(Right.READ) | described(_PREVIEW)
_TEST = Operation(
    id="testConnection",
    summary="Send a test message now",
    description=(
        "Past the queue, the state and the metrics; the request carries `Longwire-Test: true`. The answer is the "
        "attempt, whatever came back."
    ),
    body=Body(_TEST_ORDER),
    answer=ATTEMPT,
)


@dataclass(frozen=True, slots=True)
class TrialsApi:
    """What the routes of previews and tests work with.

    `check_destination` raises InvalidInput for a destination that may not be dialled, as creating it would;
    `send` sends a message to a connection and returns the id of its delivery, recorded.
    """

    configurations: Configurations
    log: DeliveriesApi
    check_destination: Callable[[Connection], Awaitable[None]]
    send: Callable[[int, Message, Author], Awaitable[int]]
    base_url: str
    now: Callable[[], datetime]

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @post("/connections/preview", status_code=200, opt=_PREVIEWING)
        async def preview_connection(request: Request[Any, Any, Any]) -> Response[Any]:
            document = await document_of(request)
            read_body(_named_only(_PREVIEW_ORDER), document).finish()
            connection, url = await self._connection_in(document)
            if "connection" in document:
                await self.check_destination(connection)
            message = self._message_in(await request.body())
            return Response(_shape(self._render(connection, url, message)))

        @post("/connections/{connection_id:str}/test", status_code=200, opt=described(_TEST))
        async def test_connection(request: Request[Any, Any, Any], connection_id: str) -> Response[Any]:
            number = resource_id(connection_id, "connection")
            body = await request.body()
            if body:
                read_body(_TEST_ORDER, await document_of(request)).finish()
            message = self._message_in(body or b"{}")
            stored = await self.configurations.load(number)
            # What cannot be sent is refused before it stands in the log.
            self._render(stored.connection, "", message)
            delivery_id = await self.send(number, message, author_of(request))
            details = await self.log.details(delivery_id)
            return Response(details["attempts"][-1])

        return [preview_connection, test_connection]

    async def _connection_in(self, document: dict[str, Any]) -> tuple[Connection, str]:
        """Return the connection to preview, and its downlink address; raises InvalidInput or NotFound."""
        url = f"{self.base_url}/iot-flow/downlinkMessages/"
        stored = None
        if "connectionId" in document:
            stored = await self.configurations.load(resource_id(document["connectionId"], "connection"))
            url += stored.downlink_uuid
        if "connection" in document:
            before = None if stored is None else stored.connection
            return parse_connection(document["connection"], before), url
        if stored is None:
            raise InvalidInput("connection", "required, or connectionId")
        return stored.connection, url

    def _message_in(self, body: bytes) -> Message:
        """Return the message of a body; raises InvalidInput naming what is wrong with it."""
        given = (json_text.object_members(body.lstrip()) or {}).get("message")
        now = self.now()
        text = sample_message(now) if given is None else bytes(given)
        request = IngestRequest(_NETWORK_SERVER, "", "application/json", text, now)
        try:
            return thingpark.parse(request, NetworkServer(_NETWORK_SERVER))
        except InvalidInput as problem:
            words = str(problem).removeprefix(f"{problem.field}: ")
            field = "message" if problem.field == "body" else f"message.{problem.field}"
            raise InvalidInput(field, words) from problem

    def _render(self, connection: Connection, url: str, message: Message) -> Prepared:
        """Return the request; raises InvalidInput for a message that the connection cannot, or does not, send."""
        sending = Sending("msg_preview", 1, self.now())
        prepared = build_request(Target(connection.configuration, url), message.body, sending)
        if isinstance(prepared, CannotRender):
            verb = "left out" if prepared.outcome is Outcome.FILTERED else "cannot be rendered"
            raise InvalidInput("message", f"{verb}: {prepared.reason}")
        return prepared


def _named_only(declared: Object) -> Object:
    """Return the declaration without what is inside the connection: that is judged by what is stored."""
    return Object(
        name=declared.name,
        members={**declared.members, "connection": Member(kind=Anything(), description="")},
    )


def _shape(prepared: Prepared) -> dict[str, Any]:
    request = prepared.request
    sent = sent_shape(request)
    return {
        "method": request.method,
        "url": sent["url"],
        "headers": sent["requestHeaders"],
        "body": request.body.decode(errors="replace"),
        "warnings": [f"{each} finds nothing in this message and becomes empty" for each in prepared.empty],
    }
