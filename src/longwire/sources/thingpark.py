"""ThingPark: requests of the LRC tunnel, their Token, and the messages in them (specification, section 8)."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import msgspec

from longwire.core import json_text
from longwire.core.errors import Forbidden, InvalidInput, TooLarge, UnsupportedMediaType
from longwire.core.json_text import member_text
from longwire.core.lrc_tunnel import is_join_report, token, token_elements
from longwire.core.message import (
    MAX_MESSAGE_BYTES,
    OWN_LINK_MEMBERS,
    ROOTS,
    DevEui,
    Message,
    fingerprint,
    parse_dev_eui,
)
from longwire.core.network_server import NetworkServer
from longwire.core.sighting import sighting_of
from longwire.sources.ingest_request import IngestRequest
from longwire.sources.thingpark_xml import to_json

Members = Mapping[str, msgspec.Raw]

_COUNTERS = {
    "DevEUI_uplink": "FCntUp",
    "DevEUI_downlink_Sent": "FCntDn",
    "DevEUI_downlink_Rejected": "FCntDn",
    "DevEUI_multicast_summary": "FCntDn",
}
_XML = frozenset({"application/xml", "text/xml"})
_MEDIA_TYPES = _XML | {"application/json", ""}
_PUBLISHED_ELEMENTS = frozenset({"DevEUI_uplink", "DevEUI_location", "DevEUI_downlink_Sent"})
_MAX_COUNTER = 2**32
_LONGEST_GATEWAY = 64  # the lanes hold what orders messages, as many as wait


def parse(request: IngestRequest, server: NetworkServer) -> Message:
    """Return the message of an LRC tunnel request.

    Raises InvalidInput, Forbidden, TooLarge or UnsupportedMediaType; nothing of such a request is kept.
    """
    text = to_json(request.body) if _is_xml(request.content_type) else request.body
    body, root, members = json_text.read_roots(text)
    if root not in ROOTS:
        raise InvalidInput(
            "body", f"unknown root member {root[:100]!r}; expected one of {', '.join(sorted(ROOTS))}"
        )
    if len(text) > MAX_MESSAGE_BYTES:
        raise TooLarge(f"a message may have {MAX_MESSAGE_BYTES} bytes, this one has {len(text)}")
    dev_eui = None if root == "BS_alarm" else _dev_eui(root, members)
    signed, given = _split_token(request.query)
    if server.as_key is not None:
        _check_token((signed, given), root, members, server)
    parameters = _parameters(signed)
    _check_named_device(parameters, root, dev_eui)
    _check_time(parameters, server.max_time_deviation, request.received_at)
    if any(name in members for name in OWN_LINK_MEMBERS):
        members = {name: raw for name, raw in members.items() if name not in OWN_LINK_MEMBERS}
        body = json_text.join_root(root, members)
    return Message(
        network_server_id=request.network_server_id,
        root=root,
        dev_eui=dev_eui,
        order_key=dev_eui or f"{root}:{member_text(members, 'Lrrid')[:_LONGEST_GATEWAY]}",
        f_cnt=_counter(root, members),
        body=body,
        fingerprint=_fingerprint((request.network_server_id, root, dev_eui or ""), members, text),
        received_at=request.received_at,
        aged_from=_aged_from(member_text(members, "Time"), request.received_at),
        sighting=sighting_of(members),
    )


def _is_xml(content_type: str) -> bool:
    """Return whether a body is XML, not JSON; raises UnsupportedMediaType for anything else."""
    if content_type == "application/json":
        return False
    media_type, _, parameters = content_type.partition(";")
    charset = parameters.replace(" ", "").replace('"', "").lower()
    if media_type.strip().lower() not in _MEDIA_TYPES or charset not in {"", "charset=utf-8"}:
        raise UnsupportedMediaType(
            f"expected application/json or application/xml in UTF-8, got {content_type[:100]!r}"
        )
    return media_type.strip().lower() in _XML


def _dev_eui(root: str, members: Members) -> DevEui:
    if "DevEUI" not in members:
        raise InvalidInput(f"{root}.DevEUI", "required")
    raw = bytes(members["DevEUI"])
    if not raw.startswith(b'"'):
        raise InvalidInput(f"{root}.DevEUI", "expected a string of 16 hexadecimal digits")
    return parse_dev_eui(member_text(members, "DevEUI"), f"{root}.DevEUI")


def _counter(root: str, members: Members) -> int | None:
    text = member_text(members, _COUNTERS.get(root, ""))
    return int(text) if text.isdecimal() and text.isascii() and len(text) <= len(str(_MAX_COUNTER)) else None


def _fingerprint(sender: tuple[str, str, str], members: Members, body: bytes) -> bytes:
    """Return what is equal for repeats: of roots with a counter that and the time, of others the whole body.

    `sender` is the network server, the root and the device.
    """
    network_server_id, root, _ = sender
    counter, time = member_text(members, _COUNTERS.get(root, "")), member_text(members, "Time")
    if not counter or not time:
        return fingerprint(network_server_id, body)
    return fingerprint(*sender, counter, time)


def _aged_from(time: str, received_at: datetime) -> datetime:
    """Return the earlier of the message's time and its receipt; a time that cannot be read does not count."""
    try:
        return min(_aware(datetime.fromisoformat(time)).astimezone(UTC), received_at)
    except (ValueError, OverflowError):
        return received_at


def _aware(time: datetime) -> datetime:
    """Return a time with its zone; without one it is UTC."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _parameters(query: str) -> dict[str, str]:
    """Return the query's parameters, values still encoded; the names we read need no encoding."""
    return {name: value for name, _, value in (pair.partition("=") for pair in query.split("&"))}


def _check_named_device(parameters: Mapping[str, str], root: str, dev_eui: DevEui | None) -> None:
    # A multicast summary is addressed through one of the group's devices.
    if dev_eui is None or root == "DevEUI_multicast_summary" or "LrnDevEui" not in parameters:
        return
    if parse_dev_eui(unquote(parameters["LrnDevEui"]), "LrnDevEui") != dev_eui:
        raise InvalidInput("LrnDevEui", f"names another device than the body's DevEUI {dev_eui}")


def _check_time(parameters: Mapping[str, str], allowed: timedelta | None, now: datetime) -> None:
    if allowed is None:
        return
    try:
        time = datetime.fromisoformat(unquote(parameters.get("Time", "")))
    except ValueError as error:
        raise InvalidInput(
            "Time", "expected an ISO 8601 time: this network server sets maxTimeDeviation"
        ) from error
    if abs(_aware(time) - now) > allowed:
        raise Forbidden("Time: further from now than the network server's maxTimeDeviation")


def _split_token(query: str) -> tuple[str, str]:
    """Return the query before `&Token=`, which is what the Token signs and all that is read, and the Token."""
    signed, _, rest = query.partition("&Token=")
    return signed, unquote(rest.partition("&")[0])


def _check_token(query: tuple[str, str], root: str, members: Members, server: NetworkServer) -> None:
    signed, given = query
    if _is_signed(unquote(signed), given, token_elements(root, members), server.as_key or ""):
        return
    if not (server.accept_unsigned_reports and _may_be_unsigned(root, members, given)):
        raise Forbidden("Token: missing or wrong for this network server's asKey")


def _may_be_unsigned(root: str, members: Members, given: str) -> bool:
    """Return whether a message without the right Token is a report that `acceptUnsignedReports` lets through.

    Never an uplink. A report whose elements are published may be unsigned, but not signed wrongly; of the other
    roots nobody can tell what a right Token is. (docs/decisions/0002-unsigned-reports.md)
    """
    if root == "DevEUI_uplink":
        return is_join_report(root, members)
    return not given or root not in _PUBLISHED_ELEMENTS


def _is_signed(query: str, given: str, elements: str, key: str) -> bool:
    """Return whether the Token is right for the key as given, or in lower case; in constant time."""
    found = [
        hmac.compare_digest(given.encode(), token(elements, query, each).encode())
        for each in {key, key.lower()}
    ]
    return any(found)
