"""The document of a network server: its type, its key, what it accepts (specification, sections 8 and 18)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from longwire.core.errors import NotAvailableYet
from longwire.core.fields import MASK, Fields, Known

_KEY = re.compile(r"[0-9A-Fa-f]{32}")
_LATER_TYPES = ("chirpstack", "thethingsstack")

_THINGPARK = Known(
    built=frozenset({"asKey", "maxTimeDeviation", "acceptUnsignedReports"}),
    planned=frozenset({"asId", "lrcUrl"}),
)
_NETWORK_SERVER = Known(
    built=frozenset({"name", "type", "autoRegisterDevices", "configuration"}),
    ignored=frozenset({"id", "uplinkUrl", "lastUplinkAt", "createdAt"}),
    elsewhere={name: f"configuration.{name}" for name in _THINGPARK.built | _THINGPARK.planned},
)


@dataclass(frozen=True, slots=True)
class NetworkServer:
    """A ThingPark network server: `as_key` is the tunnel key as given; without one, unsigned is accepted."""

    name: str
    as_key: str | None = None
    max_time_deviation: timedelta | None = None
    accept_unsigned_reports: bool = True


def parse_network_server(body: Any, stored: NetworkServer | None = None) -> NetworkServer:
    """Return the network server of a POST or PUT body.

    A masked key keeps that of `stored`. Raises InvalidDocument with every member that is wrong.
    """
    fields = Fields(body)
    fields.check_names(_NETWORK_SERVER)
    kind = fields.required_text("type")
    if kind in _LATER_TYPES:
        fields.note(NotAvailableYet(f"type {kind}", field="type"))
    elif kind not in {"thingpark", ""}:
        fields.wrong("type", f"expected thingpark, got {kind[:40]!r}")
    if not fields.boolean("autoRegisterDevices", default=True):
        fields.note(NotAvailableYet("autoRegisterDevices: false", field="autoRegisterDevices"))
    name = fields.required_text("name", longest=255)
    configuration = fields.inner("configuration")
    configuration.check_names(_THINGPARK)
    server = NetworkServer(
        name,
        _key(configuration, stored.as_key if stored else None),
        _deviation(configuration),
        configuration.boolean("acceptUnsignedReports", default=True),
    )
    fields.finish()
    return server


def _key(fields: Fields, stored: str | None) -> str | None:
    key = fields.secret("asKey", stored)
    if key is not None and not _KEY.fullmatch(key):
        fields.wrong("asKey", "expected 32 hexadecimal digits")
    return key


def _deviation(fields: Fields) -> timedelta | None:
    if "maxTimeDeviation" not in fields.members:
        return None
    second = timedelta(seconds=1)
    return fields.duration("maxTimeDeviation", second, second, timedelta(days=1))


def to_document(server: NetworkServer) -> dict[str, Any]:
    """Return the network server as JSON, secrets in clear: what parse_network_server reads back."""
    configuration: dict[str, Any] = {"acceptUnsignedReports": server.accept_unsigned_reports}
    if server.as_key is not None:
        configuration["asKey"] = server.as_key
    if server.max_time_deviation is not None:
        configuration["maxTimeDeviation"] = f"{server.max_time_deviation // timedelta(seconds=1)}s"
    return {
        "name": server.name,
        "type": "thingpark",
        "autoRegisterDevices": True,
        "configuration": configuration,
    }


def map_secrets(document: Mapping[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """Return the document with `change(path, value)` in the place of every secret."""
    configuration = dict(document["configuration"])
    if "asKey" in configuration:
        configuration["asKey"] = change("configuration.asKey", configuration["asKey"])
    return {**document, "configuration": configuration}


def mask(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document with every secret as `*****`."""
    return map_secrets(document, lambda _path, _value: MASK)
