"""From the bytes of a socket to one answer: where its head ends, where its body ends, what may follow.

The answer is the final status line with its complete header block (specification, section 4). Once that is
there nothing takes it back: what goes wrong later only sets `truncated` and forbids another exchange.
"""

import httptools

from longwire.net.salvage import NotHttp, read_head

# Both limits: specification, section 15.
HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 64 * 1024
# Chunk framing and trailers cost no memory, but must not be read without end either.
_WIRE_LIMIT = 1024 * 1024
_INTERIM_LIMIT = 100

_FIRST_STATUS = 100
_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL = 200

Headers = tuple[tuple[str, str], ...]


class ResponseReader:
    """Reads one answer at a time from one socket; `restart` makes it ready for the next.

    After `feed` or `end` returns True the answer is decided: `has_head` says that there is one (`status`,
    `headers`, `body`, `truncated`), else `problem` says in a sentence why there will be none. `reusable` says
    that the socket stands exactly at the end of the answer, `has_bytes` that anything came at all.
    """

    __slots__ = (
        "_body_bytes",
        "_chunks",
        "_ended",
        "_fields",
        "_interim",
        "_is_interim",
        "_keep_alive",
        "_overrun",
        "_parser",
        "_pieces",
        "_salvaged_to",
        "_wire_bytes",
        "has_bytes",
        "has_head",
        "headers",
        "problem",
        "status",
        "truncated",
    )

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.restart()

    def restart(self) -> None:
        """Forget the last answer and be ready for the next on the same socket."""
        self.has_bytes = False
        self.has_head = False
        self.status = 0
        self.headers: Headers = ()
        self.truncated = False
        self.problem: str | None = None
        self._fields: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self._wire_bytes = 0
        self._interim = 0
        self._is_interim = False
        self._ended = False
        self._overrun = False
        self._keep_alive = False
        self._salvaged_to: int | None = None

    @property
    def body(self) -> bytes:
        """Return what came of the body, at most 64 KiB."""
        return b"".join(self._chunks)

    @property
    def reusable(self) -> bool:
        """Return whether another request may follow on this socket."""
        return self._keep_alive and not self._overrun and not self.truncated

    def feed(self, piece: bytes) -> bool:
        """Take the next bytes; return whether the answer is decided."""
        self.has_bytes = True
        self._wire_bytes += len(piece)
        if not self.has_head:
            self._pieces.append(piece)
        if self._salvaged_to is None:
            self._parse(piece)
        else:
            self._salvage(self._salvaged_to, self._wire_bytes - len(piece))
        if not self.has_head:
            return self._is_hopeless()
        if self._wire_bytes > _WIRE_LIMIT and not self._ended:
            self.truncated = True
        return self._ended or self.truncated

    def end(self, *, clean: bool) -> bool:
        """Take the end of the socket (`clean`: closed, not reset); return whether there is an answer."""
        if self.has_head and not self._ended:
            self._ended = True
            self.truncated = self.truncated or not (clean and self._ends_with_socket())
        return self.has_head

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Notice bytes after the end of the answer: an answer to nothing we asked."""
        if self._ended:
            self._overrun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; trailers come this way too and are dropped."""
        if not self.has_head:
            self._fields.append((name, value))

    def on_headers_complete(self) -> None:
        """Tell an interim answer from the final one, which counts from here on."""
        if not self.has_head:
            self._take_head(self._parser.get_status_code(), self._fields)

    def on_body(self, piece: bytes) -> None:
        """Keep the body up to its limit."""
        if self.has_head and not self._ended:
            self._take_body(piece)

    def on_message_complete(self) -> None:
        """Note where the answer ends; after an interim one start over."""
        if self._is_interim:
            self._is_interim = False
            self._fields = []
        elif self.has_head and not self._ended:
            self._ended = True
            self._keep_alive = self.status != _SWITCHING_PROTOCOLS and self._parser.should_keep_alive()

    def _parse(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserCallbackError:  # a bug of ours
            raise
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._ended:
                self._overrun = True
            elif self.has_head:
                self.truncated = True
            elif self.problem is None:
                self._salvage(0, 0)

    def _salvage(self, start: int, seen: int) -> None:
        """Read the head again from `start` of what came; of its body only what is there already.

        `seen` bytes were there when this was done the last time.
        """
        raw = b"".join(self._pieces)
        self._pieces = [raw]
        self._salvaged_to = start
        try:
            while not self._is_over() and (head := read_head(raw, self._salvaged_to, seen)):
                self._salvaged_to = head.end
                self._take_head(head.status, head.fields)
        except NotHttp as error:
            self.problem = str(error)
        if self.has_head:
            self._take_body(raw[self._salvaged_to :])
            self.truncated = True

    def _is_over(self) -> bool:
        return self.has_head or self.problem is not None

    def _take_head(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        self._is_interim = _FIRST_STATUS <= status < _FIRST_FINAL and status != _SWITCHING_PROTOCOLS
        if self._is_interim:
            self._interim += 1
        elif status < _FIRST_STATUS or (
            self._salvaged_to is None and self._parser.get_http_version()[0] != "1"
        ):
            self.problem = "the answer does not begin with an HTTP/1.1 status line"
        elif self._wire_bytes > HEAD_LIMIT and _size(fields) > HEAD_LIMIT:
            self.problem = _TOO_LONG
        else:
            self.status = status
            self.headers = tuple(
                [(n.decode("latin-1"), v.decode("latin-1").rstrip(" \t")) for n, v in fields]
            )
            self.has_head = True

    def _take_body(self, piece: bytes) -> None:
        room = BODY_LIMIT - self._body_bytes
        if len(piece) > room:
            piece = piece[:room]
            self.truncated = True
        self._chunks.append(piece)
        self._body_bytes += len(piece)

    def _is_hopeless(self) -> bool:
        if self.problem is None and self._interim > _INTERIM_LIMIT:
            self.problem = f"more than {_INTERIM_LIMIT} interim answers and no final one"
        if self.problem is None and self._wire_bytes > HEAD_LIMIT:
            self.problem = _TOO_LONG
        return self.problem is not None

    def _ends_with_socket(self) -> bool:
        """Return whether the end of the socket is the end of the body. Source: RFC 9112, section 6.3."""
        for name, value in self.headers:
            if name.lower() == "content-length":
                return False
            if name.lower() == "transfer-encoding" and value.lower().endswith("chunked"):
                return False
        return True


_TOO_LONG = f"the header of the answer is longer than {HEAD_LIMIT // 1024} KiB"


def _size(fields: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in fields)
