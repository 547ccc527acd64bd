"""ThingPark's XML: the same message as its untyped JSON (specification, section 8).

Read by expat with handlers of our own: a DOCTYPE ends it, so there are no entities but XML's five; elements and their
depth are counted while they come, so that no tree is built of what will be refused. Attributes are dropped.
"""

from typing import NoReturn
from xml.parsers import expat

import msgspec

from longwire.core import json_text
from longwire.core.errors import InvalidInput, TooLarge
from longwire.core.message import MAX_MESSAGE_BYTES

NAMESPACE = "http://uri.actility.com/lora"
MAX_ELEMENTS = 5000
_LISTS = frozenset({"Lrr"})
_JSON_INSIDE = frozenset({"CustomerData", "BaseStationData", "DriverCfg"})


def to_json(body: bytes) -> bytes:
    """Return the JSON text of an XML message: scalars are strings, an empty element is `""`.

    Elements that repeat become an array, `Lrr` always; what holds a JSON object as its text becomes that object.
    Raises TooLarge, or InvalidInput for what is no such XML in UTF-8.
    """
    if len(body) > MAX_MESSAGE_BYTES:
        raise TooLarge(f"a message may have {MAX_MESSAGE_BYTES} bytes, this one has {len(body)}")
    builder = _Builder()
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.XmlDeclHandler = _check_encoding
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = builder.start
    parser.CharacterDataHandler = builder.text
    parser.EndElementHandler = builder.end
    _check_utf_8(body)
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise InvalidInput("body", f"not well-formed XML: {error}") from error
    return builder.json


class _Element:
    """An element that is still open: the JSON of its inner elements by name, and its text."""

    __slots__ = ("inner", "name", "texts")

    def __init__(self, name: str) -> None:
        self.name = name
        self.inner: dict[str, list[bytes]] = {}
        self.texts: list[str] = []


class _Builder:
    """Makes JSON of the elements as they come."""

    def __init__(self) -> None:
        self.json = b""
        self._open: list[_Element] = []
        self._count = 0

    def start(self, qualified: str, _attributes: dict[str, str]) -> None:
        namespace, _, name = qualified.rpartition(" ")
        if namespace not in {NAMESPACE, ""}:
            _refuse(f"element {name[:40]!r} is not of the namespace {NAMESPACE}")
        self._count += 1
        if self._count > MAX_ELEMENTS:
            _refuse(f"more than {MAX_ELEMENTS} elements")
        if len(self._open) >= json_text.MAX_DEPTH:
            _refuse(f"nested deeper than {json_text.MAX_DEPTH}")
        self._open.append(_Element(name))

    def text(self, text: str) -> None:
        self._open[-1].texts.append(text)

    def end(self, _qualified: str) -> None:
        element = self._open.pop()
        value = _value(element)
        if self._open:
            self._open[-1].inner.setdefault(element.name, []).append(value)
        elif value.startswith(b"{"):
            self.json = b"{" + json_text.quote(element.name) + b":" + value + b"}"
        else:
            _refuse(f"expected elements in the root element {element.name[:40]!r}")


def _value(element: _Element) -> bytes:
    text = "".join(element.texts)
    if not element.inner:
        return (_json_inside(text) if element.name in _JSON_INSIDE else None) or json_text.quote(text)
    if text.strip():
        _refuse(f"element {element.name[:40]!r} holds text beside its elements")
    members = (
        json_text.quote(name) + b":" + _one_or_list(name, values) for name, values in element.inner.items()
    )
    return b"{" + b",".join(members) + b"}"


def _one_or_list(name: str, values: list[bytes]) -> bytes:
    return b"[" + b",".join(values) + b"]" if len(values) > 1 or name in _LISTS else values[0]


def _json_inside(text: str) -> bytes | None:
    """Return the bytes of a JSON object, None for any other text."""
    raw = text.strip().encode()
    try:
        return None if json_text.object_members(raw) is None else raw
    except (msgspec.MsgspecError, RecursionError):
        return None


def _check_utf_8(body: bytes) -> None:
    """Refuse what is in another encoding, which expat would find out and follow."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput("body", f"not UTF-8 (byte {error.start})") from error
    if b"\0" in body:
        _refuse("not UTF-8 (it looks like UTF-16)")


def _check_encoding(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in {"utf-8", "us-ascii"}:
        _refuse(f"expected XML in UTF-8, got {encoding[:40]!r}")


def _refuse_doctype(*_declaration: object) -> None:
    _refuse("XML with a DOCTYPE is not read")


def _refuse(problem: str) -> NoReturn:
    raise InvalidInput("body", problem)
