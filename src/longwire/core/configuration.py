"""The document of a connection: parse, defaults, secrets and their masks, what a change asks of the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from typing import Any

from longwire.core.destination import Destination, parse_destination
from longwire.core.errors import InvalidInput, LongwireError
from longwire.core.fields import MASK, Fields, Known, without_none
from longwire.core.headers import Headers, is_secret_header, parse_headers
from longwire.core.http import Endpoint, Proxy, TlsSettings
from longwire.core.json_text import MAX_BODY_BYTES
from longwire.core.pattern import make_pattern
from longwire.core.proxy import parse_proxy
from longwire.core.schedule import Strategy
from longwire.core.signature import SigningKey, parse_signing_secret

CONNECTOR_ID = "actility-http-iot"

_SECOND = timedelta(seconds=1)
_LONGEST_PEM = 64 * 1024
_NOWHERE = Destination("", Endpoint("http", "", 80), make_pattern("", ()))
_CONFIGURATION = Known(
    built=frozenset(
        {
            "destinationURL",
            "headers",
            "strictMode",
            "description",
            "createDevices",
            "sendMetadata",
            "sendRawDecodedFormat",
            "downlinkEnabled",
            "maxInFlight",
            "requestTimeout",
            "blamePeriod",
            "reconnectStrategy",
            "strictModeAction",
            "uplinkTimeValidity",
            "maxRequestsPerSecond",
            "signingSecret",
            "proxy",
            "tls",
        }
    ),
    planned=frozenset(
        {
            "downlinkAsId",
            "downlinkAsKey",
            "downlinkPort",
            "lrcCompliance",
            "tunnelInterfaceAuthenticationKey",
        }
    ),
    elsewhere={name: name for name in ("name", "active", "debug", "brand", "alarms", "connectorId")},
)

_PROXY = Known(built=frozenset({"hostname", "username", "password"}))
_TLS = Known(built=frozenset({"caCertificate", "clientCertificate", "clientKey", "verify"}))

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


class StrictModeAction(Enum):
    """What strict mode does about an answer other than 2xx: send again, or close and keep the message first."""

    RESEND = "RESEND"
    CLOSE = "CLOSE"


@dataclass(frozen=True, slots=True)
class Validity:
    """How old a message may become; `text` is the duration as written."""

    text: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class ConfiguredProxy:
    """The proxy; `hostname` is the text as written."""

    hostname: str
    proxy: Proxy


@dataclass(frozen=True, slots=True)
class Signing:
    """The signing secrets as written, and their keys."""

    secret: str
    keys: tuple[SigningKey, ...]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the connector `actility-http-iot` needs; header values and the URL are compiled patterns."""

    destination: Destination
    headers: Headers = ()
    strict_mode: bool = False
    description: str | None = None
    create_devices: bool = True
    send_metadata: bool = False
    send_raw_decoded_format: bool = False
    downlink_enabled: bool = True
    max_in_flight: int = 16
    request_timeout: timedelta = 10 * _SECOND
    blame_period: timedelta = 30 * _SECOND
    strategy: Strategy = Strategy.NORMAL
    strict_mode_action: StrictModeAction = StrictModeAction.RESEND
    uplink_time_validity: Validity | None = None
    max_requests_per_second: float | None = None
    signing: Signing | None = None
    proxy: ConfiguredProxy | None = None
    tls: TlsSettings = TlsSettings()  # noqa: RUF009 - a frozen value


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
    before = stored.configuration if stored else None
    proxy = _parse_proxy(fields, before.proxy if before else None)
    tls = _parse_tls(fields, before.tls if before else TlsSettings())
    destination = _parse_destination(fields)
    endpoint = replace(destination.endpoint, proxy=proxy.proxy if proxy else None, tls=tls)
    return Configuration(
        destination=replace(destination, endpoint=endpoint),
        proxy=proxy,
        tls=tls,
        headers=parse_headers(fields.inner("headers"), before.headers if before else ()),
        strict_mode=fields.boolean("strictMode", default=False),
        description=fields.text("description"),
        create_devices=fields.boolean("createDevices", default=True),
        send_metadata=fields.boolean("sendMetadata", default=False),
        send_raw_decoded_format=fields.boolean("sendRawDecodedFormat", default=False),
        downlink_enabled=fields.boolean("downlinkEnabled", default=True),
        max_in_flight=fields.integer("maxInFlight", 16, 1, 256),
        request_timeout=fields.duration("requestTimeout", 10 * _SECOND, _SECOND, 60 * _SECOND),
        blame_period=fields.integer("blamePeriod", 30, 0, 86400) * _SECOND,
        strategy=Strategy(fields.choice("reconnectStrategy", "NORMAL", [each.value for each in Strategy])),
        strict_mode_action=StrictModeAction(
            fields.choice("strictModeAction", "RESEND", [each.value for each in StrictModeAction])
        ),
        uplink_time_validity=_parse_validity(fields),
        max_requests_per_second=fields.number("maxRequestsPerSecond", 0.01, 10_000),
        signing=_parse_signing(fields, before.signing if before else None),
    )


def _parse_validity(fields: Fields) -> Validity | None:
    if "uplinkTimeValidity" not in fields.members:
        return None
    age = fields.duration("uplinkTimeValidity", _SECOND, _SECOND, timedelta(days=3650))
    return Validity(str(fields.members["uplinkTimeValidity"]), age)


def _parse_proxy(fields: Fields, stored: ConfiguredProxy | None) -> ConfiguredProxy | None:
    if "proxy" not in fields.members:
        return None
    inner = fields.inner("proxy")
    inner.check_names(_PROXY)
    hostname = inner.required_text("hostname")
    password = inner.secret("password", stored.proxy.password if stored else None)
    try:
        return ConfiguredProxy(hostname, parse_proxy(hostname, inner.text("username"), password, inner.path))
    except InvalidInput as problem:
        if hostname:
            fields.note(problem)
        return None


def _parse_tls(fields: Fields, stored: TlsSettings) -> TlsSettings:
    inner = fields.inner("tls")
    inner.check_names(_TLS)
    settings = TlsSettings(
        inner.text("caCertificate", longest=_LONGEST_PEM),
        inner.text("clientCertificate", longest=_LONGEST_PEM),
        inner.secret("clientKey", stored.client_key),
        inner.boolean("verify", default=True),
    )
    if (settings.client_certificate is None) != (settings.client_key is None):
        missing = "clientKey" if settings.client_key is None else "clientCertificate"
        inner.wrong(missing, "required: client certificate and key come together")
    return settings


def _parse_signing(fields: Fields, stored: Signing | None) -> Signing | None:
    secret = fields.secret("signingSecret", stored.secret if stored else None)
    if secret is None or secret == MASK:
        return None
    try:
        return Signing(secret, parse_signing_secret(secret, fields.at("signingSecret")))
    except InvalidInput as problem:
        fields.note(problem)
        return None


def _parse_destination(fields: Fields) -> Destination:
    url = fields.required_text("destinationURL", longest=MAX_BODY_BYTES)
    try:
        return parse_destination(url, fields.at("destinationURL"))
    except LongwireError as problem:
        if url:
            fields.note(problem)
        return _NOWHERE


def to_document(connection: Connection) -> dict[str, Any]:
    """Return the connection as JSON, secrets in clear: what parse_connection reads back."""
    document: dict[str, Any] = {
        "connectorId": CONNECTOR_ID,
        "name": connection.name,
        "active": connection.active,
        "brand": connection.brand,
        "alarms": [],
        "upOperations": [],
        "dlOperations": [],
        "configuration": _configuration_document(connection.configuration),
    }
    return without_none(document)


def _configuration_document(configuration: Configuration) -> dict[str, Any]:
    return {
        "destinationURL": configuration.destination.url,
        "headers": {name: value.source for name, value in configuration.headers},
        "strictMode": configuration.strict_mode,
        "description": configuration.description,
        "createDevices": configuration.create_devices,
        "sendMetadata": configuration.send_metadata,
        "sendRawDecodedFormat": configuration.send_raw_decoded_format,
        "downlinkEnabled": configuration.downlink_enabled,
        "maxInFlight": configuration.max_in_flight,
        "requestTimeout": f"{configuration.request_timeout // _SECOND}s",
        "blamePeriod": configuration.blame_period // _SECOND,
        "reconnectStrategy": configuration.strategy.value,
        "strictModeAction": configuration.strict_mode_action.value,
        "uplinkTimeValidity": validity.text if (validity := configuration.uplink_time_validity) else None,
        "maxRequestsPerSecond": configuration.max_requests_per_second,
        "signingSecret": configuration.signing.secret if configuration.signing else None,
        "proxy": _proxy_document(configuration.proxy),
        "tls": _tls_document(configuration.tls),
    }


def _proxy_document(configured: ConfiguredProxy | None) -> dict[str, Any] | None:
    if configured is None:
        return None
    proxy = configured.proxy
    return {"hostname": configured.hostname, "username": proxy.username, "password": proxy.password}


def _tls_document(settings: TlsSettings) -> dict[str, Any] | None:
    if settings == TlsSettings():
        return None
    return {
        "caCertificate": settings.ca_certificate,
        "clientCertificate": settings.client_certificate,
        "clientKey": settings.client_key,
        "verify": settings.verify,
    }


def map_secrets(document: Mapping[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """Return the document with `change(path, value)` in the place of every secret: to mask, to seal, to open."""
    configuration = dict(document["configuration"])
    configuration["headers"] = {
        name: change(f"configuration.headers.{name.lower()}", value) if is_secret_header(name) else value
        for name, value in configuration["headers"].items()
    }
    if "signingSecret" in configuration:
        configuration["signingSecret"] = change("configuration.signingSecret", configuration["signingSecret"])
    for group, name in (("proxy", "password"), ("tls", "clientKey")):
        if name in configuration.get(group, {}):
            members = configuration[group]
            changed = change(f"configuration.{group}.{name}", members[name])
            configuration[group] = {**members, name: changed}
    return {**document, "configuration": configuration}


def mask(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with every secret as `*****`."""
    return map_secrets(document, lambda _path, _value: MASK)


@dataclass(frozen=True, slots=True)
class Run:
    """What runs of a connection: a revision of its configuration, and how often it was restarted by command."""

    revision: int
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What the engine does to run what is desired: connection ids."""

    stop: tuple[int, ...]
    start: tuple[int, ...]


def plan_changes(running: Mapping[int, Run], desired: Mapping[int, Run]) -> Changes:
    """Return which lanes to stop and start; both map a connection's id to what runs of it.

    A lane of which that changed is in both: it ends before its successor begins, so that order is kept.
    """
    stale = tuple(i for i, run in running.items() if desired.get(i) != run)
    fresh = tuple(i for i, run in desired.items() if running.get(i) != run)
    return Changes(stale, fresh)
