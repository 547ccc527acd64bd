"""`/connectors`: the kinds of destination there are, with the schemas of their configurations (section 3)."""

from dataclasses import dataclass
from typing import Any

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from longwire import __version__
from longwire.core.connector import CONFIGURATION, CONNECTOR_ID
from longwire.core.document import Object, schema_of
from longwire.core.errors import NotFound
from longwire.core.flow import FLOW_CONFIGURATION
from longwire.core.kinds import Anything, Boolean, Kind, Schema, Text
from longwire.web.answers import always
from longwire.web.operation import Operation, described, listing

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _with_schema(name: str) -> Object:
    schema = always(Anything(), "A JSON Schema (draft 2020-12) that the API itself validates by.")
    return Object(name=name, members={"configurationSchema": schema})


CONNECTOR = Object(
    name="Connector",
    members={
        "id": always(Text(), "The `connectorId` of its connections."),
        "producerId": always(Text(), "Who made it."),
        "moduleId": always(Text(), "Its name among what they made."),
        "version": always(Text(), "Its version (Semantic Versioning)."),
        "description": always(Text(), "What it does."),
        "logo": always(Text(), "The address of its picture; it needs no key."),
        "beta": always(Boolean(), "It may still change."),
        "urlDoc": always(Text(), "The address of its documentation."),
        "connection": always(_with_schema("ConnectorConnection"), "Of a connection's `configuration`."),
        "flow": always(_with_schema("ConnectorFlow"), "Of the `configuration` of a flow's connector entry."),
    },
)
_SHOW = Operation(id="getConnector", summary="Show a connector", answer=CONNECTOR)
_LIST = listing(CONNECTOR, paging={})


@dataclass(frozen=True, slots=True)
class ConnectorsApi:
    """What the routes of `/connectors` work with: how others reach this server."""

    base_url: str

    def routes(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""

        @get("/connectors", opt=described(_LIST))
        async def list_connectors() -> Response[Any]:
            return Response([self._http()])

        @get("/connectors/{connector_id:str}", opt=described(_SHOW))
        async def get_connector(connector_id: str) -> Response[Any]:
            if connector_id != CONNECTOR_ID:
                raise NotFound(f"there is no such connector; there is {CONNECTOR_ID}")
            return Response(self._http())

        return [list_connectors, get_connector]

    def _http(self) -> dict[str, Any]:
        api = f"{self.base_url}/iot-flow/v1"
        return {
            "id": CONNECTOR_ID,
            "producerId": "actility",
            "moduleId": "http-iot",
            "version": __version__,
            "description": "Sends messages to an HTTP endpoint, each as a POST of JSON.",
            "logo": f"{api}/http-connector.svg",
            "beta": False,
            "urlDoc": f"{api}/swagger-ui.html",
            "connection": {"configurationSchema": _standing_alone(CONFIGURATION)},
            "flow": {"configurationSchema": _standing_alone(FLOW_CONFIGURATION)},
        }


def _standing_alone(kind: Kind) -> Schema:
    return {"$schema": _DIALECT, **schema_of(kind)}
