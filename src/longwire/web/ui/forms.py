"""The forms of a connection: which values people see and edit, and what becomes of them in the API's document."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Document = dict[str, Any]

STRATEGIES = (
    ("NORMAL", "NORMAL: every 5 min for 1 h, every hour for 1 day, then daily"),
    ("CALM", "CALM: every 10 min for 12 h, every hour for 1 day, then never"),
    ("AGGRESSIVE", "AGGRESSIVE: every 3 min for 3 h, every 30 min for 1 week, then hourly"),
    ("EXPONENTIAL", "EXPONENTIAL: 1 s doubling to 5 min"),
)
ACTIONS = (
    ("RESEND", "RESEND: send again, up to 3 times, 2 s apart"),
    ("CLOSE", "CLOSE: close the connection and keep the message first"),
)
SWITCH = (("false", "Off"), ("true", "On"))


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a connection: its name in forms, its path in the API's document, how it is edited.

    `group` is the card it stands in. `kind` is an input's type, `area`, `pem`, `select`, `number`,
    `decimal` or `headers`.
    """

    name: str
    path: str
    label: str
    group: str = "basic"
    kind: str = "text"
    hint: str = ""
    placeholder: str = ""
    required: bool = False
    mono: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    error: str = ""
    is_valid: bool = False
    partner: str = ""
    """The field that is edited together with this one: neither can be saved alone."""


FIELDS: tuple[Field, ...] = (
    Field("name", "name", "Name", required=True, hint="How this connection is called here."),
    Field(
        "destinationURL",
        "configuration.destinationURL",
        "Destination URL",
        kind="url",
        required=True,
        mono=True,
        placeholder="https://",
        hint="http:// or https://. Path and query may hold patterns such as {DevEUI}.",
    ),
    Field("headers", "configuration.headers", "Headers", kind="headers"),
    Field(
        "description",
        "configuration.description",
        "Description",
        kind="area",
        placeholder="Who owns this, and what it feeds",
    ),
    Field(
        "proxy.hostname",
        "configuration.proxy.hostname",
        "Hostname",
        "proxy",
        mono=True,
        placeholder="http://proxy.example:3128",
        hint="http://, https:// or socks5://, or host:port alone (3128 by default).",
    ),
    Field("proxy.username", "configuration.proxy.username", "Username", "proxy"),
    Field("proxy.password", "configuration.proxy.password", "Password", "proxy", kind="password"),
    Field(
        "strictMode",
        "configuration.strictMode",
        "Strict mode",
        "advanced",
        kind="select",
        choices=SWITCH,
        hint="On: an answer other than 2xx is sent again up to 3 times, 2 s apart. Off: it is lost.",
    ),
    Field(
        "reconnectStrategy",
        "configuration.reconnectStrategy",
        "Reconnect strategy",
        "advanced",
        kind="select",
        choices=STRATEGIES,
        hint="When a destination that does not answer is tried again.",
    ),
    Field(
        "strictModeAction",
        "configuration.strictModeAction",
        "Strict mode action",
        "advanced",
        kind="select",
        choices=ACTIONS,
        hint="What strict mode does about an answer other than 2xx.",
    ),
    Field(
        "blamePeriod",
        "configuration.blamePeriod",
        "Blame period",
        "advanced",
        kind="number",
        placeholder="30",
        hint="Seconds from the closing within which it is tried again fast; 0: not at all.",
    ),
    Field(
        "requestTimeout",
        "configuration.requestTimeout",
        "Request timeout",
        "advanced",
        placeholder="10s",
        hint="1s to 60s.",
    ),
    Field(
        "maxInFlight",
        "configuration.maxInFlight",
        "Requests at once",
        "advanced",
        kind="number",
        placeholder="16",
        hint="1 to 256.",
    ),
    Field(
        "maxRequestsPerSecond",
        "configuration.maxRequestsPerSecond",
        "Requests a second",
        "advanced",
        kind="decimal",
        placeholder="no limit",
        hint="The highest rate, 0.01 to 10000. Empty: no limit.",
    ),
    Field(
        "uplinkTimeValidity",
        "configuration.uplinkTimeValidity",
        "Uplink time validity",
        "advanced",
        placeholder="none",
        hint="Older messages are not sent any more: 30s, 10m, 12h, 2d. Empty: never too old.",
    ),
    Field(
        "sendMetadata",
        "configuration.sendMetadata",
        "Send metadata",
        "advanced",
        kind="select",
        choices=SWITCH,
        hint="On: only uplinks are sent, their members at top level, without the root.",
    ),
    Field(
        "sendRawDecodedFormat",
        "configuration.sendRawDecodedFormat",
        "Decoded payload alone",
        "advanced",
        kind="select",
        choices=SWITCH,
        hint="On: the body is the decoded payload alone, the whole message where there is none.",
    ),
    Field(
        "lrcCompliance",
        "configuration.lrcCompliance",
        "Deliver as an LRC",
        "advanced",
        kind="select",
        choices=SWITCH,
        hint="On: with the query parameters of ThingPark's LRC, and its Token where there is a key.",
    ),
    Field(
        "tunnelInterfaceAuthenticationKey",
        "configuration.tunnelInterfaceAuthenticationKey",
        "Tunnel key",
        "advanced",
        kind="password",
        hint="Signs as an LRC does: 32 hexadecimal digits.",
    ),
    Field(
        "signingSecret",
        "configuration.signingSecret",
        "Signing secret",
        "advanced",
        kind="password",
        hint="Standard Webhooks, whsec_...; several, separated by spaces, while you change them.",
    ),
    Field(
        "debug",
        "debug",
        "Debug",
        "advanced",
        kind="select",
        choices=SWITCH,
        hint="On: whole requests and answers are kept in the log. It turns itself off after 2 days.",
    ),
    Field(
        "downlinkEnabled",
        "configuration.downlinkEnabled",
        "Downlinks",
        "downlink",
        kind="select",
        choices=SWITCH,
        hint="Off: no downlinks, and no downlink address in what is sent.",
    ),
    Field(
        "downlinkPort",
        "configuration.downlinkPort",
        "FPort",
        "downlink",
        kind="number",
        hint="The FPort of downlinks that do not say it, 1 to 224.",
    ),
    Field(
        "downlinkAsId",
        "configuration.downlinkAsId",
        "AS ID",
        "downlink",
        mono=True,
        hint="Who asks for downlinks that do not say it.",
    ),
    Field(
        "downlinkAsKey",
        "configuration.downlinkAsKey",
        "AS key",
        "downlink",
        kind="password",
        hint="Signs downlinks that bring no key: 32 hexadecimal digits.",
    ),
    Field(
        "tls.verify",
        "configuration.tls.verify",
        "Verify certificate",
        "tls",
        kind="select",
        choices=SWITCH,
        hint="Off: whoever answers is believed, and can read and change your messages.",
    ),
    Field(
        "tls.caCertificate",
        "configuration.tls.caCertificate",
        "Trusted authority",
        "tls",
        kind="pem",
        hint="PEM: the authority to trust in the place of the system's.",
    ),
    Field(
        "tls.clientCertificate",
        "configuration.tls.clientCertificate",
        "Client certificate",
        "tls",
        kind="pem",
        partner="tls.clientKey",
        hint="PEM: our certificate and its private key, where the destination asks for one.",
    ),
    Field("tls.clientKey", "configuration.tls.clientKey", "Client key", "tls", kind="pem"),
)
DEFAULTS: Mapping[str, str] = {
    "strictMode": "false",
    "reconnectStrategy": "NORMAL",
    "strictModeAction": "RESEND",
    "sendMetadata": "false",
    "sendRawDecodedFormat": "false",
    "lrcCompliance": "false",
    "debug": "false",
    "downlinkEnabled": "true",
    "tls.verify": "true",
}
"""What a select shows where nothing was chosen."""
BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}


def create_document(form: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> Document:
    """Return the body of a POST from the form of a new connection; empty values stay out."""
    document: Document = {"connectorId": "actility-http-iot", "configuration": {}}
    for field in FIELDS:
        value = headers_of(pairs) if field.kind == "headers" else _value(field, form.get(field.name, ""))
        is_default = str(value).lower() == DEFAULTS.get(field.name, "").lower()
        if value in ({}, None) or is_default or (field.group == "proxy" and "proxy" not in form):
            continue
        put(document, field.path, value)
    return document


def change_document(field: Field, form: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> Document:
    """Return the merge patch that sets one value; an empty one removes the member."""
    document: Document = {}
    if field.kind == "headers":
        put(document, field.path, headers_of(pairs))
        return document
    value = _value(field, form.get("value", ""))
    path = "configuration.proxy" if field.name == "proxy.hostname" and value is None else field.path
    put(document, path, value)
    if field.partner:
        put(document, BY_NAME[field.partner].path, _value(field, form.get("partner", "")))
    return document


def headers_of(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers of a form: names and values alternate; rows without a name and a value are left out."""
    given = list(pairs)
    names = [value for name, value in given if name == "header"]
    values = [value for name, value in given if name == "headerValue"]
    return {name: value for name, value in zip(names, values, strict=False) if name or value}


def removed_headers(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, None]:
    """Return what a merge patch needs besides: null for each header that is gone."""
    return {name: None for name in before if name not in after}


def shown(connection: Mapping[str, Any], field: Field) -> Any:
    """Return a value as the API has it, or None."""
    value: Any = connection
    for name in field.path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def filled(field: Field, value: Any, error: str = "", *, is_valid: bool = False) -> Field:
    """Return the field with a value as a form shows it, and what is wrong with it."""
    text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
    return replace(field, value=text, error=error, is_valid=is_valid and not error)


def errors_by_field(problems: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Return the first problem of each field of the forms; what belongs to none stands under ``."""
    found: dict[str, str] = {}
    for problem in problems:
        path = problem.get("field") or ""
        match = next((each for each in FIELDS if path == each.path or path.startswith(f"{each.path}.")), None)
        text = problem.get("message", "").removeprefix(f"{path}: ")
        found.setdefault(match.name if match else "", text)
    return found


def put(document: Document, path: str, value: Any) -> None:
    """Set the member at a path, making the objects on the way."""
    *parents, last = path.split(".")
    for name in parents:
        document = document.setdefault(name, {})
    document[last] = value


def _value(field: Field, text: str) -> Any:
    """Return what the API wants for a text of a form; None for an empty one."""
    text = text.replace("\r\n", "\n").strip() if field.kind != "password" else text
    if not text:
        return None
    if field.choices == SWITCH:
        return text in {"true", "on"}
    if field.kind == "decimal":
        return _decimal(text)
    # What is no number goes as it is: the API says what is wrong with it.
    return int(text) if field.kind == "number" and text.isascii() and text.isdecimal() else text


def _decimal(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text
