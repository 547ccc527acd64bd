"""The forms of a connection: which values people see and edit, and what becomes of them in the API's document."""

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
SWITCH = (("false", "Off"), ("true", "On"))


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a connection: its name in forms, its path in the API's document, how it is edited.

    `group` is the card it stands in. `kind` is an input's type, `area`, `select`, `number` or `headers`.
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
        "uplinkTimeValidity",
        "configuration.uplinkTimeValidity",
        "Uplink time validity",
        "advanced",
        placeholder="none",
        hint="Older messages are not sent any more: 30s, 10m, 12h, 2d. Empty: never too old.",
    ),
    Field(
        "signingSecret",
        "configuration.signingSecret",
        "Signing secret",
        "advanced",
        kind="password",
        hint="Standard Webhooks, whsec_...; several, separated by spaces, while you change them.",
    ),
)
BY_NAME: Mapping[str, Field] = {field.name: field for field in FIELDS}


def create_document(form: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> Document:
    """Return the body of a POST from the form of a new connection; empty values stay out."""
    document: Document = {"connectorId": "actility-http-iot", "configuration": {}}
    for field in FIELDS:
        value = headers_of(pairs) if field.kind == "headers" else _value(field, form.get(field.name, ""))
        if value in ({}, None) or (field.group == "proxy" and "proxy" not in form):
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
    text = text.strip() if field.kind != "password" else text
    if not text:
        return None
    if field.choices == SWITCH:
        return text in {"true", "on"}
    # What is no number goes as it is: the API says what is wrong with it.
    return int(text) if field.kind == "number" and text.isascii() and text.isdecimal() else text
