"""A text read from left to right, by the parser of patterns and that of JsonPath; what is wrong has a position."""

import re
from typing import NoReturn

_SPACES = frozenset(" \t\r\n")
_QUOTED = {quote: re.compile(rf"((?:[^{quote}\\]++|\\.)*+){quote}", re.DOTALL) for quote in ("'", '"', "/")}
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_HEX_DIGITS = 4


class SyntaxProblem(Exception):
    """What cannot be read, and where; 0 is the first character."""

    def __init__(self, at: int, problem: str) -> None:
        """Keep both."""
        super().__init__(problem)
        self.at = at
        self.problem = problem


class Scanner:
    """A text and how far it has been read."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        """Begin at the first character."""
        self.text = text
        self.at = 0

    @property
    def next(self) -> str:
        """Return the next character, empty at the end."""
        return self.text[self.at : self.at + 1]

    def skip_spaces(self) -> str:
        """Return the next character that is no white space, and stand before it."""
        text = self.text
        while text[self.at : self.at + 1] in _SPACES:
            self.at += 1
        return text[self.at : self.at + 1]

    def take(self, expected: str) -> bool:
        """Return whether the text goes on with `expected`, and stand after it if so."""
        if not self.text.startswith(expected, self.at):
            return False
        self.at += len(expected)
        return True

    def expect(self, expected: str, where: str) -> None:
        """Take `expected`, after white space; else fail with `where` it is missing."""
        self.skip_spaces()
        if not self.take(expected):
            self.fail(f"expected {expected!r} {where}")

    def take_until(self, ends: re.Pattern[str]) -> str:
        """Return the characters up to the first that `ends`, or all that are left."""
        start = self.at
        end = ends.search(self.text, start)
        self.at = end.start() if end else len(self.text)
        return self.text[start : self.at]

    def take_quoted(self) -> str:
        """Return what stands between the next character and its like, a backslash before a character kept."""
        start = self.at
        quote = self.text[start]
        quoted = _QUOTED[quote].match(self.text, start + 1)
        if quoted is None:
            self.fail(f"this {quote} has no end")
        self.at = quoted.end()
        return quoted[1]

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        """Raise SyntaxProblem, here or at another position."""
        raise SyntaxProblem(self.at if at is None else at, problem)


def unescape(quoted: str) -> str:
    r"""Return the text of what stood in quotes: `\n`, `\t`, `\r`, `\b`, `\f` and `\uXXXX` have their usual meaning.

    A backslash before anything else is left out.
    """
    if "\\" not in quoted:
        return quoted
    parts = []
    at = 0
    while at < len(quoted):
        character = quoted[at]
        at += 1
        if character == "\\" and at < len(quoted):
            character = _ESCAPED.get(quoted[at], quoted[at])
            at += 1
            digits = quoted[at : at + _HEX_DIGITS]
            if character == "u" and _is_hex(digits):
                character = chr(int(digits, 16))
                at += _HEX_DIGITS
        parts.append(character)
    return "".join(parts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _is_hex(digits: str) -> bool:
    return len(digits) == _HEX_DIGITS and all(digit in "0123456789abcdefABCDEF" for digit in digits)
