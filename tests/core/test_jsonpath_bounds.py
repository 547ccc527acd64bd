"""Whatever a pattern and a message are, evaluating one is a bounded amount of work (specification, section 7; AP-13).

The bound is the count of steps. That steps mean time is shown once, in CPU time, with room for a slow machine: on ours
the worst of these took 27 ms (docs/benchmarks.md).
"""

import json
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples
from tests.samples.json_texts import RootText, root_texts

from longwire.core import json_text
from longwire.core.errors import InvalidInput
from longwire.core.jsonpath import find
from longwire.core.jsonpath_conditions import read_path
from longwire.core.jsonpath_functions import MISSING
from longwire.core.message import MAX_MESSAGE_BYTES
from longwire.core.pattern import MAX_RENDERED_BYTES, compile_pattern, render
from longwire.core.reading import MAX_STEPS, OverBudget, Reading, read_message
from longwire.core.scanner import Scanner, SyntaxProblem

SIZE = MAX_MESSAGE_BYTES - 1000
CPU_S = 0.5


def _array(element: str) -> str:
    return f"[{','.join([element] * (SIZE // (len(element) + 1)))}]"


def _deep() -> str:
    wide = ",".join(['{"a":1,"b":[]}'] * 100)
    return '{"a":' * 60 + "1" + f',"b":[{wide}]}}' * 60


MESSAGES = {
    "numbers": _array("1"),
    "fractions": _array("1.5"),
    "objects": _array('{"a":1}'),
    "arrays": _array("[]"),
    "texts": _array('"aaaaaaa"'),
    "one long text": f'["{"a" * SIZE}"]',
    "text that fills an automaton": f'["{"".join(random.Random(1).choices("ab", k=SIZE))}"]',
    "deep and wide": _deep(),
    "nested": "[" * 60 + _array("1")[: SIZE // 2].rstrip(",") + "]" + "]" * 60,
    "white space": f"[ {' ,'.join(['1 '] * (SIZE // 5))}]",
    "long numbers": f"[{'9' * 4000},1.{'1' * (SIZE - 5000)}]",
}

PATTERNS = [
    "{$..*}",
    "{$..*..*..*..*}",
    "{$..*.*.*.*}",
    "{$..[0:999999999]}",
    "{$..[-99999999:]}",
    "{$..[-99999999:999999999]}",
    f"{{$..[{','.join(['0'] * 2000)}]}}",
    "{$..[" + ",".join(["'a'"] * 1500) + "]}",
    "{$..[?(@..a)]}",
    "{$..x[?($..y)]}",
    "{$..[?($ == $)]}",
    "{$..[?(@ == $..[?(@ == $)])]}",
    "{$.r.x[?($.r.x == $.r.x)]}",
    "{$.r.x[?(@ in $.r.x)]}",
    "{$..[?(@ subsetof $.r.x)]}",
    "{$..[?(@.a[?(@.a[?(@.a[?(@.a)])])])]}",
    "{$..[?(@ =~ /(a+)+$/)]}",
    "{$.r.x[?(@ =~ /(a?){60}a{60}/)]}",
    "{$.r.x[?(@ =~ /[ab]*a[ab]{12}/)]}",
    "{$.r.x[?(@ =~ /[ab]*a[ab]{300}/)]}",
    "{$.r.x[?(@ =~ /(.*)(.*)(.*)(.*)(.*)b/)]}",
    "{$.r.x[?(@ contains 'aaaab')]}",
    "{$.r.x[?(" + " || ".join(["@ == 2"] * 500) + ")]}",
    "{$..*.sum()}" * 500,
    "{$..*.keys()}" * 500,
    "{$..y}" * 1000,
    "{$.r.x[0]}" * 800,
    "{x}",
    "{x.y}" * 1500,
    "{y}" * 2500,
    "{" + "|".join(["y"] * 4000) + "}",
    "{$}",
]


@pytest.fixture(scope="module")
def bodies() -> dict[str, bytes]:
    bodies = {name: f'{{"r":{{"x":{text}}}}}'.encode() for name, text in MESSAGES.items()}
    for body in bodies.values():
        json.loads(body)
    return bodies


def use_up(pattern: str, reading: Reading) -> None:
    """Render a pattern as the 100 headers of a connection."""
    compiled = compile_pattern(pattern, "x")
    for _ in range(100):
        assert len(render(compiled, reading).text) <= MAX_RENDERED_BYTES


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern[:40])
def test_a_bomb_ends_soon_even_as_a_hundred_headers(pattern: str, bodies: dict[str, bytes]) -> None:
    for name, body in bodies.items():
        reading = read_message(body)
        before = time.process_time()
        try:
            use_up(pattern, reading)
        except OverBudget as problem:
            assert "steps" in str(problem) or "longer than 8192" in str(problem)  # noqa: PT017
        assert time.process_time() - before < CPU_S, name


def test_a_message_of_usual_size_leaves_most_steps_untouched() -> None:
    content = {"Lrrs": {"Lrr": [{"Lrrid": str(n), "LrrRSSI": -100.5 + n} for n in range(20)]}}
    reading = read_message(json.dumps({"DevEUI_uplink": content}).encode())

    render(compile_pattern("{$..Lrr[?(@.LrrRSSI > -95)].Lrrid} {$..Lrrid} {$..*}", "x"), reading)

    assert reading._left > MAX_STEPS * 0.95


def test_the_steps_are_those_of_the_whole_request() -> None:
    reading = read_message(f'{{"r":{{"x":{_array("1")}}}}}'.encode())
    pattern = compile_pattern("{$.r.x[0]}", "x")

    assert render(pattern, reading).text == "1"
    with pytest.raises(OverBudget, match="take more than 50000 steps"):
        use_up("{$.r.x[0]}" * 600, reading)


@pytest.mark.parametrize("depth", [9, 500])
@pytest.mark.parametrize(
    ("opening", "core", "closing"),
    [
        ("@.a[?(", "@.a", ")]"),
        ("(", "@.a", ")"),
        ("!", "(@.a)", ""),
        ("[", "1", "]"),
    ],
)
def test_what_is_nested_too_deep_is_refused_when_it_is_read(
    opening: str, core: str, closing: str, depth: int
) -> None:
    with pytest.raises(SyntaxProblem, match=r"nested deeper than 8|expected a path"):
        read_path(Scanner(f"$[?({opening * depth}{core}{closing * depth})]"))


def test_a_path_has_at_most_64_steps() -> None:
    assert len(read_path(Scanner("$" + ".a" * 64)).steps) == 64
    with pytest.raises(SyntaxProblem, match="more than 64 steps"):
        read_path(Scanner("$" + ".a" * 65))


STEPS = [
    *(".a", "..a", ".*", "..*", "['a']", "['a','b']", "..['a','b']"),
    *("[0]", "[-1]", "[0,1]", "[1:]", "[:2]", "[-3:2]", "..[0]"),
]
FILTERS = [
    "[?(@)]",
    "[?(@.a)]",
    "[?(@ == 1)]",
    "[?(@.a in [1,'a',null])]",
    "..[?(@ =~ /a.*/)]",
    "[?(@..a)]",
    "[?(!(@.b > 0) || @ size 1)]",
    "[?(@ contains 'a')]",
    "[?(@ empty true)]",
    "[?($ == @)]",
]
PATHS = st.builds(
    lambda pieces, end: "$" + "".join(pieces) + end,
    st.lists(st.sampled_from([*STEPS, *FILTERS]), max_size=6),
    st.sampled_from(["", "", "", ".length()", ".sum()", ".keys()"]),
)


@given(root_texts(), PATHS)
@examples(120)
def test_any_path_on_any_message_gives_text_or_nothing(sample: RootText, path: str) -> None:
    body, _, _ = json_text.read_roots(sample.body)
    reading = read_message(body)

    text = render(compile_pattern(f"{{{path}}}", "x"), reading).text

    assert len(text) <= MAX_RENDERED_BYTES
    assert reading._left >= 0
    assert "MISSING" not in text or "MISSING" in sample.text


@given(root_texts(), PATHS)
@examples(80)
def test_what_a_path_finds_is_part_of_the_message(sample: RootText, path: str) -> None:
    if path.endswith(")") or "','" in path:  # a function, or an object made of some members
        return
    body, _, _ = json_text.read_roots(sample.body)
    compiled, reading = read_path(Scanner(path)), read_message(body)
    found = find(compiled, None, reading)
    hits = found if compiled.is_many and found is not MISSING else [found]
    parts = _parts(reading.tree)

    assert all(hit is MISSING or any(hit is part for part in parts) for hit in hits)


def _parts(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(part for each in inner for part in _parts(each))]


@given(st.text("$@.[]()?*'\"/:,=~<>!&|0a -\\{}", max_size=24))
@examples(600)
def test_any_text_is_a_path_or_refused_with_a_position(text: str) -> None:
    try:
        compile_pattern(f"{{${text}}}", "x")
    except InvalidInput as error:
        position = int(str(error).partition("position ")[2].partition(":")[0])
        assert 0 <= position <= len(text) + 3
