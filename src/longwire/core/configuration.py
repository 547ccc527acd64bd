"""The document of a connection: parse, defaults, secrets and their masks, what a change asks of the engine."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from longwire.core import pattern
from longwire.core.destination import Destination, parse_destination
from longwire.core.errors import InvalidInput, LongwireError
from longwire.core.fields import Fields, Known, without_none
from longwire.core.http import Endpoint
from longwire.core.pattern import MAX_RENDERED_BYTES, Pattern, make_pattern

CONNECTOR_ID = "actility-http-iot"
MASK = "*****"
MAX_HEADERS = 100

_SECOND = timedelta(seconds=1)
_NOWHERE = Destination("", Endpoint("http", "", 80), make_pattern("", ()))
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SECRET_WORDS = ("authorization", "cookie", "key", "token", "secret", "password", "signature")
_OURS_OR_FRAMING = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "content-encoding",
    }
)
_REFUSED_PREFIXES = ("proxy-", "webhook-", "longwire-")

_CONFIGURATION = Known(
    built=frozenset(
        {
            "destinationURL",
            "headers",
            "strictMode",
            "description",
            "createDevices",
            "maxInFlight",
            "requestTimeout",
            "blamePeriod",
        }
    ),
    planned=frozenset(
        {
            "sendMetadata",
            "sendRawDecodedFormat",
            "uplinkTimeValidity",
            "downlinkEnabled",
            "downlinkAsId",
            "downlinkAsKey",
            "downlinkPort",
            "reconnectStrategy",
            "proxy",
            "lrcCompliance",
            "tunnelInterfaceAuthenticationKey",
            "maxRequestsPerSecond",
            "strictModeAction",
            "signingSecret",
            "tls",
        }
    ),
    elsewhere={name: name for name in ("name", "active", "debug", "brand", "alarms", "connectorId")},
)

READ_ONLY = frozenset(
    {
        "id",
        "state",
        "startupTime",
        "downlinkUrl",
        "stateReason",
        "stateSince",
        "nextReconnectTime",
        "lag",
        "updatedAt",
    }
)

_CONNECTION = Known(
    built=frozenset(
        {"connectorId", "name", "active", "brand", "alarms", "upOperations", "dlOperations", "configuration"}
    ),
    planned=frozenset({"debug"}),
    ignored=READ_ONLY,
    elsewhere={name: f"configuration.{name}" for name in _CONFIGURATION.built | _CONFIGURATION.planned},
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the connector `actility-http-iot` needs; header values and the URL are compiled patterns."""

    destination: Destination
    headers: tuple[tuple[str, Pattern], ...] = ()
    strict_mode: bool = False
    description: str | None = None
    create_devices: bool = True
    max_in_flight: int = 16
    request_timeout: timedelta = 10 * _SECOND
    blame_period: timedelta = 30 * _SECOND


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as its owner wrote it, with defaults filled in."""

    name: str | None
    active: bool
    brand: str | None
    configuration: Configuration


def parse_connection(body: Any, stored: Connection | None = None) -> Connection:
    """Return the connection of a POST or PUT body.

    A masked secret keeps the value of `stored`. Raises InvalidDocument with every member that is wrong.
    """
    fields = Fields(body)
    fields.check_names(_CONNECTION)
    if fields.required_text("connectorId") not in {CONNECTOR_ID, ""}:
        fields.wrong("connectorId", f"must be {CONNECTOR_ID}")
    for not_built in ("alarms", "upOperations", "dlOperations"):
        fields.empty_array(not_built)
    connection = Connection(
        name=_name(fields),
        active=fields.boolean("active", default=True),
        brand=fields.text("brand"),
        configuration=_parse_configuration(fields.inner("configuration", required=True), stored),
    )
    fields.finish()
    return connection


def _name(fields: Fields) -> str | None:
    name = fields.text("name", longest=255)
    if name == "":
        fields.wrong("name", "must not be empty")
    return name


def _parse_configuration(fields: Fields, stored: Connection | None) -> Configuration:
    fields.check_names(_CONFIGURATION)
    return Configuration(
        destination=_parse_destination(fields),
        headers=_parse_headers(fields.inner("headers"), stored),
        strict_mode=fields.boolean("strictMode", default=False),
        description=fields.text("description"),
        create_devices=fields.boolean("createDevices", default=True),
        max_in_flight=fields.integer("maxInFlight", 16, 1, 256),
        request_timeout=fields.duration("requestTimeout", 10 * _SECOND, _SECOND, 60 * _SECOND),
        blame_period=fields.integer("blamePeriod", 30, 0, 86400) * _SECOND,
    )


def _parse_destination(fields: Fields) -> Destination:
    url = fields.required_text("destinationURL", longest=64 * 1024)
    try:
        return parse_destination(url, fields.at("destinationURL"))
    except LongwireError as problem:
        if url:
            fields.note(problem)
        return _NOWHERE


def _parse_headers(fields: Fields, stored: Connection | None) -> tuple[tuple[str, Pattern], ...]:
    known = {name.lower(): value for name, value in stored.configuration.headers} if stored else {}
    headers: dict[str, tuple[str, Pattern]] = {}
    if len(fields.members) > MAX_HEADERS:
        fields.wrong("", f"more than {MAX_HEADERS} headers")
    for name in list(fields.members)[:MAX_HEADERS]:
        try:
            _check_header_name(name, fields.at(name), taken=name.lower() in headers)
            value = fields.text(name, "")
            headers[name.lower()] = name, _header_value(name, value or "", fields.at(name), known)
        except LongwireError as problem:
            fields.note(problem)
    return tuple(headers.values())


def _check_header_name(name: str, field: str, *, taken: bool) -> None:
    if not _TOKEN.fullmatch(name):
        raise InvalidInput(field[:200], "not a header name (letters, digits and !#$%&'*+-.^_`|~)")
    # Many servers (CGI, WSGI) take `_` for `-`.
    plain = name.lower().replace("_", "-")
    if plain in _OURS_OR_FRAMING or plain.startswith(_REFUSED_PREFIXES):
        raise InvalidInput(
            field, "this header is written by Longwire or frames the request; it cannot be set"
        )
    if taken:
        raise InvalidInput(field, "this header stands twice (names do not depend on case)")


def _header_value(name: str, value: str, field: str, known: Mapping[str, Pattern]) -> Pattern:
    if value == MASK and is_secret_header(name):
        if name.lower() not in known:
            raise InvalidInput(field, f"{MASK} keeps a stored value, and there is none")
        return known[name.lower()]
    if any(character in value for character in "\r\n\0"):
        raise InvalidInput(field, "a header value cannot hold CR, LF or NUL")
    if len(value.encode()) > MAX_RENDERED_BYTES:
        raise InvalidInput(field, f"longer than {MAX_RENDERED_BYTES} bytes")
    return pattern.compile_pattern(value, field)


def is_secret_header(name: str) -> bool:
    """Return whether a header's value is a secret: its name says so (specification, section 3)."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def to_document(connection: Connection) -> dict[str, Any]:
    """Return the connection as JSON, secrets in clear: what parse_connection reads back."""
    configuration = connection.configuration
    document: dict[str, Any] = {
        "connectorId": CONNECTOR_ID,
        "name": connection.name,
        "active": connection.active,
        "brand": connection.brand,
        "alarms": [],
        "upOperations": [],
        "dlOperations": [],
        "configuration": {
            "destinationURL": configuration.destination.url,
            "headers": {name: value.source for name, value in configuration.headers},
            "strictMode": configuration.strict_mode,
            "description": configuration.description,
            "createDevices": configuration.create_devices,
            "maxInFlight": configuration.max_in_flight,
            "requestTimeout": f"{configuration.request_timeout // _SECOND}s",
            "blamePeriod": configuration.blame_period // _SECOND,
        },
    }
    return without_none(document)


def map_secrets(document: Mapping[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """Return the document with `change(path, value)` in the place of every secret: to mask, to seal, to open."""
    configuration = dict(document["configuration"])
    configuration["headers"] = {
        name: change(f"configuration.headers.{name.lower()}", value) if is_secret_header(name) else value
        for name, value in configuration["headers"].items()
    }
    return {**document, "configuration": configuration}


def mask(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with every secret as `*****`."""
    return map_secrets(document, lambda _path, _value: MASK)


@dataclass(frozen=True, slots=True)
class Changes:
    """What the engine does to run what is desired: connection ids."""

    stop: tuple[int, ...]
    start: tuple[int, ...]


def plan_changes(running: Mapping[int, int], desired: Mapping[int, int]) -> Changes:
    """Return which lanes to stop and start; both map a connection's id to its revision.

    A lane whose revision changed is in both: it ends before its successor begins, so that order is kept.
    """
    stale = tuple(i for i, revision in running.items() if desired.get(i) != revision)
    fresh = tuple(i for i, revision in desired.items() if running.get(i) != revision)
    return Changes(stale, fresh)
