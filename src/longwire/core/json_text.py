"""Reading and splicing JSON text: strict UTF-8, bounded depth and size, equal members, bytes kept as received."""

import json
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from longwire.core.errors import InvalidInput, TooLarge

MAX_BODY_BYTES = 1024 * 1024
MAX_DEPTH = 64

# Possessive, and without a need for the closing quote: a text that never ends is read once, not once per quote.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_STRING_OR_SPACE = re.compile(rb'("(?:[^"\\]++|\\.)*+")|[ \t\r\n]+', re.DOTALL)
_BRACKETS = re.compile(rb"[][{}]")
_ROOTS = msgspec.json.Decoder(dict[str, dict[str, msgspec.Raw]])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_TEXT = msgspec.json.Decoder(str)
_ANY = msgspec.json.Decoder()
_NEGATIVE_ZERO = re.compile(rb"-0[],}\s]")


class WrittenNumber(str):
    """A number as the message spells it: one with a fraction or an exponent, or an integer that no int would keep."""

    __slots__ = ()


_TREE = msgspec.json.Decoder(float_hook=WrittenNumber)
_TREE_WRITER = msgspec.json.Encoder(enc_hook=lambda number: msgspec.Raw(number.encode()))


def check_json_bytes(body: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> None:
    """Refuse what no decoder may see: too large, not strict UTF-8, nested deeper than 64.

    Raises TooLarge or InvalidInput. It reads bytes because msgspec lets invalid UTF-8 inside raw values through.
    """
    if len(body) > max_bytes:
        raise TooLarge(f"the body is over the limit of {max_bytes} bytes")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("body", f"not UTF-8 (byte {error.start})") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise InvalidInput("body", f"nested deeper than {MAX_DEPTH}")


def _depth(body: bytes) -> int:
    """Return the deepest nesting of a text that may not be JSON at all; only a bound is needed."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"{[" else -1
        deepest = max(deepest, depth)
    return deepest


def read_document(body: bytes) -> Any:
    """Return the decoded JSON of an API body.

    Raises TooLarge, or InvalidInput for what is not JSON.
    """
    check_json_bytes(body)
    try:
        return _ANY.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidInput("body", f"not JSON: {error}") from error


def read_roots(body: bytes) -> tuple[bytes, str, dict[str, msgspec.Raw]]:
    """Return the bytes to keep, the root's name and its members as raw bytes.

    Of equal members the last wins, for the root and its members in what is kept too; deeper down the bytes stay as
    received (specification, section 6). Raises TooLarge, or InvalidInput for what is not one root with members.
    """
    check_json_bytes(body)
    try:
        roots = _ROOTS.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidInput("body", f"expected a JSON object with one root object: {error}") from error
    if len(roots) != 1:
        names = ", ".join(sorted(roots)) or "none"
        raise InvalidInput("body", f"expected one root member, got {names}")
    ((root, members),) = roots.items()
    return (body if _is_plain(body, root, members) else join_root(root, members)), root, members


def read_kept_root(body: bytes) -> tuple[str, dict[str, msgspec.Raw]]:
    """Return the root's name and members of a text that `read_roots` has let through, without checking it again."""
    ((root, members),) = _ROOTS.decode(body).items()
    return root, members


def read_kept_tree(body: bytes) -> Any:
    """Return the decoded text of what `read_roots` has let through; of equal members the last wins.

    A number is an int or, where that would lose its spelling, a WrittenNumber.
    """
    if not _NEGATIVE_ZERO.search(body):
        try:
            return _TREE.decode(body)
        except msgspec.ValidationError:  # an integer of more digits than msgspec reads
            pass
    return json.loads(body, parse_int=WrittenNumber, parse_float=WrittenNumber)


def write_tree(tree: Any) -> str:
    """Return the compact JSON of what `read_kept_tree` gave, or of a part of it."""
    return _TREE_WRITER.encode(tree).decode()


def _is_plain(body: bytes, root: str, members: Mapping[str, msgspec.Raw]) -> bool:
    """Return whether no root and no member of it stands twice.

    A compact body without escapes in names has exactly the length of its parts: then nothing can stand twice, and
    the text need not be read again. Otherwise it is read with every pair kept.
    """
    parts = 4 * len(members) + len("".join(members)) + len(b"".join(members.values()))
    if len(body) == len(root) + 6 + max(parts, 1):
        return True
    pairs = json.loads(body, object_pairs_hook=list, parse_int=str, parse_float=str)
    return len(pairs) == 1 and len({name for name, _ in pairs[0][1]}) == len(pairs[0][1])


def join_root(root: str, members: Mapping[str, msgspec.Raw]) -> bytes:
    """Return `{"root":{...}}` with the members' bytes as they are, without added white space."""
    inner = b",".join(quote(name) + b":" + bytes(raw) for name, raw in members.items())
    return b"{" + quote(root) + b":{" + inner + b"}}"


def root_content(body: bytes) -> bytes:
    """Return the object below the root, its bytes as they are; the body is as read_roots keeps it."""
    return body[body.index(b"{", body.index(b"{") + 1) : body.rindex(b"}")].rstrip()


def append_members(body: bytes, members: bytes) -> bytes:
    """Return the text with `members` (`"a":1,"b":2`) spliced in at the end of its root object.

    Every other byte stays. The body is one root object in one object, as read_roots keeps it.
    """
    root_end = body.rindex(b"}", 0, body.rindex(b"}"))
    is_empty = body[:root_end].rstrip().endswith(b"{")
    return body[:root_end] + (b"" if is_empty else b",") + members + body[root_end:]


def quote(text: str) -> bytes:
    """Return the JSON string of a text."""
    return msgspec.json.encode(text)


def object_members(raw: bytes) -> Mapping[str, msgspec.Raw] | None:
    """Return the members of a JSON object as raw bytes, or None when it is no object."""
    return _OBJECT.decode(raw) if raw[:1] == b"{" else None


def array_elements(raw: bytes) -> list[msgspec.Raw] | None:
    """Return the elements of a JSON array as raw bytes, or None when it is no array."""
    return _ARRAY.decode(raw) if raw[:1] == b"[" else None


def compact(raw: bytes) -> str:
    """Return the text of a JSON value without white space outside its strings."""
    return _STRING_OR_SPACE.sub(rb"\1", raw).decode()


def scalar_text(raw: bytes) -> str | None:
    """Return a string's content, a number as written, `true` or `false`; None for null, an object, an array."""
    match raw[:1]:
        case b'"':
            return _TEXT.decode(raw)
        case b"{" | b"[" | b"n":
            return None
        case _:
            return raw.decode("ascii")


def member_text(members: Mapping[str, msgspec.Raw], name: str) -> str:
    """Return a member's text, a number as written; empty when it is absent, null or no scalar."""
    return (scalar_text(bytes(members[name])) or "") if name in members else ""
