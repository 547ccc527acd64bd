"""Flows: which devices' messages go to which connections (specification, section 10)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from longwire.core.document import Document, Member, Object, OneOf, read_body
from longwire.core.fields import without_none
from longwire.core.kinds import DEV_EUI, ID, Boolean, Choice, EmptyList, ListOf, Text
from longwire.core.message import DevEui, parse_dev_eui
from longwire.core.sighting import LONGEST_WORD, MAX_TAGS, DriverRef, fold_tags
from longwire.core.validity import VALIDITY, Validity, parse_validity

_KEY_PREFIX = "lora:"
_WORD = Text(shortest=1, longest=LONGEST_WORD)
_DRIVER_REF = Object(
    name="DriverReference",
    members={
        "producerId": Member(kind=_WORD, description="The producer; absent: any."),
        "moduleId": Member(kind=_WORD, description="The module; absent: any."),
        "version": Member(kind=_WORD, description="The version; absent: any."),
    },
)
_KEY_MATCHER = Object(
    name="KeyMatcher",
    members={
        "type": Member(kind=Choice(("key",)), description="It names one device.", required=True),
        "key": Member(
            kind=Text(
                pattern=f"{_KEY_PREFIX}{DEV_EUI.pattern}",
                says=f"expected {_KEY_PREFIX}<DevEUI>, of 16 hexadecimal digits",
            ),
            description="`lora:<DevEUI>`.",
            required=True,
        ),
    },
)
_THING_MATCHER = Object(
    name="ThingMatcher",
    members={
        "type": Member(
            kind=Choice(("thing",)),
            description="It matches by what devices are; it needs one of the others.",
            required=True,
        ),
        "tags": Member(kind=ListOf(_WORD, MAX_TAGS), description="The device has all of them, in any case."),
        "model": Member(kind=_DRIVER_REF, description="`DriverCfg.mod` is this."),
        "application": Member(kind=_DRIVER_REF, description="`DriverCfg.app` is this."),
    },
)
_MATCHER = OneOf(tag="type", options={"key": _KEY_MATCHER, "thing": _THING_MATCHER})
FLOW_CONFIGURATION = Object(name="FlowConfiguration", members={})
"""What the connector lets a flow configure of its own: nothing."""
_CONNECTOR = Object(
    name="FlowConnector",
    members={
        "id": Member(kind=Text(), description="The caller's own id of this entry."),
        "connectionId": Member(
            kind=ID,
            description="The connection the messages go to.",
            required=True,
        ),
        "configuration": Member(
            kind=FLOW_CONFIGURATION,
            description="What the connector lets a flow configure of its own: nothing.",
        ),
        "uplinkTimeValidity": Member(
            kind=VALIDITY,
            description="The age at which a message expires, if it is shorter than the connection's.",
        ),
    },
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
        "skipDecoding": Member(kind=Boolean(), description="True: payloads are not decoded.", default=False),
        "upOperations": Member(kind=EmptyList(), description="Not built yet: must be empty.", default=[]),
    },
    planned=frozenset({"driver"}),
)


@dataclass(frozen=True, slots=True)
class KeyMatcher:
    """Matches one device."""

    dev_eui: DevEui


@dataclass(frozen=True, slots=True)
class ThingMatcher:
    """Matches devices that have all the tags, and drivers of which every part that is not empty is the same."""

    tags: tuple[str, ...] = ()
    model: DriverRef = DriverRef()  # noqa: RUF009 - a frozen value
    application: DriverRef = DriverRef()  # noqa: RUF009 - same


@dataclass(frozen=True, slots=True)
class FlowConnector:
    """A connection the messages go to; `id` is the caller's, `is_configured` says that `configuration` was given."""

    connection_id: int
    id: str | None = None
    validity: Validity | None = None
    is_configured: bool = False


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow: which devices it matches (no matchers: every one that no other flow matches), and where they lead."""

    name: str | None
    description: str | None
    matchers: tuple[KeyMatcher | ThingMatcher, ...]
    connectors: tuple[FlowConnector, ...]
    skip_decoding: bool = False

    @property
    def connection_ids(self) -> tuple[int, ...]:
        """Return the ids of the connections, in the order written."""
        return tuple(each.connection_id for each in self.connectors)

    @property
    def definition(self) -> str:
        """Return what makes two flows the same to the router: equal texts for equal sets of matchers."""
        return ",".join(sorted({_definition(each) for each in self.matchers}))

    def without(self, connection_id: int) -> "Flow":
        """Return the flow without a connection."""
        kept = tuple(each for each in self.connectors if each.connection_id != connection_id)
        return replace(self, connectors=kept)


def _definition(matcher: KeyMatcher | ThingMatcher) -> str:
    if isinstance(matcher, KeyMatcher):
        return matcher.dev_eui
    return json.dumps([sorted(fold_tags(matcher.tags)), matcher.model, matcher.application])


def parse_flow(body: Any) -> Flow:
    """Return the flow of a POST or PUT body; raises InvalidDocument."""
    document = read_body(FLOW, body)
    flow = Flow(
        name=document.text("name"),
        description=document.text("description"),
        matchers=tuple(dict.fromkeys(_matchers(document))),
        connectors=tuple(_connector(each) for each in document.elements("connectors")),
        skip_decoding=document.boolean("skipDecoding"),
    )
    document.finish()
    return flow


def _matchers(document: Document) -> Iterable[KeyMatcher | ThingMatcher]:
    for matcher in document.elements("matchers"):
        if matcher.declared is _KEY_MATCHER:
            if key := matcher.text("key"):
                yield KeyMatcher(parse_dev_eui(key.removeprefix(_KEY_PREFIX), matcher.at("key")))
            continue
        if not any(matcher.written.get(name) for name in ("tags", "model", "application")):
            matcher.wrong("", "needs tags, model or application; a flow for every device has no matchers")
        tags = tuple(dict.fromkeys(matcher.elements("tags")))
        yield ThingMatcher(tags, _driver_ref(matcher, "model"), _driver_ref(matcher, "application"))


def _driver_ref(matcher: Document, name: str) -> DriverRef:
    inner = matcher.inner(name)
    parts = (inner.text(part) or "" for part in ("producerId", "moduleId", "version"))
    return DriverRef(*parts)


def _connector(entry: Document) -> FlowConnector:
    return FlowConnector(
        int(entry.required_text("connectionId") or 0),
        entry.text("id"),
        parse_validity(entry),
        "configuration" in entry.written,
    )


def to_document(flow: Flow) -> dict[str, Any]:
    """Return the flow as JSON: what parse_flow reads back."""
    document = {
        "name": flow.name,
        "description": flow.description,
        "matchers": [_matcher_document(each) for each in flow.matchers],
        "connectors": [_connector_document(each) for each in flow.connectors],
        "skipDecoding": flow.skip_decoding,
        "upOperations": [],
    }
    return without_none(document)


def _matcher_document(matcher: KeyMatcher | ThingMatcher) -> dict[str, Any]:
    if isinstance(matcher, KeyMatcher):
        return {"type": "key", "key": f"{_KEY_PREFIX}{matcher.dev_eui}"}
    return without_none(
        {
            "type": "thing",
            "tags": list(matcher.tags) or None,
            "model": _ref_document(matcher.model),
            "application": _ref_document(matcher.application),
        }
    )


def _ref_document(ref: DriverRef) -> dict[str, Any] | None:
    parts = {"producerId": ref.producer_id, "moduleId": ref.module_id, "version": ref.version}
    return {name: part for name, part in parts.items() if part} or None


def _connector_document(connector: FlowConnector) -> dict[str, Any]:
    return without_none(
        {
            "id": connector.id,
            "connectionId": str(connector.connection_id),
            "configuration": {} if connector.is_configured else None,
            "uplinkTimeValidity": connector.validity.text if connector.validity else None,
        }
    )
