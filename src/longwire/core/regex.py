"""Regular expressions of patterns, matched in linear time by RE2 and counted as work."""

import re2

MAX_INSTRUCTIONS = 1000
_MEMORY_BYTES = 256 * 1024  # for the automaton of one expression


class Regex:
    """A compiled expression; it matches a text as a whole."""

    __slots__ = ("_compiled", "_instructions")

    def __init__(self, source: str, *, ignore_case: bool) -> None:
        """Compile it; raises ValueError that says what is wrong."""
        options = re2.Options()
        options.max_mem = _MEMORY_BYTES
        options.case_sensitive = not ignore_case
        options.never_capture = True
        options.log_errors = False
        try:
            self._compiled = re2.compile(source, options)
        except re2.error as error:
            raise ValueError(_explained(error)) from error
        self._instructions: int = self._compiled.programsize
        if self._instructions > MAX_INSTRUCTIONS:
            raise ValueError("the regular expression is too large; repeat less")

    def matches(self, text: str) -> bool:
        """Return whether the whole text matches."""
        # As bytes: for a str the library would also count where in it the match lies.
        return self._compiled.fullmatch(text.encode()) is not None

    def steps_for(self, text: str) -> int:
        """Return how many steps of a `Reading` a match may cost: the automaton may visit each state for each byte."""
        return 2 + (len(text) * self._instructions >> 6)


def _explained(error: re2.error) -> str:
    text = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
    if text.startswith(("invalid perl operator", "invalid escape sequence")):
        return f"{text} (look-around and back-references are not supported: matching takes linear time)"
    return text
