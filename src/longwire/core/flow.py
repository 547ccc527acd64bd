"""Flows: which devices' messages go to which connections (specification, section 10)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longwire.core.document import Document, Member, Object, read_body
from longwire.core.fields import without_none
from longwire.core.kinds import DEV_EUI, Choice, EmptyList, ListOf, Text
from longwire.core.message import DevEui, parse_dev_eui

_KEY_PREFIX = "lora:"
_MATCHER = Object(
    name="Matcher",
    members={
        "type": Member(
            kind=Choice(("key",), planned=("thing",)), description="What it matches by.", required=True
        ),
        "key": Member(
            kind=Text(
                pattern=f"{_KEY_PREFIX}{DEV_EUI.pattern}",
                says=f"expected {_KEY_PREFIX}<DevEUI>, of 16 hexadecimal digits",
            ),
            description="`lora:<DevEUI>`.",
            required=True,
        ),
    },
    planned=frozenset({"tags", "model", "application"}),
)
FLOW_CONFIGURATION = Object(name="FlowConfiguration", members={})
"""What the connector lets a flow configure of its own: nothing."""
_CONNECTOR = Object(
    name="FlowConnector",
    members={
        "id": Member(kind=Text(), description="The caller's own id of this entry."),
        "connectionId": Member(
            kind=Text(pattern="[0-9]{1,18}", says="there is no such connection"),
            description="The connection the messages go to.",
            required=True,
        ),
    },
    planned=frozenset({"configuration", "uplinkTimeValidity"}),
)
FLOW = Object(
    name="Flow",
    members={
        "id": Member(kind=Text(), description="The id.", read_only=True, required=True),
        "name": Member(kind=Text(longest=255), description="The name, for people."),
        "description": Member(kind=Text(), description="A text for people."),
        "matchers": Member(
            kind=ListOf(_MATCHER),
            description="Which devices, any of them; none: every device that no other flow matches.",
            default=[],
        ),
        "connectors": Member(
            kind=ListOf(_CONNECTOR), description="The connections their messages go to.", required=True
        ),
        "upOperations": Member(kind=EmptyList(), description="Not built yet: must be empty.", default=[]),
    },
    planned=frozenset({"driver", "skipDecoding"}),
)


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow: the devices it names (none: every device that no other flow matches), and its connections."""

    name: str | None
    description: str | None
    dev_euis: tuple[DevEui, ...]
    connections: tuple[tuple[str | None, int], ...]

    @property
    def connection_ids(self) -> tuple[int, ...]:
        """Return the ids of the connections, in the order written."""
        return tuple(connection_id for _, connection_id in self.connections)

    @property
    def definition(self) -> frozenset[DevEui]:
        """Return what makes two flows the same to the router."""
        return frozenset(self.dev_euis)


@dataclass(frozen=True, slots=True)
class Routes:
    """Where messages go: by device, and for every device that no flow names."""

    by_device: Mapping[str, tuple[int, ...]]
    catch_all: tuple[int, ...]


def parse_flow(body: Any) -> Flow:
    """Return the flow of a POST body; raises InvalidDocument."""
    document = read_body(FLOW, body)
    flow = Flow(
        document.text("name"),
        document.text("description"),
        tuple(dict.fromkeys(_dev_euis(document))),
        tuple(
            (connector.text("id"), int(connector.required_text("connectionId") or 0))
            for connector in document.elements("connectors")
        ),
    )
    document.finish()
    return flow


def _dev_euis(document: Document) -> Iterable[DevEui]:
    for matcher in document.elements("matchers"):
        if key := matcher.required_text("key"):
            yield parse_dev_eui(key.removeprefix(_KEY_PREFIX), matcher.at("key"))


def to_document(flow: Flow) -> dict[str, Any]:
    """Return the flow as JSON: what parse_flow reads back."""
    document = {
        "name": flow.name,
        "description": flow.description,
        "matchers": [{"type": "key", "key": f"{_KEY_PREFIX}{dev_eui}"} for dev_eui in flow.dev_euis],
        "connectors": [
            without_none({"id": own_id, "connectionId": str(connection_id)})
            for own_id, connection_id in flow.connections
        ],
        "upOperations": [],
    }
    return without_none(document)


def make_routes(flows: Iterable[Flow]) -> Routes:
    """Return the routes of all flows together; a connection stands once, in the order of the flows."""
    by_device: dict[str, tuple[int, ...]] = {}
    catch_all: tuple[int, ...] = ()
    for flow in flows:
        if not flow.dev_euis:
            catch_all += flow.connection_ids
        for dev_eui in flow.dev_euis:
            by_device[dev_eui] = by_device.get(dev_eui, ()) + flow.connection_ids
    unique = {dev_eui: tuple(dict.fromkeys(ids)) for dev_eui, ids in by_device.items()}
    return Routes(unique, tuple(dict.fromkeys(catch_all)))


def route(routes: Routes, dev_eui: DevEui | None) -> tuple[int, ...]:
    """Return the ids of the connections a message goes to; without a DevEUI (BS_alarm) only catch-alls count."""
    if dev_eui is None:
        return routes.catch_all
    return routes.by_device.get(dev_eui, routes.catch_all)
