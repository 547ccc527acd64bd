"""The document of a connection: parse, defaults, secrets and their masks, what a change asks of the engine."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from longwire.core.connector import CONNECTION, CONNECTOR_ID, StrictModeAction
from longwire.core.destination import Destination, parse_destination
from longwire.core.document import Document, read_body
from longwire.core.downlink import Credentials
from longwire.core.errors import InvalidInput, LongwireError
from longwire.core.fields import MASK, without_none
from longwire.core.headers import Headers, is_secret_header, parse_headers
from longwire.core.http import Endpoint, Proxy, TlsSettings
from longwire.core.pattern import make_pattern
from longwire.core.proxy import parse_proxy
from longwire.core.schedule import Strategy
from longwire.core.signature import SigningKey, parse_signing_secret
from longwire.core.validity import Validity, parse_validity

_SECOND = timedelta(seconds=1)
_NOWHERE = Destination("", Endpoint("http", "", 80), make_pattern("", ()))


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
class LrcCompliance:
    """Whether to deliver as an LRC does, and the tunnel key; its repr shows none."""

    is_on: bool = False
    key: str | None = field(default=None, repr=False)


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
    downlink_as: Credentials = Credentials()  # noqa: RUF009 - a frozen value
    downlink_port: int | None = None
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
    lrc: LrcCompliance = LrcCompliance()


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection as its owner wrote it, with defaults filled in."""

    name: str | None
    active: bool
    brand: str | None
    configuration: Configuration
    debug: bool = False


def parse_connection(body: Any, stored: Connection | None = None) -> Connection:
    """Return the connection of a POST or PUT body.

    A masked secret keeps the value of `stored`. Raises InvalidDocument with every member that is wrong.
    """
    document = read_body(CONNECTION, body)
    connection = Connection(
        name=document.text("name"),
        active=document.boolean("active"),
        brand=document.text("brand"),
        configuration=_parse_configuration(document.inner("configuration"), stored),
        debug=document.boolean("debug"),
    )
    document.finish()
    return connection


def _parse_configuration(document: Document, stored: Connection | None) -> Configuration:
    before = stored.configuration if stored else None
    proxy = _parse_proxy(document, before.proxy if before else None)
    tls = _parse_tls(document, before.tls if before else TlsSettings())
    destination = _parse_destination(document)
    endpoint = replace(destination.endpoint, proxy=proxy.proxy if proxy else None, tls=tls)
    return Configuration(
        destination=replace(destination, endpoint=endpoint),
        proxy=proxy,
        tls=tls,
        headers=parse_headers(document, before.headers if before else ()),
        strict_mode=document.boolean("strictMode"),
        description=document.text("description"),
        create_devices=document.boolean("createDevices"),
        send_metadata=document.boolean("sendMetadata"),
        send_raw_decoded_format=document.boolean("sendRawDecodedFormat"),
        downlink_enabled=document.boolean("downlinkEnabled"),
        downlink_as=_parse_downlink_as(document, before.downlink_as if before else Credentials()),
        downlink_port=document.values.get("downlinkPort"),
        max_in_flight=document.integer("maxInFlight"),
        request_timeout=document.duration("requestTimeout"),
        blame_period=document.integer("blamePeriod") * _SECOND,
        strategy=Strategy(document.required_text("reconnectStrategy")),
        strict_mode_action=StrictModeAction(document.required_text("strictModeAction")),
        uplink_time_validity=parse_validity(document),
        max_requests_per_second=document.number("maxRequestsPerSecond"),
        signing=_parse_signing(document, before.signing if before else None),
        lrc=_parse_lrc(document, before.lrc if before else LrcCompliance()),
    )


def _parse_downlink_as(document: Document, stored: Credentials) -> Credentials:
    return Credentials(document.text("downlinkAsId"), document.secret("downlinkAsKey", stored.as_key))


def _parse_lrc(document: Document, stored: LrcCompliance) -> LrcCompliance:
    key = document.secret("tunnelInterfaceAuthenticationKey", stored.key)
    return LrcCompliance(document.boolean("lrcCompliance"), key)


def _parse_proxy(document: Document, stored: ConfiguredProxy | None) -> ConfiguredProxy | None:
    if "proxy" not in document.values:
        return None
    inner = document.inner("proxy")
    hostname = inner.required_text("hostname")
    password = inner.secret("password", stored.proxy.password if stored else None)
    if not hostname:
        return None
    try:
        return ConfiguredProxy(
            hostname, parse_proxy(hostname, inner.text("username"), password, document.at("proxy"))
        )
    except InvalidInput as problem:
        document.note(problem)
        return None


def _parse_tls(document: Document, stored: TlsSettings) -> TlsSettings:
    inner = document.inner("tls")
    settings = TlsSettings(
        inner.text("caCertificate"),
        inner.text("clientCertificate"),
        inner.secret("clientKey", stored.client_key),
        inner.boolean("verify"),
    )
    if (settings.client_certificate is None) != (settings.client_key is None):
        missing = "clientKey" if settings.client_key is None else "clientCertificate"
        inner.wrong(missing, "required: client certificate and key come together")
    return settings


def _parse_signing(document: Document, stored: Signing | None) -> Signing | None:
    secret = document.secret("signingSecret", stored.secret if stored else None)
    if secret is None or secret == MASK:
        return None
    try:
        return Signing(secret, parse_signing_secret(secret, document.at("signingSecret")))
    except InvalidInput as problem:
        document.note(problem)
        return None


def _parse_destination(document: Document) -> Destination:
    url = document.required_text("destinationURL")
    try:
        return parse_destination(url, document.at("destinationURL")) if url else _NOWHERE
    except LongwireError as problem:
        document.note(problem)
        return _NOWHERE


def to_document(connection: Connection) -> dict[str, Any]:
    """Return the connection as JSON, secrets in clear: what parse_connection reads back."""
    document: dict[str, Any] = {
        "connectorId": CONNECTOR_ID,
        "name": connection.name,
        "active": connection.active,
        "debug": connection.debug,
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
        "downlinkAsId": configuration.downlink_as.as_id,
        "downlinkAsKey": configuration.downlink_as.as_key,
        "downlinkPort": configuration.downlink_port,
        "lrcCompliance": configuration.lrc.is_on,
        "tunnelInterfaceAuthenticationKey": configuration.lrc.key,
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
    for name in ("signingSecret", "downlinkAsKey", "tunnelInterfaceAuthenticationKey"):
        if name in configuration:
            configuration[name] = change(f"configuration.{name}", configuration[name])
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
