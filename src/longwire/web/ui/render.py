"""Templates: what every page shows around its content, and how values become text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader
from litestar import Response

from longwire import __version__
from longwire.core.delivery import is_accepted
from longwire.web.ui.charts import ring_arcs
from longwire.web.ui.tones import ICONS, TONES

HERE = Path(__file__).parent
_SETTING = re.compile(r"LONGWIRE_[A-Z_]+=[^\s,;]+(?:,[^\s,;]+)*")
HTML = "text/html"

NAVIGATION = (
    ("", "home", "Dashboard"),
    ("connections", "plug", "Connections"),
    ("devices", "device", "Devices"),
    ("flows", "flow", "Flows"),
    ("networkServers", "server", "Network servers"),
    ("events", "bell", "Events"),
    ("deadLetters", "inbox", "Dead letters"),
    ("apiKeys", "key", "API keys"),
    ("settings", "gear", "Settings"),
)


KEYS: Mapping[str, str] = {"": "h", "connections": "c", "devices": "d", "events": "e"}
"""What is pressed after `g` to go to a page."""


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page needs besides its content: who looks, from where, with which theme; `prefix` ends without `/`."""

    prefix: str
    person: str
    role: str
    csrf: str
    theme: str
    now: datetime


def page(frame: Frame, template: str, status: int = 200, **content: Any) -> Response[str]:
    """Return a whole page."""
    return Response(text(frame, template, **content), status_code=status, media_type=HTML)


def text(frame: Frame, template: str, **content: Any) -> str:
    """Return a rendered template."""
    return _environment.get_template(template).render(
        frame=frame, navigation=NAVIGATION, shortcuts=KEYS, version=__version__, now=frame.now, **content
    )


def parse_time(value: str | None) -> datetime | None:
    """Return a time as the API writes it."""
    return None if value is None else datetime.fromisoformat(value)


def clock_time(value: str | None) -> str:
    """Return the time of day, or with the date when it is another day's; UTC."""
    moment = parse_time(value)
    return "-" if moment is None else f"{moment.astimezone(UTC):%H:%M:%S}"


def full_time(value: str | None) -> str:
    """Return date and time in UTC."""
    moment = parse_time(value)
    return "-" if moment is None else f"{moment.astimezone(UTC):%d %b %Y, %H:%M:%S} UTC"


def duration(span: timedelta) -> str:
    """Return a duration in its two largest units: `6 min 13 s`, `3 days`."""
    seconds = max(int(span.total_seconds()), 0)
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} day{'s' if days > 1 else ''}" + (f" {hours} h" if hours else "")
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"


def since(value: str | None, now: datetime) -> str:
    """Return how long ago a time of the API is."""
    moment = parse_time(value)
    return "-" if moment is None else duration(now - moment)


def count(number: int | None) -> str:
    """Return a number with its thousands apart."""
    return "-" if number is None else f"{number:,}"


def milliseconds(number: float) -> str:
    """Return how long something took: `0.8 ms`, `42 ms`, `3.1 s`."""
    if number >= 1000:  # noqa: PLR2004
        return f"{number / 1000:.1f} s"
    return f"{number:.0f} ms" if number >= 10 else f"{number:.1f} ms"  # noqa: PLR2004


def pretty_json(text: str) -> str:
    """Return JSON on several lines, its numbers as they are written; anything else as it is."""
    try:
        return msgspec.json.format(text, indent=2)
    except msgspec.DecodeError:
        return text


def answer_tone(status: int | None) -> str:
    """Return the tone of an answer's status, or of none."""
    return "ok" if status is not None and is_accepted(status) else "bad"


def name_of(connection: Mapping[str, Any]) -> str:
    """Return how a connection of the API is called on the pages: by its name where that can be seen."""
    name: str = connection.get("name") or ""
    is_seen = any(each.isprintable() and not each.isspace() for each in name)
    return name if is_seen else f"Connection {connection['id']}"


def setting(text: str) -> str:
    """Return the setting that a message says to start Longwire with; nothing for one that names none."""
    found = _SETTING.search(text)
    return found[0] if found else ""


def _make_environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: Mapping[str, Any] = {
        "clock_time": clock_time,
        "full_time": full_time,
        "since": since,
        "count": count,
        "duration": duration,
        "milliseconds": milliseconds,
        "setting": setting,
        "name_of": name_of,
        "json": pretty_json,
        "answer_tone": answer_tone,
    }
    environment.filters.update(filters)
    environment.globals.update(tones=TONES, icons=ICONS, ring_arcs=ring_arcs)
    return environment


_environment = _make_environment()
