"""How resources look in the API: the members of specification, sections 3, 14 and 18."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Row

from longwire.core import advice, device, network_server
from longwire.core.configuration import Connection
from longwire.core.connection_state import Status
from longwire.core.delivery import Outcome, Trigger
from longwire.core.fields import MASK, without_none
from longwire.core.headers import is_secret_header
from longwire.core.heard import heard
from longwire.core.http import HttpRequest
from longwire.core.request import CannotRender, Sending, Target, build_request
from longwire.storage.configurations import Listed
from longwire.storage.devices import StoredDevice
from longwire.storage.flows import StoredFlow
from longwire.storage.micros import from_micros
from longwire.storage.network_servers import StoredNetworkServer
from longwire.storage.sightings import count_of_day

# A member of a message, at any depth of quoting: a logged answer may hold JSON as text.
_DOWNLINK_MEMBER = re.compile(rb'(downlinkU(?:rl|RL)\\*"\s*:\s*\\*")((?:[^"\\]|\\[^"\\])*)')
# Our own address wherever it stands: in a header, in a URL, in what a destination sent back.
_DOWNLINK_ADDRESS = re.compile(rb"(downlinkMessages(?:\\*/|%(?:25)*2[Ff]))[0-9A-Fa-f-]{8,}")
_NOTHING_SENT: Mapping[str, Any] = {"url": None, "requestHeaders": None}


def iso(moment: datetime | None) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_micros(micros: int | None) -> str | None:
    """Return a stored time as ISO 8601 in UTC with milliseconds."""
    return iso(from_micros(micros))


def hide_downlink_addresses(text: bytes) -> bytes:
    """Return the text with the end of every downlink address as `*****`: whoever has one may send downlinks.

    Those are the values of `downlinkUrl` and `downlinkURL`, also when another platform gave them, and our own
    addresses anywhere (specification, section 15).
    """
    hidden = _DOWNLINK_MEMBER.sub(lambda found: found[1] + _hidden_end(found[2]), text)
    return _DOWNLINK_ADDRESS.sub(rb"\1" + MASK.encode(), hidden)


def _hidden_end(url: bytes) -> bytes:
    begin, slash, _ = url.partition(b"?")[0].rpartition(b"/")
    return begin + slash + MASK.encode()


def connection_shape(listed: Listed, base_url: str, lag: int) -> dict[str, Any]:
    """Return a connection as GET shows it; a connection that has not run yet is about to."""
    not_run = Status.OPENING if listed.active else Status.DEACTIVATED
    return without_none(
        {
            "id": str(listed.id),
            **listed.document,
            "state": listed.state["status"] or not_run.value,
            "stateReason": listed.state["reason"] or None,
            "stateSince": iso_micros(listed.state["since"]) or iso(listed.created_at),
            "downSince": iso_micros(listed.state["down_since"]),
            "startupTime": iso_micros(listed.state["startup_time"]),
            "nextReconnectTime": iso_micros(listed.state["retry_at"]),
            "debugUntil": iso(listed.debug_until),
            "lag": lag,
            "downlinkUrl": f"{base_url}/iot-flow/downlinkMessages/{listed.downlink_uuid}",
            "updatedAt": iso(listed.updated_at),
        }
    )


def network_server_shape(
    stored: StoredNetworkServer, base_url: str, last_uplink_at: int | None
) -> dict[str, Any]:
    """Return a network server as GET shows it."""
    return without_none(
        {
            "id": stored.id,
            **network_server.mask(network_server.to_document(stored.server)),
            "uplinkUrl": f"{base_url}/ingest/{stored.id}",
            "lastUplinkAt": iso_micros(last_uplink_at),
            "createdAt": iso(stored.created_at),
        }
    )


def device_shape(stored: StoredDevice, now: datetime) -> dict[str, Any]:
    """Return a device as GET shows it."""
    row = stored.row
    return without_none(
        {
            **device.to_document(stored.device, stored.learned),
            "lastSeenAt": iso_micros(row.last_seen_at),
            "fCntUp": row.f_cnt_up,
            "lastRSSI": row.last_rssi,
            "lastSNR": row.last_snr,
            "uplinksLast24h": count_of_day(row, now),
        }
    )


def flow_shape(stored: StoredFlow) -> dict[str, Any]:
    """Return a flow as GET shows it."""
    return {"id": str(stored.id), **stored.document}


def delivery_shape(row: Row[Any], webhook_id: str) -> dict[str, Any]:
    """Return a delivery as lists show it."""
    return {
        "id": str(row.id),
        "messageId": webhook_id,
        "connectionId": None if row.connection_id is None else str(row.connection_id),
        "devEUI": row.dev_eui,
        "kind": row.root,
        "fCnt": row.f_cnt,
        "receivedAt": iso_micros(row.received_at),
        "outcome": row.outcome,
        "reason": row.reason or None,
        "advice": advice.of_delivery(Outcome(row.outcome), row.last_status, row.last_cause),
        "attemptCount": row.attempt_count,
        "lastStatus": row.last_status,
        "lastCause": row.last_cause,
        "settledAt": iso_micros(row.settled_at),
        "nextAttemptAt": iso_micros(row.not_before) if row.outcome == Outcome.QUEUED.value else None,
        "test": bool(row.test),
    }


def uplink_shape(body: bytes | None) -> dict[str, Any] | None:
    """Return what an uplink carried and how it was heard; None for what is none, or is past its retention."""
    found = None if body is None else heard(body)
    if found is None:
        return None
    return {
        "fPort": found.f_port,
        "rssi": found.rssi,
        "snr": found.snr,
        "payloadHex": found.payload_hex,
        "decoded": found.decoded,
    }


def attempt_shape(row: Row[Any], request: Mapping[str, Any]) -> dict[str, Any]:
    """Return an attempt; `request` is the url and the headers, rendered again from the configuration it used."""
    return {
        "number": row.number,
        "at": iso_micros(row.at),
        "trigger": row.trigger,
        "durationMs": row.duration / 1000,
        "status": row.status,
        "cause": row.cause,
        "detail": row.detail,
        "advice": advice.of_attempt(row.status, row.cause),
        "remoteAddress": row.remote_address,
        **request,
        "responseHeaders": _joined(json.loads(row.response_headers)) if row.response_headers else None,
        "responseBody": None if row.response_body is None else row.response_body.decode(errors="replace"),
        "truncated": bool(row.truncated),
        **({} if row.request_body is None else {"requestBody": row.request_body.decode(errors="replace")}),
    }


def request_shape(
    connection: Connection | None, row: Row[Any], body: bytes, webhook_id: str
) -> Mapping[str, Any]:
    """Return `url` and `requestHeaders` of an attempt as they were sent, secrets masked; null where nothing was."""
    if connection is None or row.trigger == Trigger.UNKNOWN.value:
        return _NOTHING_SENT
    target = Target(connection.configuration, downlink_url="")
    prepared = build_request(
        target, body, Sending(webhook_id, row.number, from_micros(row.at), row.trigger == Trigger.TEST.value)
    )
    if isinstance(prepared, CannotRender):
        return _NOTHING_SENT
    return sent_shape(prepared.request)


def sent_shape(request: HttpRequest) -> Mapping[str, Any]:
    """Return `url` and `requestHeaders` of a request, secrets masked."""
    endpoint = request.endpoint
    headers = {
        name: MASK if is_secret_header(name) else value.decode(errors="replace")
        for name, value in request.headers
    }
    return {
        "url": f"{endpoint.scheme}://{endpoint.authority}{request.target}",
        "requestHeaders": headers,
    }


def _joined(headers: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in headers:
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined
