"""A client of a running server's API, for the commands that work through it."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from longwire.core.errors import LongwireError, Misconfigured
from longwire.settings import Settings

_BASE = "/iot-flow/v1"
_TIMEOUT_S = 30
_FIRST_ERROR = 400


class Refused(LongwireError):
    """The server did not do what it was asked; the message is the server's, `status` None where it gave no answer."""

    code = "cli-1"

    def __init__(self, message: str, status: int | None = None) -> None:
        """Keep the status beside the message."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered: its document, None for none, and its headers, their names in lower case."""

    document: Any
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Api:
    """The API of the server at `url`, for the holder of `key`."""

    url: str
    key: str = field(repr=False)

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """Return the document a path below the API answers with, None for none; raises Refused."""
        return self.exchange(method, path, document).document

    def exchange(self, method: str, path: str, document: Any = None) -> Answer:
        """Return the whole answer; raises Refused.

        Redirects are not followed: the key is for this server only.
        """
        media_type = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": media_type}
        body = None if document is None else json.dumps(document)
        peer, prefix = _peer(self.url)
        try:
            peer.request(method, prefix + _BASE + path, body, headers)
            answer = peer.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"no answer from {self.url}: {error or type(error).__name__}") from error
        finally:
            peer.close()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(_read(answer.status, content), headers)


def make_api(settings: Settings, url: str | None, key: str | None) -> Api:
    """Return the API the options name, else the settings, else the server of this data folder.

    Raises Misconfigured where no key is to be found.
    """
    owner_key = settings.data / "owner.key"
    found = key or settings.key or settings.owner_key
    if found is None and owner_key.is_file():
        found = owner_key.read_text().strip()
    if not found:
        raise Misconfigured(f"a key is needed: --key, LONGWIRE_KEY, or the file {owner_key}")
    return Api((url or settings.url or f"http://localhost:{settings.port}").rstrip("/"), found)


def _peer(url: str) -> tuple[http.client.HTTPConnection, str]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Misconfigured(f"{url} is no address of a server: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Misconfigured(f"{url} is no address of a server; it begins with http:// or https://")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.hostname, port, timeout=_TIMEOUT_S), parts.path.rstrip("/")


def _read(status: int, content: bytes) -> Any:
    try:
        document = json.loads(content) if content else None
    except ValueError:
        raise Refused(f"the server answered {status} with something that is not JSON", status) from None
    if status >= _FIRST_ERROR or status < 200:  # noqa: PLR2004
        message = document.get("message") if isinstance(document, dict) else None
        raise Refused(str(message or f"the server answered {status}"), status)
    return document
