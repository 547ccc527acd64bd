"""What the documents show is what the code says."""

import ast
import functools
import importlib.util
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from bench.costs import places
from bench.figures import read_figures
from bench.report import PAGE, page, svg_files

TESTS = Path(__file__).parent
DOCS = TESTS.parent / "docs"

# The cases of the test plan that docs/security.md answers for: where we dial, and what comes back.
SECURITY_CASES = {
    *(f"SS-{number:02}" for number in range(1, 22, 2)),
    *(f"RD-{number:02}" for number in (1, 3, 5)),
    *(f"RB-{number:02}" for number in range(1, 16, 2)),
    *(f"TL-{number:02}" for number in (1, 3, 5, 7)),
    *(f"IN-{number:02}" for number in range(1, 16, 2)),
    *(f"HI-{number:02}" for number in range(1, 12, 2)),
    *(f"DL-{number:02}" for number in (1, 2, 3, 4, 5, 6, 7, 9, 11)),
}


@pytest.mark.parametrize(("script", "page"), [("state_diagram", "states"), ("event_catalogue", "events")])
def test_a_page_that_is_written_from_a_table_is_that_of_the_table(script: str, page: str) -> None:
    spec = importlib.util.spec_from_file_location(script, DOCS / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / f"{page}.md").read_text() == module.page(), f"run: python docs/{script}.py"


def test_what_was_measured_is_shown_as_it_was_recorded() -> None:
    figures = read_figures()
    assert page(figures, PAGE.read_text()) == PAGE.read_text(), "run: python -m bench.report"
    for name, content in svg_files(figures):
        assert (DOCS / name).read_text() == content, "run: python -m bench.report"


def test_the_table_of_costs_watches_functions_that_exist() -> None:
    lost = [place for place, owner, name in places() if not hasattr(owner, name)]
    assert not lost, "tell bench/costs.py where these have gone"


def rows(page: str) -> Iterator[list[str]]:
    """Yield the cells of each row of the page's tables, without their heads."""
    lines = (DOCS / page).read_text().splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("| ") and before.startswith("|"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file below `tests`; none when there is no such file."""
    file = TESTS / path
    tree = ast.parse(file.read_text() if file.exists() else "")
    functions = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(each.name for each in functions if each.name.startswith("test_"))


@pytest.mark.parametrize(
    "cells", [*rows("spec-tests.md"), *rows("ui-tests.md")], ids=lambda cells: cells[0][:60]
)
def test_each_sentence_of_the_specification_has_tests_that_exist(cells: list[str]) -> None:
    _, shown_by = cells
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", shown_by)
    assert named, "no test is named"
    assert shown_by.count("`") == 2 * len(named), "something else than file::test is quoted"
    assert [f"{path}::{name}" for path, name in named if name not in names_in(path)] == []


def security_rows() -> dict[str, str]:
    """Return the last cell of each case in docs/security.md, the file of its section named first."""
    found: dict[str, str] = {}
    section = ""
    for line in (DOCS / "security.md").read_text().splitlines():
        if line.startswith("###"):
            section = line
        elif match := re.match(r"\| ([A-Z]{2}-\d\d) \|.*\| (.+) \|$", line):
            found[match[1]] = f"{section} {match[2]}"
    return found


def test_docs_security_answers_for_each_case_of_the_plan() -> None:
    assert security_rows().keys() >= SECURITY_CASES


@pytest.mark.parametrize("case", sorted(security_rows()))
def test_each_security_case_has_tests_that_exist(case: str) -> None:
    text = security_rows()[case]
    paths = [path if "/" in path else f"e2e/{path}" for path in re.findall(r"`([\w/]+\.py)", text)]
    patterns = re.findall(r"(test_[\w*]+)(?![\w*.])", text)
    there = {name for path in paths for name in names_in(path)}
    assert [path for path in paths if not names_in(path)] == []
    assert [each for each in patterns if not any(fnmatchcase(name, each) for name in there)] == []
    number = case.lower().replace("-", "_")
    named = any(name.startswith(f"test_{number}_") for name in there)
    assert named or case == "DL-04" or case not in SECURITY_CASES, "none bears its id"
