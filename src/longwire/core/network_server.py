"""The document of a network server: its type, its key, what it accepts (specification, sections 8 and 18)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from longwire.core.destination import Destination, parse_destination
from longwire.core.document import Document, Member, Object, read_body
from longwire.core.downlink import AS_ID
from longwire.core.errors import LongwireError
from longwire.core.fields import MASK
from longwire.core.kinds import TIME, Boolean, Choice, Duration, Text

_SECOND = timedelta(seconds=1)
_THINGPARK = Object(
    name="NetworkServerConfiguration",
    members={
        "asKey": Member(
            kind=Text(pattern=r"[0-9A-Fa-f]{32}|\*{5}", says="expected 32 hexadecimal digits"),
            description="ThingPark's tunnel key; absent: unsigned messages are accepted.",
            secret=True,
        ),
        "asId": Member(kind=AS_ID, description="Who asks for downlinks that do not say it."),
        "lrcUrl": Member(
            kind=Text(shortest=1, format="longwire-lrc-url"),
            description="Where the LRC takes downlinks: `https://host/thingpark/lrc/rest/downlink`.",
        ),
        "maxTimeDeviation": Member(
            kind=Duration(_SECOND, timedelta(days=1)),
            description="How far a message's `Time` may be from ours; absent: not judged.",
        ),
        "acceptUnsignedReports": Member(
            kind=Boolean(),
            description="Reports (never uplinks) are accepted without a Token.",
            default=True,
        ),
    },
)
NETWORK_SERVER = Object(
    name="NetworkServer",
    members={
        "id": Member(kind=Text(), description="The id, a UUID.", read_only=True, required=True),
        "name": Member(kind=Text(shortest=1, longest=255), description="The name.", required=True),
        "type": Member(
            kind=Choice(("thingpark",), planned=("chirpstack", "thethingsstack")),
            description="What kind of network sends.",
            required=True,
        ),
        "autoRegisterDevices": Member(
            kind=Boolean(),
            description="True: a device is registered by its first uplink; false: unknown devices are filtered.",
            default=True,
        ),
        "configuration": Member(kind=_THINGPARK, description="What the type needs.", default={}),
        "uplinkUrl": Member(
            kind=Text(), description="Where the network sends its messages.", read_only=True, required=True
        ),
        "lastUplinkAt": Member(kind=TIME, description="When it last sent one.", read_only=True),
        "createdAt": Member(kind=TIME, description="When it was created.", read_only=True, required=True),
    },
    elsewhere={name: f"configuration.{name}" for name in (*_THINGPARK.members, *_THINGPARK.planned)},
)


@dataclass(frozen=True, slots=True)
class NetworkServer:
    """A ThingPark network server: `as_key` is the tunnel key as given; without one, unsigned is accepted.

    Without `lrc` there are no downlinks.
    """

    name: str
    as_key: str | None = None
    max_time_deviation: timedelta | None = None
    accept_unsigned_reports: bool = True
    as_id: str | None = None
    lrc: Destination | None = None
    auto_register_devices: bool = True


def parse_network_server(body: Any, stored: NetworkServer | None = None) -> NetworkServer:
    """Return the network server of a POST or PUT body.

    A masked key keeps that of `stored`. Raises InvalidDocument with every member that is wrong.
    """
    document = read_body(NETWORK_SERVER, body)
    configuration = document.inner("configuration")
    server = NetworkServer(
        document.required_text("name"),
        configuration.secret("asKey", stored.as_key if stored else None),
        configuration.duration("maxTimeDeviation") or None,
        configuration.boolean("acceptUnsignedReports"),
        configuration.text("asId"),
        _parse_lrc(configuration),
        document.boolean("autoRegisterDevices"),
    )
    document.finish()
    return server


def _parse_lrc(configuration: Document) -> Destination | None:
    """Return where the LRC takes downlinks; its query is ours to write, so the URL has none, and no patterns."""
    url = configuration.text("lrcUrl")
    if url is None:
        return None
    try:
        lrc = parse_destination(url, configuration.at("lrcUrl"))
    except LongwireError as problem:
        configuration.note(problem)
        return None
    if not lrc.target.is_literal or "?" in lrc.target.source:
        configuration.wrong("lrcUrl", "expected a URL without a query and without patterns")
    return lrc


def to_document(server: NetworkServer) -> dict[str, Any]:
    """Return the network server as JSON, secrets in clear: what parse_network_server reads back."""
    configuration: dict[str, Any] = {"acceptUnsignedReports": server.accept_unsigned_reports}
    if server.as_key is not None:
        configuration["asKey"] = server.as_key
    if server.as_id is not None:
        configuration["asId"] = server.as_id
    if server.lrc is not None:
        configuration["lrcUrl"] = server.lrc.url
    if server.max_time_deviation is not None:
        configuration["maxTimeDeviation"] = f"{server.max_time_deviation // timedelta(seconds=1)}s"
    return {
        "name": server.name,
        "type": "thingpark",
        "autoRegisterDevices": server.auto_register_devices,
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
