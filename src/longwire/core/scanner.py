"""A text read from left to right, by the parser of patterns and that of JsonPath; what is wrong has a position."""

from collections.abc import Callable
from typing import NoReturn

SPACES = " \t\r\n"
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
        while self.next and self.next in SPACES:
            self.at += 1
        return self.next

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

    def take_while(self, belongs: Callable[[str], bool]) -> str:
        """Return the characters up to the first that does not belong."""
        start = self.at
        while self.next and belongs(self.next):
            self.at += 1
        return self.text[start : self.at]

    def take_quoted(self) -> str:
        """Return what stands between the next character and its like, a backslash before a character kept."""
        start = self.at
        at = start + 1
        while at < len(self.text):
            if self.text[at] == "\\":
                at += 1
            elif self.text[at] == self.text[start]:
                self.at = at + 1
                return self.text[start + 1 : at]
            at += 1
        return self.fail(f"this {self.text[start]} has no end", start)

    def fail(self, problem: str, at: int | None = None) -> NoReturn:
        """Raise SyntaxProblem, here or at another position."""
        raise SyntaxProblem(self.at if at is None else at, problem)


def unescape(quoted: str) -> str:
    r"""Return the text of what stood in quotes: `\n`, `\t`, `\r`, `\b`, `\f` and `\uXXXX` have their usual meaning.

    A backslash before anything else is left out.
    """
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
