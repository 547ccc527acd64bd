"""Patterns: `{DevEUI}`, `{CustomerData.name|DevEUI|'None'}` in header values and URLs (specification, section 7).

A pattern is compiled once, when it is saved, into literal parts and placeholders; a placeholder is a list of
alternatives, the first that yields a value wins. `{{` and `}}` are literal braces.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from longwire.core import json_text
from longwire.core.errors import InvalidInput, NotAvailableYet

MAX_RENDERED_BYTES = 8 * 1024

Members = Mapping[str, msgspec.Raw]

_CLOSERS = {"[": "]", "(": ")"}
_NOT_IN_A_NAME = frozenset("{}[]()'\"/|$@")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Path:
    """A name or dotted path, relative to the content of the message's root object."""

    names: tuple[str, ...]


Alternative = Literal | Path


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{a|b|'c'}`; `source` is the text between the braces."""

    source: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern; `source` is the text it was compiled from."""

    source: str
    parts: tuple[Literal | Placeholder, ...]
    is_literal: bool
    """No placeholder: it renders to the same text for every message."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text, and which placeholders had no value (they became empty)."""

    text: str
    missing: tuple[str, ...]


def compile_pattern(source: str, field: str) -> Pattern:
    """Return the compiled pattern; raises InvalidInput with the position of what is wrong (0 is the first)."""
    parts: list[Literal | Placeholder] = []
    literal: list[str] = []
    at = 0
    while at < len(source):
        if source[at] not in "{}" or source[at : at + 2] in {"{{", "}}"}:
            literal.append(source[at])
            at += 2 if source[at] in "{}" else 1
        elif source[at] == "}":
            raise _syntax_error(field, at, "a single '}'; write '}}' for a literal brace")
        else:
            end = _end_of_placeholder(source, at, field)
            if literal:
                parts.append(Literal("".join(literal)))
                literal = []
            parts.append(_placeholder(source, at + 1, end, field))
            at = end + 1
    if literal:
        parts.append(Literal("".join(literal)))
    return make_pattern(source, parts)


def make_pattern(source: str, parts: Iterable[Literal | Placeholder]) -> Pattern:
    """Return the pattern of compiled parts."""
    whole = tuple(parts)
    return Pattern(source, whole, all(isinstance(part, Literal) for part in whole))


def render(pattern: Pattern, members: Members, encode: Callable[[str], str] = str) -> Rendered:
    """Return the pattern's text for the members of a message's root object.

    `encode` is applied to each value, not to the literal parts.
    """
    texts: list[str] = []
    missing: list[str] = []
    for part in pattern.parts:
        if isinstance(part, Literal):
            texts.append(part.text)
            continue
        value = _first_value(part, members)
        if value is None:
            missing.append(part.source)
        else:
            texts.append(encode(value))
    return Rendered("".join(texts), tuple(missing))


def _first_value(placeholder: Placeholder, members: Members) -> str | None:
    for alternative in placeholder.alternatives:
        value = alternative.text if isinstance(alternative, Literal) else _value_at(alternative, members)
        if value is not None:
            return value
    return None


def _value_at(path: Path, members: Members) -> str | None:
    """Return the value's text: a number as written, an object or array as compact JSON; None for null."""
    level: Members | None = members
    raw = b""
    for name in path.names:
        if level is None or name not in level:
            return None
        raw = bytes(level[name])
        level = json_text.object_members(raw)
    return json_text.compact(raw) if raw[:1] in {b"{", b"["} else json_text.scalar_text(raw)


def _end_of_placeholder(source: str, start: int, field: str) -> int:
    """Return the position of the `}` that ends the placeholder which begins at `start`."""
    for at in _outside_quotes_and_brackets(source, start + 1, field):
        if source[at] == "}":
            return at
        if source[at] == "{":
            raise _syntax_error(field, at, "a '{' inside a pattern")
    raise _syntax_error(field, start, "this '{' has no '}'; write '{{' for a literal brace")


def _placeholder(source: str, start: int, end: int, field: str) -> Placeholder:
    bounds = [start - 1]
    bounds += [at for at in _outside_quotes_and_brackets(source[:end], start, field) if source[at] == "|"]
    bounds.append(end)
    alternatives = tuple(
        _alternative(source[left + 1 : right], left + 1, field) for left, right in itertools.pairwise(bounds)
    )
    return Placeholder(source[start:end], alternatives)


def _outside_quotes_and_brackets(source: str, start: int, field: str) -> list[int]:
    """Return the positions from `start` that stand in no quotes, brackets or regular expression inside these."""
    positions: list[int] = []
    closers: list[str] = []
    at = start
    while at < len(source):
        character = source[at]
        if character == "'" or (character == "/" and closers):
            at = _end_of_quoted(source, at, field) + 1
            continue
        if character in _CLOSERS:
            closers.append(_CLOSERS[character])
        elif closers and character == closers[-1]:
            closers.pop()
        elif not closers:
            positions.append(at)
            if character == "}":
                break
        at += 1
    return positions


def _end_of_quoted(source: str, start: int, field: str) -> int:
    """Return where the quoted text or regular expression that begins at `start` ends; a backslash escapes."""
    at = start + 1
    while at < len(source):
        if source[at] == "\\":
            at += 1
        elif source[at] == source[start]:
            return at
        at += 1
    raise _syntax_error(field, start, f"this {source[start]} has no end")


def _alternative(text: str, at: int, field: str) -> Alternative:
    stripped = text.strip()
    if stripped.startswith("$"):
        raise NotAvailableYet(f"{field}: JsonPath in patterns (position {at})", field=field)
    if stripped.startswith("'"):
        return _quoted(stripped, at, field)
    names = tuple(name.strip() for name in stripped.split("."))
    if not all(names):
        raise _syntax_error(field, at, "a name is missing")
    if wrong := _NOT_IN_A_NAME.intersection(stripped):
        raise _syntax_error(field, at, f"a name cannot hold {min(wrong)}")
    return Path(names)


def _quoted(text: str, at: int, field: str) -> Literal:
    end = _end_of_quoted(text, 0, field)
    if end != len(text) - 1:
        raise _syntax_error(field, at, f"unexpected text after {text[: end + 1]}")
    return Literal(text[1:-1].replace("\\'", "'").replace("\\\\", "\\"))


def _syntax_error(field: str, at: int, problem: str) -> InvalidInput:
    return InvalidInput(field, f"pattern syntax error at position {at}: {problem}")
