"""Where kept secrets may go: who cannot read them may not send them somewhere else (specification, section 3)."""

from collections.abc import Mapping
from typing import Any

from longwire.core.configuration import Connection, map_secrets
from longwire.core.errors import InvalidInput
from longwire.core.fields import MASK
from longwire.core.http import Endpoint


def check_kept_secrets(document: Mapping[str, Any], before: Connection, after: Connection) -> None:
    """Raise InvalidInput for a masked secret in `document` when what it makes is dialled elsewhere than before."""
    moved = _what_moved(before.configuration.destination.endpoint, after.configuration.destination.endpoint)
    kept = [path for path, value in _secrets(document).items() if value == MASK]
    if moved is not None and kept:
        raise InvalidInput(
            kept[0], f"give it again: {moved} changes, and only an Owner may keep a masked secret then"
        )


def _what_moved(before: Endpoint, after: Endpoint) -> str | None:
    if (before.scheme, before.host, before.port) != (after.scheme, after.host, after.port):
        return "the origin of configuration.destinationURL"
    if _proxy_of(before) != _proxy_of(after):
        return "the host of configuration.proxy"
    return None


def _proxy_of(endpoint: Endpoint) -> tuple[str, str, int] | None:
    proxy = endpoint.proxy
    return None if proxy is None else (proxy.scheme, proxy.host, proxy.port)


def _secrets(document: Mapping[str, Any]) -> dict[str, str]:
    """Return the secrets of a document that is known to be right, by path."""
    found: dict[str, str] = {}
    configuration = {"headers": {}, **document["configuration"]}

    def note(path: str, value: str) -> str:
        found[path] = value
        return value

    map_secrets({"configuration": configuration}, note)
    return found
