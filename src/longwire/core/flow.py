"""Flows: which devices' messages go to which connections (specification, section 10)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from longwire.core.errors import InvalidInput, NotAvailableYet
from longwire.core.fields import Fields, Known, without_none
from longwire.core.message import DevEui, parse_dev_eui

_FLOW = Known(
    built=frozenset({"name", "description", "matchers", "connectors", "upOperations"}),
    planned=frozenset({"driver", "skipDecoding"}),
    ignored=frozenset({"id"}),
)
_MATCHER = Known(built=frozenset({"type", "key"}), planned=frozenset({"tags", "model", "application"}))
_CONNECTOR = Known(
    built=frozenset({"id", "connectionId"}), planned=frozenset({"configuration", "uplinkTimeValidity"})
)
_KEY_PREFIX = "lora:"


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
    fields = Fields(body)
    fields.check_names(_FLOW)
    fields.empty_array("upOperations")
    flow = Flow(
        fields.text("name", longest=255),
        fields.text("description"),
        tuple(dict.fromkeys(_dev_euis(fields))),
        tuple(_connections(fields)),
    )
    fields.finish()
    return flow


def _dev_euis(fields: Fields) -> Iterable[DevEui]:
    for path, element in fields.elements("matchers"):
        matcher = Fields(element, path, fields.problems)
        kind = matcher.required_text("type")
        if kind == "thing":
            matcher.note(NotAvailableYet(f"{matcher.at('type')}: thing", field=matcher.at("type")))
            continue
        matcher.check_names(_MATCHER)
        if kind not in {"key", ""}:
            matcher.wrong("type", f"expected key or thing, got {kind[:40]!r}")
        key = matcher.required_text("key")
        try:
            yield _key_dev_eui(key, matcher.at("key"))
        except InvalidInput as problem:
            if key:
                matcher.note(problem)


def _key_dev_eui(key: str, field: str) -> DevEui:
    if not key.startswith(_KEY_PREFIX):
        raise InvalidInput(field, f"expected {_KEY_PREFIX}<DevEUI>, got {key[:40]!r}")
    return parse_dev_eui(key.removeprefix(_KEY_PREFIX), field)


def _connections(fields: Fields) -> Iterable[tuple[str | None, int]]:
    if "connectors" not in fields.members:
        fields.wrong("connectors", "required")
    for path, element in fields.elements("connectors"):
        connector = Fields(element, path, fields.problems)
        connector.check_names(_CONNECTOR)
        connection_id = connector.required_text("connectionId")
        if connection_id.isdecimal() and connection_id.isascii() and len(connection_id) < 19:  # noqa: PLR2004
            yield connector.text("id"), int(connection_id)
        elif connection_id:
            connector.wrong("connectionId", "there is no such connection")


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
