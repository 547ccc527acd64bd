"""The house rules no other tool checks: sizes, migrations in one line, names of tests. Run by `make check`."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 30
ROOT = Path(__file__).parent.parent
CHECKED = ("src", "tests", "bench")
MIGRATIONS = ROOT / "src/longwire/storage/migrations/versions"


def broken_rules(path: Path) -> Iterator[str]:
    """Return a line for each file or function that is too long; a docstring does not count as length."""
    text = path.read_text()
    where = path.relative_to(ROOT)
    if len(text.splitlines()) > MAX_FILE_LINES:
        yield f"{where}: {len(text.splitlines())} lines, at most {MAX_FILE_LINES}"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - _first_line(node)
            if length > MAX_FUNCTION_LINES:
                yield f"{where}:{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}"


def _first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the line before the body's first statement, its docstring left out."""
    first = node.body[0]
    has_docstring = ast.get_docstring(node, clean=False) is not None
    return (first.end_lineno or first.lineno) if has_docstring else first.lineno - 1


def forks(folder: Path) -> Iterator[str]:
    """Return a line for each migration that two others follow: a store could take only one of the ways."""
    follows: dict[str, Path] = {}
    for path in sorted(folder.glob("*.py")):
        for before in re.findall(r'^down_revision = "(\w+)"', path.read_text(), re.MULTILINE):
            if before in follows:
                yield f"{path.name} and {follows[before].name} both follow {before}; one must follow the other"
            follows[before] = path


def namesakes(folder: Path) -> Iterator[str]:
    """Return a line for each test file whose name another has: pytest takes both for one module, and stops."""
    seen: dict[str, Path] = {}
    for path in sorted(folder.rglob("test_*.py")):
        if (other := seen.setdefault(path.name, path)) is not path:
            yield f"{path.relative_to(ROOT)}: has the name of {other.relative_to(ROOT)}"


def main() -> int:
    """Print what is broken; return how much."""
    paths = sorted(path for folder in CHECKED for path in (ROOT / folder).rglob("*.py"))
    found = [line for path in paths if MIGRATIONS not in path.parents for line in broken_rules(path)]
    found += [*forks(MIGRATIONS), *namesakes(ROOT / "tests")]
    print("\n".join(found) or f"house rules: {len(paths)} files kept")
    return len(found)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
