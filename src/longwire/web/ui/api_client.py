"""The API as the pages use it: in this process, as the person who is signed in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Litestar

from longwire.core.access import Author, Right
from longwire.web.api import BASE
from longwire.web.shapes import hide_downlink_addresses

JSON = b"application/json"


class Refused(Exception):
    """The API did not do it: its status, its message, and the field at fault where one is."""

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        """Keep what the API said."""
        super().__init__(error.get("message", "the API gave no reason"))
        self.status = status
        data = error.get("data") or {}
        first = {"field": data.get("field") or "", "message": str(self)}
        self.problems: list[dict[str, str]] = data.get("errors") or [first]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API answered: its body, and its headers in lower case."""

    body: bytes
    headers: Mapping[str, str]

    @property
    def document(self) -> Any:
        """Return the document of the body; None where there is none."""
        return msgspec.json.decode(self.body) if self.body else None

    @property
    def members(self) -> dict[str, msgspec.Raw]:
        """Return the members of the document as the text they are: a message holds numbers that no float can."""
        found: dict[str, msgspec.Raw] = msgspec.json.decode(self.body, type=dict[str, msgspec.Raw])
        return found

    @property
    def total(self) -> int:
        """Return how many there are behind a page of a list."""
        return int(self.headers.get("x-total", 0))


@dataclass(frozen=True, slots=True)
class Api:
    """Calls the API as one person, for one request of a page."""

    app: Litestar
    author: Author
    correlation_id: str

    async def get(self, path: str, **query: Any) -> Answer:
        """Return what a path shows; parameters that are None or empty are left out."""
        given = [(name, value) for name, value in query.items() if value or value == 0]
        return await self.call("GET", path, query=urlencode(given, doseq=True))

    async def call(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        query: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer of a call; raises Refused for any status that is no success."""
        identity = self.author.identity
        body = b"" if document is None else msgspec.json.encode(document)
        media = b"application/merge-patch+json" if method == "PATCH" else JSON
        given = [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": f"{BASE}{path}",
            "raw_path": f"{BASE}{path}".encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [
                *given,
                *([(b"content-type", media), (b"content-length", b"%d" % len(body))] if body else []),
            ],
            "client": None,
            "server": None,
            "state": {"correlation_id": self.correlation_id, "identity": identity, "author": self.author},
        }
        hides = not identity.may(Right.SEND_DOWNLINKS)
        return _read(await _run(self.app, scope, body), hide_downlink_addresses if hides else bytes)


async def _run(app: Litestar, scope: Any, body: bytes) -> list[Any]:
    """Return what the application sent for a request."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        sent.append(event)

    await app(scope, receive, send)
    return sent


def _read(sent: list[Any], shown: Callable[[bytes], bytes]) -> Answer:
    status: int = sent[0]["status"]
    body = shown(b"".join(event.get("body", b"") for event in sent[1:]))
    answer = Answer(body, {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]})
    if status >= 300:  # noqa: PLR2004
        document = answer.document
        raise Refused(status, document if isinstance(document, dict) else {})
    return answer
