"""JSON texts as anybody may write them: white space, escapes, odd numbers, equal members."""

import json
from dataclasses import dataclass

from hypothesis import strategies as st

SPACE = st.text(" \t\r\n", max_size=2)
PLAIN = st.characters(exclude_categories=["Cs"], exclude_characters='"\\', min_codepoint=0x20)
ESCAPES = st.sampled_from(
    ['\\"', "\\\\", "\\/", "\\b", "\\n", "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\\u0000", "{", "]", "}"]
)
STRING = st.lists(PLAIN | ESCAPES, max_size=6).map(lambda parts: f'"{"".join(parts)}"')
NUMBER = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
SCALAR = STRING | NUMBER | st.sampled_from(["true", "false", "null"])


def _listed(opening: str, parts: list[str], closing: str) -> str:
    return opening + ",".join(parts) + closing


def _padded(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(SPACE, part, SPACE).map("".join)


def _pairs(value: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.tuples(_padded(STRING), _padded(value)).map(":".join), max_size=3)


VALUE = st.recursive(
    SCALAR,
    lambda inner: (
        st.lists(_padded(inner), max_size=3).map(lambda parts: _listed("[", parts, "]"))
        | _pairs(inner).map(lambda parts: _listed("{", parts, "}"))
    ),
    max_leaves=6,
)


@dataclass(frozen=True, slots=True)
class RootText:
    """A text with one root object; `members` are the texts of its names and values, in order."""

    text: str
    root: str
    members: tuple[tuple[str, str], ...]

    @property
    def body(self) -> bytes:
        return self.text.encode()

    @property
    def names(self) -> list[str]:
        return [json.loads(name) for name, _ in self.members]


@st.composite
def root_texts(draw: st.DrawFn) -> RootText:
    """Return texts such as `{ "root" : { "a" : 1 } }`; now and then a name stands twice."""
    names = draw(st.lists(STRING | st.sampled_from(['"a"', '"\\u0061"', '"b"']), max_size=4))
    members = tuple((name, draw(VALUE)) for name in names)
    pairs = [f"{draw(SPACE)}{name}{draw(SPACE)}:{draw(SPACE)}{value}{draw(SPACE)}" for name, value in members]
    root = draw(STRING)
    inner = _listed("{", pairs, "}")
    text = f"{draw(SPACE)}{{{draw(SPACE)}{root}{draw(SPACE)}:{draw(SPACE)}{inner}{draw(SPACE)}}}{draw(SPACE)}"
    return RootText(text, json.loads(root), members)
