"""What the page of one connection shows: how it is, what it carried, its values, what was sent to its devices."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from longwire.web.ui import forms
from longwire.web.ui.api_client import Api
from longwire.web.ui.charts import backlog_chart, line, time_chart
from longwire.web.ui.deliveries_list import list_deliveries
from longwire.web.ui.forms import BY_NAME, FIELDS, Field
from longwire.web.ui.page import PageRequest, period_of
from longwire.web.ui.pages_create import shown_headers
from longwire.web.ui.render import parse_time

_HEADLINES: Mapping[str, str] = {
    "CLOSED": "Not reachable",
    "CLOSING": "In trouble",
    "AUTHENTICATION_FAILED": "The proxy refuses the credentials",
    "AUTHENTICATING": "Asking the proxy",
    "UNREACHABLE": "The worker of this connection does not report",
    "DEACTIVATED": "Switched off",
}
_DOWN = frozenset({"CLOSED", "AUTHENTICATION_FAILED"})
_DOWNLINKS = 5


@dataclass(frozen=True, slots=True)
class Sending:
    """The form of a downlink as it was sent, and why it was not accepted."""

    form: Mapping[str, str]
    error: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """What is being done on the page: the value that is edited, as typed, what is wrong with it, what is asked before.

    `is_stale`: somebody else has saved another value meanwhile. `deletes`: whether to delete the connection is asked.
    """

    field: Field | None = None
    typed: str | None = None
    error: str = ""
    asked: list[tuple[str, str]] | None = None
    is_stale: bool = False
    deletes: bool = False
    sending: Sending = Sending({})


async def around(request: PageRequest, api: Api, connection: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics, events, deliveries and downlinks of a connection."""
    period, number = period_of(request), connection["id"]
    series = (await api.get(f"/connections/{number}/metrics/series", window=period)).document
    events = await api.get("/events", q_connectionId=number, perPage=8)
    metrics = (await api.get(f"/connections/{number}/metrics")).document
    return {
        "period": period,
        "metrics": metrics,
        "latency": line("Latency", "ms", metrics["requestMs"], "requests"),
        "chart": time_chart(series, period, _down_since(connection)),
        "backlog": backlog_chart(series, metrics["lag"]),
        "downlinks": (await api.get("/downlinks", connectionId=number, perPage=_DOWNLINKS)).document,
        "events": events.document,
        **await list_deliveries(request, api, number),
    }


def _down_since(connection: Mapping[str, Any]) -> datetime | None:
    """Return since when nothing can be sent: the tries of an outage are states of their own."""
    if connection["state"] not in _DOWN:
        return None
    return parse_time(connection.get("downSince") or connection["stateSince"])


def head(connection: dict[str, Any]) -> dict[str, Any]:
    """Return what the first card needs."""
    state, waiting = connection["state"], connection["lag"]
    kept = f"Nothing is lost: {waiting:,} message{'' if waiting == 1 else 's'} wait in order."
    fix = (
        "Activate it to go on." if state == "DEACTIVATED" else "Check that the destination runs and answers."
    )
    return {"connection": connection, "headline": _HEADLINES.get(state, state), "advice": f"{fix} {kept}"}


def settings(connection: Mapping[str, Any], edit: Edit, pairs: tuple[tuple[str, str], ...]) -> dict[str, Any]:
    """Return the cards of values, one of them perhaps open for editing."""
    groups: dict[str, list[Field]] = {each.group: [] for each in FIELDS}
    for field in FIELDS:
        is_edited = field is edit.field
        value = edit.typed if is_edited and edit.typed is not None else _shown(connection, field)
        groups[field.group].append(forms.filled(field, value, edit.error if is_edited else ""))
    partner = edit.field.partner if edit.field else ""
    headers = forms.shown(connection, BY_NAME["headers"]) or {}
    if edit.field is BY_NAME["headers"] and pairs:
        headers = forms.headers_of(pairs)
        headers.pop(dict(pairs).get("removeHeader", ""), None)
    return {
        "groups": groups,
        "editing": edit.field.name if edit.field else "",
        "is_stale": edit.is_stale,
        "sending": edit.sending,
        "theirs": _theirs(connection, edit.field) if edit.field else "",
        "open_groups": [edit.field.group] if edit.field else [],
        "partner": partner and _partner(connection, partner, edit, dict(pairs)),
        "headers": shown_headers(headers),
        "header_error": edit.error if edit.field is BY_NAME["headers"] else "",
    }


def _shown(connection: Mapping[str, Any], field: Field) -> Any:
    value = forms.shown(connection, field)
    return forms.DEFAULTS.get(field.name) if value is None else value


def _partner(connection: Mapping[str, Any], name: str, edit: Edit, form: Mapping[str, str]) -> Field:
    """Return the field that is edited beside the one that is open, as typed or as stored."""
    field = BY_NAME[name]
    value = forms.shown(connection, field) if edit.typed is None else form.get("partner")
    return forms.filled(field, value)


def _theirs(connection: Mapping[str, Any], field: Field) -> str:
    """Return what is saved now, in words."""
    value = _shown(connection, field)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {each}" for name, each in value.items()) or "none"
    return forms.filled(field, value).value or "none"
