"""Patterns: `{DevEUI}`, `{CustomerData.name|DevEUI|'None'}`, `{$..tags[0]}` in header values and URLs.

(specification, section 7) A pattern is compiled once, when it is saved, into literal parts and placeholders; a
placeholder is a list of alternatives, the first that yields a value wins. `{{` and `}}` are literal braces.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from longwire.core import json_text
from longwire.core.errors import InvalidInput
from longwire.core.jsonpath import JsonPath, Name, find
from longwire.core.jsonpath_conditions import read_path
from longwire.core.jsonpath_functions import MISSING
from longwire.core.reading import OverBudget, Reading
from longwire.core.scanner import Scanner, SyntaxProblem

MAX_RENDERED_BYTES = 8 * 1024

_BRACE = re.compile(r"[{}]")
_END_OF_ALTERNATIVE = re.compile(r"[|}]")
_NOT_IN_A_NAME = re.compile(r"[{}\[\]()'\"/|$@]")


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that stands for itself."""

    text: str


@dataclass(frozen=True, slots=True)
class Path:
    """A name or dotted path, relative to the content of the message's root object.

    Where it was written from the document (`$.DevEUI_uplink.FPort`), only messages with that `root` have it.
    """

    names: tuple[str, ...]
    root: str | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """Any other JsonPath, as written and as compiled."""

    source: str
    path: JsonPath = field(compare=False, repr=False)


Alternative = Literal | Path | Query


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
    steps: int
    """What rendering it costs at least (see `reading.MAX_STEPS`)."""


class Rendered(msgspec.Struct, frozen=True):
    """The text, and which placeholders had no value (they became empty)."""

    text: str
    missing: tuple[str, ...]


def compile_pattern(source: str, field: str) -> Pattern:
    """Return the compiled pattern; raises InvalidInput with the position of what is wrong (0 is the first)."""
    try:
        return make_pattern(source, _parts(Scanner(source)))
    except SyntaxProblem as wrong:
        raise InvalidInput(field, f"pattern syntax error at position {wrong.at}: {wrong.problem}") from None


def make_pattern(source: str, parts: Iterable[Literal | Placeholder]) -> Pattern:
    """Return the pattern of compiled parts."""
    whole = tuple(parts)
    placeholders = [part for part in whole if isinstance(part, Placeholder)]
    steps = sum(len(each.alternatives) for each in placeholders)
    return Pattern(source, whole, is_literal=not placeholders, steps=steps)


def render(pattern: Pattern, reading: Reading, encode: Callable[[str], str] = str) -> Rendered:
    """Return the pattern's text for a message.

    `encode` is applied to each value, not to the literal parts. Raises OverBudget when the text is over 8 KiB, or when
    the patterns of this reading take too much work.
    """
    reading.spend(pattern.steps)
    texts: list[str] = []
    missing: list[str] = []
    room = MAX_RENDERED_BYTES
    for part in pattern.parts:
        if isinstance(part, Literal):
            text = part.text
        else:
            value = _first_value(part, reading)
            if value is None:
                missing.append(part.source)
                continue
            text = encode(value) if len(value) <= room else value
        room -= len(text)
        if room < 0:
            raise _too_long()
        texts.append(text)
    return Rendered("".join(texts), tuple(missing))


def _too_long() -> OverBudget:
    return OverBudget(f"longer than {MAX_RENDERED_BYTES} bytes once rendered")


def _first_value(placeholder: Placeholder, reading: Reading) -> str | None:
    for alternative in placeholder.alternatives:
        if isinstance(alternative, Path):
            value = _value_at(alternative, reading)
        elif isinstance(alternative, Literal):
            value = alternative.text
        else:
            value = _found(alternative.path, reading)
        if value is not None:
            return value
    return None


def _value_at(path: Path, reading: Reading) -> str | None:
    """Return the value's text: a number as written, an object or array as compact JSON; None for null."""
    if path.root is not None and path.root != reading.root:
        return None
    found = reading.members.get(path.names[0])
    for name in path.names[1:]:
        if found is None:
            return None
        raw = bytes(found)
        reading.spend(len(raw) >> 6)
        found = (json_text.object_members(raw) or {}).get(name)
    if found is None:
        return None
    raw = bytes(found)
    if raw[:1] in {b"{", b"["}:
        reading.spend(len(raw) >> 3)
        return json_text.compact(raw)
    return json_text.scalar_text(raw)


def _found(path: JsonPath, reading: Reading) -> str | None:
    """Return the text of what a path finds: of one hit that, of several all, joined; None for nothing but null."""
    found = find(path, None, reading)
    if not path.is_many or found is MISSING:
        return _text(found)
    reading.spend(len(found))
    texts = []
    room = MAX_RENDERED_BYTES
    for hit in found:
        text = _text(hit)
        texts.append(text)
        room -= len(text or "") + 1
        if room < -1:
            raise _too_long()
    return ",".join(text or "" for text in texts) if any(text is not None for text in texts) else None


def _text(value: Any) -> str | None:
    if value is None or value is MISSING:
        return None
    if isinstance(value, str):
        return str(value)
    return json_text.write_tree(value)


def _parts(scanner: Scanner) -> Iterator[Literal | Placeholder]:
    literal = ""
    while scanner.next:
        literal += scanner.take_until(_BRACE)
        if scanner.take("{{"):
            literal += "{"
        elif scanner.take("}}"):
            literal += "}"
        elif scanner.next == "}":
            scanner.fail("a single '}'; write '}}' for a literal brace")
        elif scanner.next == "{":
            if literal:
                yield Literal(literal)
                literal = ""
            yield _placeholder(scanner)
    if literal:
        yield Literal(literal)


def _placeholder(scanner: Scanner) -> Placeholder:
    start = scanner.at
    scanner.take("{")
    alternatives = [_alternative(scanner, start)]
    while scanner.take("|"):
        alternatives.append(_alternative(scanner, start))
    scanner.take("}")
    return Placeholder(scanner.text[start + 1 : scanner.at - 1], tuple(alternatives))


def _alternative(scanner: Scanner, start: int) -> Alternative:
    """Read an alternative of the placeholder that begins at `start`; stand before the `|` or `}` behind it."""
    alternative: Alternative
    begin = scanner.skip_spaces()
    if begin == "$":
        alternative = _json_path(scanner)
    elif begin == "'":
        alternative = Literal(scanner.take_quoted().replace("\\'", "'").replace("\\\\", "\\"))
    else:
        alternative = _dotted_path(scanner)
    if not scanner.skip_spaces():
        scanner.fail("this '{' has no '}'; write '{{' for a literal brace", start)
    if scanner.next not in "|}":
        scanner.fail(
            f"unexpected text; expected '|' or '}}' after {scanner.text[start + 1 : scanner.at].strip()}"
        )
    return alternative


def _json_path(scanner: Scanner) -> Path | Query:
    """Return a plain chain of names as a Path, which is cheaper to follow."""
    start = scanner.at
    path = read_path(scanner)
    names = [step.name for step in path.steps if isinstance(step, Name)]
    if len(names) > 1 and len(names) == len(path.steps) and path.function is None:
        return Path(tuple(names[1:]), root=names[0])
    return Query(scanner.text[start : scanner.at], path)


def _dotted_path(scanner: Scanner) -> Path:
    start = scanner.at
    text = scanner.take_until(_END_OF_ALTERNATIVE)
    names = tuple(name.strip() for name in text.split("."))
    if scanner.next and not all(names):
        scanner.fail("a name is missing", start)
    wrong = _NOT_IN_A_NAME.search(text)
    if scanner.next and wrong is not None:
        scanner.fail(f"a name cannot hold {wrong[0]}; a JsonPath begins with '$'", start + wrong.start())
    return Path(names)
