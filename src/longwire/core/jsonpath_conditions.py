"""Reading what stands in the parentheses of `[?(...)]`, and paths with it: the whole grammar of a JsonPath.

or         = and { "||" and }
and        = term { "&&" term }
term       = "!" term | "(" or ")" | comparison
comparison = value [ operator value ]         a path alone asks whether it exists
value      = path | 'text' | "text" | number | true | false | null | [list] | /regex/ | /regex/i
"""

import re
from typing import Any, Final

from longwire.core import jsonpath_filter
from longwire.core.json_text import WrittenNumber
from longwire.core.jsonpath import JsonPath
from longwire.core.jsonpath_filter import COMPARISONS, Operand, Predicate
from longwire.core.jsonpath_parser import PathReader
from longwire.core.regex import Regex
from longwire.core.scanner import Scanner, unescape

MAX_DEPTH = 8
"""How deep filters, parentheses and lists may stand in each other."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?(?![\w.])")
_OPERATOR = re.compile(r"[<>=~!]+|[A-Za-z]+")
_WORD = re.compile(r"[A-Za-z]+(?![\w.(])")
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_NO_PATH = "a value alone says nothing; compare it, or ask for a path that begins with @ or $"


def read_path(scanner: Scanner) -> JsonPath:
    """Return the path that begins with the scanner's next character, `$`, and stand behind it.

    Raises SyntaxProblem.
    """
    return PathReader(scanner, _Conditions(scanner).read, is_in_filter=False).read()


class _Conditions:
    """Reads the conditions of a path's filters; remembers how deep they stand in each other."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._depth = 0

    def read(self) -> Predicate:
        """Return the predicate of what stands up to the closing parenthesis."""
        self._enter()
        predicates = [self._all()]
        while self._takes("||"):
            predicates.append(self._all())
        self._depth -= 1
        return predicates[0] if len(predicates) == 1 else jsonpath_filter.any_of(predicates)

    def _all(self) -> Predicate:
        predicates = [self._term()]
        while self._takes("&&"):
            predicates.append(self._term())
        return predicates[0] if len(predicates) == 1 else jsonpath_filter.all_of(predicates)

    def _term(self) -> Predicate:
        scanner = self._scanner
        if scanner.skip_spaces() == "!":
            return self._negation()
        if scanner.take("("):
            predicate = self.read()
            scanner.expect(")", "to close the parenthesis")
            return predicate
        return self._comparison(may_compare=True)

    def _negation(self) -> Predicate:
        scanner = self._scanner
        scanner.take("!")
        self._enter()
        is_path = scanner.skip_spaces() in {"@", "$"}
        # Jayway ignores the `!` of `!@.a == 1`.
        predicate = self._comparison(may_compare=False) if is_path else self._term()
        self._depth -= 1
        return jsonpath_filter.none_of(predicate)

    def _comparison(self, *, may_compare: bool) -> Predicate:
        scanner = self._scanner
        start = scanner.at
        path, left = self._value()
        scanner.skip_spaces()
        operator = _OPERATOR.match(scanner.text, scanner.at)
        if operator is None:
            return jsonpath_filter.exists(path) if path is not None else scanner.fail(_NO_PATH, start)
        if not may_compare:
            scanner.fail("put what '!' denies in parentheses: !(...)", start)
        name = operator[0].lower()
        if name not in COMPARISONS:
            scanner.fail(f"unknown operator {operator[0]}; there are {' '.join(COMPARISONS)}")
        scanner.at = operator.end()
        _, right = self._value()
        return jsonpath_filter.compare(left, name, right)

    def _value(self) -> tuple[JsonPath | None, Operand]:
        """Return the path, if it is one, and what the value is for an element."""
        scanner = self._scanner
        if scanner.skip_spaces() in {"@", "$"}:
            path = PathReader(scanner, self.read, is_in_filter=True).read()
            return path, jsonpath_filter.path_value(path)
        return None, jsonpath_filter.literal(self._literal())

    def _literal(self) -> Any:
        scanner = self._scanner
        match scanner.skip_spaces():
            case "'" | '"':
                return unescape(scanner.take_quoted())
            case "/":
                return self._regex()
            case "[":
                return self._list()
        if number := _NUMBER.match(scanner.text, scanner.at):
            scanner.at = number.end()
            return WrittenNumber(number[0]) if number[1] or number[2] else int(number[0])
        word = _WORD.match(scanner.text, scanner.at)
        if word is None or word[0] not in _CONSTANTS:
            scanner.fail(
                "expected a path, a text in quotes, a number, true, false, null, a list or a /regex/"
            )
        scanner.at = word.end()
        return _CONSTANTS[word[0]]

    def _regex(self) -> Regex:
        scanner = self._scanner
        start = scanner.at
        source = scanner.take_quoted()
        flags = _WORD.match(scanner.text, scanner.at)
        if flags is not None and flags[0] != "i":
            scanner.fail(f"unknown flag of a regular expression in {flags[0]!r}; there is i")
        scanner.at = scanner.at if flags is None else flags.end()
        try:
            return Regex(source, ignore_case=flags is not None)
        except ValueError as error:
            return scanner.fail(str(error), start)

    def _list(self) -> list[Any]:
        scanner = self._scanner
        scanner.take("[")
        self._enter()
        values = []
        while scanner.skip_spaces() != "]":
            values.append(self._literal())
            if not self._takes(",") and scanner.next != "]":
                scanner.fail("expected ',' or ']' in the list")
        scanner.take("]")
        self._depth -= 1
        return values

    def _takes(self, expected: str) -> bool:
        self._scanner.skip_spaces()
        return self._scanner.take(expected)

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._scanner.fail(f"nested deeper than {MAX_DEPTH}")
