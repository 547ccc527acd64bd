"""What is told after a redirect: a code in the address, the words here, so that no link puts words in our mouth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Toast:
    """A short notice, top right."""

    tone: str
    title: str
    text: str


_TEXTS: Mapping[str, tuple[str, str]] = {
    "created": ("Done", "The connection '{name}' has been successfully created."),
    "updated": ("Update done", "Connection '{name}' has been updated"),
    "restarted": ("Done", "Connection '{name}' reconnects now."),
    "deleted": ("Done", "The connection has been deleted."),
    "replayed": ("Done", "The message is sent again, behind what waits."),
    "deviceUpdated": ("Update done", "Device '{name}' has been updated"),
    "saved": ("Done", "'{name}' has been saved."),
    "gone": ("Done", "It has been deleted."),
    "sent": ("Done", "The downlink is on its way."),
}


def find_toast(query: Mapping[str, str], **values: Any) -> Toast | None:
    """Return the toast a query asks for."""
    known = _TEXTS.get(query.get("toast", ""))
    return Toast("ok", known[0], known[1].format(**values)) if known else None
