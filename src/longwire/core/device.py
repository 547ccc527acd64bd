"""Devices: what is set by hand, and what is learned from the network (specification, sections 10 and 18)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from longwire.core.document import Document, Member, Object, read_body
from longwire.core.fields import without_none
from longwire.core.kinds import DEV_EUI, ID, TIME, Integer, ListOf, Number, Text
from longwire.core.message import DevEui, parse_dev_eui
from longwire.core.sighting import LONGEST_WORD, MAX_TAGS, NOTHING_LEARNED, Learned

MAX_OWN_CONNECTIONS = 100
_WORD = Text(shortest=1, longest=LONGEST_WORD)
DEVICE = Object(
    name="Device",
    members={
        "devEUI": Member(
            kind=DEV_EUI,
            description="The DevEUI; `-` and `:` between digits and any case are accepted.",
            required=True,
        ),
        "name": Member(kind=_WORD, description="The name; it follows CustomerData unless set by hand."),
        "tags": Member(
            kind=ListOf(_WORD, MAX_TAGS), description="The tags; they follow CustomerData unless set by hand."
        ),
        "networkServerId": Member(
            kind=Text(),
            description="The network server it belongs to: that of its first uplink, unless set by hand.",
        ),
        "connectionIds": Member(
            kind=ListOf(ID, MAX_OWN_CONNECTIONS),
            description="Connections its messages go to, besides those of its flows.",
            default=[],
        ),
        "lastSeenAt": Member(kind=TIME, description="When its last uplink was received.", read_only=True),
        "fCntUp": Member(
            kind=Integer(0, 2**32), description="The counter of its last uplink.", read_only=True
        ),
        "lastRSSI": Member(
            kind=Number(-1e6, 1e6), description="How its last uplink was heard.", read_only=True
        ),
        "lastSNR": Member(
            kind=Number(-1e6, 1e6), description="How its last uplink was heard.", read_only=True
        ),
        "uplinksLast24h": Member(
            kind=Integer(0, 2**53),
            description="Uplinks of this hour and the 23 before it.",
            read_only=True,
            required=True,
        ),
    },
    planned=frozenset({"driverId"}),
)


@dataclass(frozen=True, slots=True)
class Device:
    """What is set by hand of a device; name and tags are None where they follow CustomerData."""

    dev_eui: DevEui
    name: str | None = None
    tags: tuple[str, ...] | None = None
    network_server_id: str | None = None
    connection_ids: tuple[int, ...] = ()


def parse_device(body: Any, expected: DevEui | None = None, learned: Learned = NOTHING_LEARNED) -> Device:
    """Return the device of a POST or PUT body.

    A name or tags equal to what is learned are not set by hand: so what GET gave can be PUT back, and still follows.
    Raises InvalidDocument, also when the body names another device than the one expected.
    """
    document = read_body(DEVICE, body)
    device = Device(
        _dev_eui(document, expected),
        _unless_learned(document.text("name"), learned.name),
        _unless_learned(_tags(document), learned.tags or ()),
        document.text("networkServerId"),
        tuple(sorted({int(each) for each in document.elements("connectionIds")})),
    )
    document.finish()
    return device


def _dev_eui(document: Document, expected: DevEui | None) -> DevEui:
    text = document.text("devEUI")
    if text is None:
        return expected or DevEui("")
    dev_eui = parse_dev_eui(text)
    if expected not in {None, dev_eui}:
        document.wrong("devEUI", f"names another device than {expected}")
    return dev_eui


def _tags(document: Document) -> tuple[str, ...] | None:
    return tuple(dict.fromkeys(document.elements("tags"))) if "tags" in document.values else None


def _unless_learned(value: Any, learned: Any) -> Any:
    return None if value == learned else value


def to_document(device: Device, learned: Learned = NOTHING_LEARNED) -> dict[str, Any]:
    """Return the device as JSON, with what is learned where nothing is set: what parse_device reads back."""
    tags: Sequence[str] = device.tags if device.tags is not None else learned.tags or ()
    return without_none(
        {
            "devEUI": device.dev_eui,
            "name": device.name if device.name is not None else learned.name,
            "tags": list(tags),
            "networkServerId": device.network_server_id,
            "connectionIds": [str(each) for each in device.connection_ids],
        }
    )
