"""Reading a JsonPath: its steps and its function; what stands in `[?(...)]` is read by `jsonpath_conditions`.

The grammar is Jayway's. What Jayway reads and then ignores (the third number of a slice, what follows a function) is
refused instead.
"""

import re
from collections.abc import Callable

from longwire.core.jsonpath import Filter, Indexes, JsonPath, Name, Names, Scan, Slice, Step, Target, Wildcard
from longwire.core.jsonpath_filter import Filtering, Predicate
from longwire.core.jsonpath_functions import FUNCTIONS, LENGTH_OF_EACH, NEED_A_DEFINITE_PATH
from longwire.core.scanner import Scanner, unescape

MAX_STEPS_IN_PATH = 64

_END_OF_NAME = re.compile(r"[ \t\r\n.\[(|}]")
_END_OF_NAME_IN_FILTER = re.compile(r"[ \t\r\n.\[(|}{\])'\"<>=~!&,/]")
_NOT_IN_NAME = re.compile(r"[{\])'\"]")
_INDEXES = re.compile(r"-?[0-9]{1,9}\s*(?:,\s*-?[0-9]{1,9}\s*)*(?=\])")
_SLICE = re.compile(r"(-?[0-9]{1,9})?\s*:\s*(-?[0-9]{1,9})?\s*(?=\])")

MakeStep = Callable[[bool, bool], Target]
"""Makes a step once it is known whether all before it is definite, and whether it is the last."""


class PathReader:
    """Reads one path, which begins with the scanner's next character, `$` or `@`."""

    def __init__(
        self, scanner: Scanner, read_predicate: Callable[[], Predicate], *, is_in_filter: bool
    ) -> None:
        """Keep the text, and how to read what stands in the parentheses of a filter."""
        self._scanner = scanner
        self._read_predicate = read_predicate
        self._ends = _END_OF_NAME_IN_FILTER if is_in_filter else _END_OF_NAME
        self._reads: list[tuple[bool, MakeStep]] = []

    def read(self) -> JsonPath:
        """Return the path, and stand behind it; raises SyntaxProblem."""
        scanner = self._scanner
        start = scanner.at
        is_from_root = scanner.take("$") or not scanner.take("@")
        while scanner.next in {".", "["}:
            is_scan = scanner.take("..")
            if not is_scan:
                scanner.take(".")
            if scanner.take("["):
                self._reads.append((is_scan, self._in_brackets()))
            elif scanner.take("*"):
                self._reads.append((is_scan, _wildcard))
            elif function := self._name_or_function(is_scan=is_scan):
                return self._with_function(function, is_from_root=is_from_root)
            if len(self._reads) > MAX_STEPS_IN_PATH:
                scanner.fail(f"more than {MAX_STEPS_IN_PATH} steps", start)
        steps, is_definite = self._steps(has_last=True)
        return JsonPath(steps, is_from_root, is_definite, None, is_many=not is_definite)

    def _name_or_function(self, *, is_scan: bool) -> str | None:
        """Read a name as a step, or return the name of the function that ends the path."""
        scanner = self._scanner
        start = scanner.at
        name = scanner.take_until(self._ends)
        if not name:
            scanner.fail("a name is missing")
        if wrong := _NOT_IN_NAME.search(name):
            scanner.fail(f"a name cannot hold {wrong[0]} here; write ['...']", start + wrong.start())
        if not scanner.take("("):
            self._reads.append((is_scan, lambda is_sure, _is_last: Name(name, is_sure)))
            return None
        if name not in FUNCTIONS:
            scanner.fail(f"unknown function {name}(); there are {', '.join(FUNCTIONS)}", start)
        scanner.expect(")", f"after {name}(: functions take no arguments here")
        if is_scan or scanner.next in {".", "["}:
            scanner.fail(f"{name}() can only stand at the end of a path", start)
        if name in NEED_A_DEFINITE_PATH and not self._steps(has_last=False)[1]:
            scanner.fail(f"{name}() needs a path that leads to one value", start)
        return name

    def _with_function(self, name: str, *, is_from_root: bool) -> JsonPath:
        # Jayway evaluates `$..a.length()` as the length of all that `$..a` finds, `$.a[*].length()` hit by hit.
        is_of_all = bool(self._reads) and self._reads[0][0]
        steps, is_definite = self._steps(has_last=is_of_all)
        function = FUNCTIONS[name]
        is_many = not is_definite and not is_of_all and name in {"length", "size"}
        return JsonPath(steps, is_from_root, is_definite, LENGTH_OF_EACH if is_many else function, is_many)

    def _steps(self, *, has_last: bool) -> tuple[tuple[Step, ...], bool]:
        """Return the steps, and whether they are definite; `has_last`: the last one read ends the path."""
        steps: list[Step] = []
        is_sure = True
        for place, (is_scan, make) in enumerate(self._reads, 1):
            is_last = has_last and place == len(self._reads)
            step = make(is_sure and not is_scan, is_last)
            steps.append(Scan(step, is_last) if is_scan else step)
            is_sure = is_sure and not is_scan and step.is_definite
        return tuple(steps), is_sure

    def _in_brackets(self) -> MakeStep:
        """Read what stands after `[`, and the `]`."""
        scanner = self._scanner
        start = scanner.at
        begin = scanner.skip_spaces()
        if begin and begin in "'\"":
            make = self._names()
        elif scanner.take("*"):
            make = _wildcard
        elif scanner.take("?"):
            make = self._filter()
        elif begin == "(":
            scanner.fail("scripts are not evaluated; write [-1] for the last element")
        else:
            make = self._places(start)
        scanner.expect("]", "here")
        return make

    def _names(self) -> MakeStep:
        scanner = self._scanner
        names = [unescape(scanner.take_quoted())]
        while scanner.skip_spaces() == ",":
            scanner.take(",")
            if scanner.skip_spaces() not in {"'", '"'}:
                scanner.fail("expected a quoted name")
            names.append(unescape(scanner.take_quoted()))
        if len(names) == 1:
            return lambda is_sure, _is_last: Name(names[0], is_sure)
        return lambda is_sure, is_last: Names(tuple(names), is_sure, is_last)

    def _filter(self) -> MakeStep:
        self._scanner.expect("(", "after '?'")
        predicate = Filtering(self._read_predicate())
        self._scanner.expect(")", "at the end of the filter")
        return lambda is_sure, _is_last: Filter(predicate, is_sure)

    def _places(self, start: int) -> MakeStep:
        scanner = self._scanner
        if indexes := _INDEXES.match(scanner.text, scanner.at):
            scanner.at = indexes.end()
            places = tuple(int(each) for each in indexes[0].split(","))
            return lambda is_sure, _is_last: Indexes(places, is_sure)
        if (ends := _SLICE.match(scanner.text, scanner.at)) and (ends[1] or ends[2]):
            scanner.at = ends.end()
            first, end = (int(each) if each else None for each in ends.groups())
            return lambda is_sure, _is_last: Slice(first, end, is_sure)
        return scanner.fail("expected a quoted name, an index, a slice such as 1:3, '*' or '?('", start)


def _wildcard(is_sure: bool, is_last: bool) -> Wildcard:  # noqa: FBT001
    return Wildcard(is_sure, is_last)
