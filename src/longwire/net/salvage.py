"""Reads the head of an answer that the strict parser refuses, because its status counts all the same.

Refused there and read here: two lengths, a negative length, a length beside chunks (who is right does not
matter: the socket is dropped), bare line feeds, folded lines, a space before the colon.
"""

import re
from dataclasses import dataclass

_BEGINS = b"HTTP/1."
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] +([1-9][0-9]{2})(?: .*)?", re.DOTALL)
# Blanks belong to the value as well as before it: without the possessive `*+` a line that ends in a control character
# is tried at each of its blanks, which takes half a minute for 60 KB of them.
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]++)[ \t]*+:[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*+)")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_END_BYTES = 3


class NotHttp(Exception):
    """What came is no head of HTTP/1.1; the text says what it is."""


@dataclass(frozen=True, slots=True)
class Head:
    """A status line with its header block, and where in the bytes the rest begins."""

    status: int
    fields: list[tuple[bytes, bytes]]
    end: int


def read_head(raw: bytes, start: int, seen: int) -> Head | None:
    """Return the head that begins at `start`, or None while more of it must come.

    `seen` is how many of the bytes were there at the last call, so that a head that comes in a thousand pieces is
    not searched a thousand times. Errors: NotHttp, as soon as it is certain.
    """
    start = len(raw) - len(raw[start:].lstrip(b"\r\n"))
    newline = raw.find(b"\n", start)
    if newline < 0:
        begins = raw[start : start + len(_BEGINS)]
        if not _BEGINS.startswith(begins):
            raise NotHttp(_no_status_line(raw[start:]))
        return None
    status_line = _STATUS_LINE.fullmatch(raw[start:newline].rstrip(b"\r"))
    if status_line is None:
        raise NotHttp(_no_status_line(raw[start:newline]))
    blank = _END_OF_HEAD.search(raw, max(newline, seen - _END_BYTES + 1))
    if blank is None:
        return None
    return Head(int(status_line[1]), _read_fields(raw[newline + 1 : blank.start()]), blank.end())


def _read_fields(block: bytes) -> list[tuple[bytes, bytes]]:
    fields: list[tuple[bytes, bytes]] = []
    for line in _unfolded(block):
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            raise NotHttp(f"a header of the answer cannot be read: {_shown(line)}")
        fields.append((field[1], field[2]))
    return fields


def _unfolded(block: bytes) -> list[bytes]:
    """Return the lines; one that begins with a blank goes on with the line before. Source: RFC 9112, section 5.2."""
    lines: list[list[bytes]] = []
    for line in (line.rstrip(b"\r") for line in block.split(b"\n") if block):
        if line[:1] in {b" ", b"\t"} and lines:
            lines[-1].append(line.strip(b" \t"))
        else:
            lines.append([line])
    return [b" ".join(parts) for parts in lines]


def _no_status_line(line: bytes) -> str:
    return f"the answer does not begin with an HTTP/1.1 status line: {_shown(line)}"


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("latin-1"))
