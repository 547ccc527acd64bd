"""Bytes to HTTP/1.1 requests within limits, and answers back to bytes; no sockets here."""

from dataclasses import dataclass, field, replace
from http import HTTPStatus

import httptools

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 2 * 1024 * 1024

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_NO_LENGTH = frozenset({204, 304})
_RESET_CONTENT = 205


@dataclass(frozen=True, slots=True)
class ParsedRequest:
    """One complete request; `keep_alive` says whether another may follow on the connection."""

    method: str
    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Why the bytes are no request, or one over a limit: answer with `status` and close."""

    status: int
    reason: str


@dataclass(slots=True)
class _Draft:
    """A request while its bytes are still coming."""

    target: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    head_bytes: int = 0


class RequestParser:
    """Reads one connection; the `on_*` methods are httptools' callbacks, `feed` is what to call."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._draft = _Draft()
        self._complete: list[ParsedRequest] = []
        self._failure: ParseFailure | None = None
        self._undigested_bytes = 0
        self.wants_continue = False
        """The client waits for `100 Continue` before it sends the body."""

    def feed(self, chunk: bytes) -> tuple[list[ParsedRequest], ParseFailure | None]:
        """Return the requests that are complete now, and what went wrong after them, if anything."""
        self._complete = []
        self._undigested_bytes += len(chunk)
        try:
            self._parser.feed_data(chunk)
        except httptools.HttpParserUpgrade:
            # Nothing is upgraded here: the request is answered as any other, what follows is not HTTP.
            self._complete = [replace(request, keep_alive=False) for request in self._complete]
        except httptools.HttpParserError as error:
            self._fail(HTTPStatus.BAD_REQUEST, str(error))
        if self._undigested_bytes > MAX_HEAD_BYTES:
            # The parser collects a header until its line ends: that one line is over the limit already.
            self._fail(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "a header has no end")
        return self._complete, self._failure

    def on_url(self, part: bytes) -> None:
        """Collect the target; httptools gives it in pieces."""
        self._draft.target += part
        self._count_head(len(part))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect one header, or one trailer."""
        if self._count_head(len(name) + len(value) + 4):
            self._draft.headers.append((_to_text(name), _to_text(value)))
            self.wants_continue |= name.lower() == b"expect" and value.lower() == b"100-continue"

    def on_body(self, part: bytes) -> None:
        """Collect the body up to its limit."""
        self._undigested_bytes = 0
        self.wants_continue = False
        if len(self._draft.body) + len(part) > MAX_BODY_BYTES:
            self._fail(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {MAX_BODY_BYTES} bytes")
        if self._failure is None:
            self._draft.body += part

    def on_message_complete(self) -> None:
        """Turn the draft into a request, unless a limit was passed before."""
        self._undigested_bytes = 0
        self.wants_continue = False
        draft, self._draft = self._draft, _Draft()
        if self._failure is None:
            self._complete.append(
                ParsedRequest(
                    method=_to_text(self._parser.get_method()),
                    path=_to_text(draft.target),
                    headers=tuple(draft.headers),
                    body=bytes(draft.body),
                    keep_alive=self._parser.should_keep_alive(),
                )
            )

    def _count_head(self, size: int) -> bool:
        self._undigested_bytes = 0
        self._draft.head_bytes += size
        if self._draft.head_bytes > MAX_HEAD_BYTES:
            self._fail(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"headers over {MAX_HEAD_BYTES} bytes")
        return self._failure is None

    def _fail(self, status: HTTPStatus, reason: str) -> None:
        # The first failure is the cause, later ones are its consequences.
        self._failure = self._failure or ParseFailure(status, reason)


def _to_text(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")


def write_answer(status: int, content_type: str, body: bytes, *, keep_alive: bool) -> bytes:
    """Return a whole response; for a status that has no body (RFC 9110, section 15) the body is left out."""
    content = b"" if status in _NO_LENGTH or status == _RESET_CONTENT else body
    head = f"HTTP/1.1 {status} {_REASONS.get(status, 'As Told')}\r\n"
    if status not in _NO_LENGTH:
        head += f"Content-Type: {content_type}\r\nContent-Length: {len(content)}\r\n"
    head += f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n"
    head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    head += "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\r\n"
    return head.encode("ascii") + content
