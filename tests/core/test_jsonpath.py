"""JsonPath as the Jayway library answers it, and where we differ on purpose (specification, section 7)."""

import json
from typing import Any

import pytest
from tests.samples.files import read_lines

from longwire.core import json_text
from longwire.core.jsonpath import find
from longwire.core.jsonpath_conditions import read_path
from longwire.core.jsonpath_functions import MISSING
from longwire.core.pattern import compile_pattern, render
from longwire.core.reading import read_message
from longwire.core.scanner import Scanner, SyntaxProblem

ANSWERS = read_lines("jayway_answers.jsonl")
JAYWAY_BODY = json.dumps(ANSWERS[0]["document"]).encode()

# These begin without `$`: in a pattern they are names relative to the root's content, so that one pattern serves every
# root; Jayway reads them from the document.
RELATIVE_HERE = {"DevEUI_uplink.DevEUI": "", "CustomerData.name": "dev"}

BODY = (
    b'{"r":{"a":{"b":1,"c":[10,20,30,40],"d":null},"s":"x","t":["p","q"],"e":[],"n":-7.250,"z":-0,"big":1e400,'
    b'"items":[{"k":"1","v":1},{"k":"2","v":2.0,"w":true},{"k":"3","v":"3"},{"k":null}],"odd name":{"it\'s":5},'
    b'"nested":[[1,2],[3,[4]]],"huge":12345678901234567890123,"twice":{"m":1,"m":2},"o":{"p":{"q":1},"r":{"q":2}}}}'
)


def evaluate(text: str, body: bytes = BODY) -> Any:
    """Return what a path finds, as JSON would read it; MISSING for no value."""
    scanner = Scanner(text)
    path = read_path(scanner)
    assert scanner.at == len(text), f"read up to {scanner.at}"
    found = find(path, None, read_message(body))
    return found if found is MISSING else json.loads(json_text.write_tree(found))


def rendered(pattern: str, body: bytes = BODY) -> str:
    return render(compile_pattern(pattern, "x"), read_message(body)).text


@pytest.mark.parametrize(
    "answer",
    [answer for answer in ANSWERS[1:] if answer["path"].startswith("$")],
    ids=lambda answer: answer["path"],
)
def test_a_path_gives_what_jayway_gives(answer: dict[str, Any]) -> None:
    found = evaluate(answer["path"], JAYWAY_BODY)

    assert found == answer["value"]
    assert type(found) is type(answer["value"])


def test_the_only_differences_from_the_recorded_answers_are_the_relative_names() -> None:
    others = [answer["path"] for answer in ANSWERS[1:] if not answer["path"].startswith("$")]

    assert sorted(others) == sorted(RELATIVE_HERE)
    assert {path: rendered(f"{{{path}}}", JAYWAY_BODY) for path in others} == RELATIVE_HERE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", json.loads(BODY)),
        ("$.r.s", "x"),
        ("$['r']['s']", "x"),
        ('$["r"].s', "x"),
        ("$.['r'].s", "x"),
        ("$.r['odd name'][\"it's\"]", 5),
        ("$.r['odd name']['it\\'s']", 5),
        ("$.r['\\u0073']", "x"),
        ("$.r.a.d", None),
        ("$.r.a.d.x", MISSING),
        ("$.r.missing", MISSING),
        ("$.r.s.x", MISSING),
        ("$.r.twice.m", 2),
        ("$.r.twice", {"m": 2}),
        ("$.r.a.c[0]", 10),
        ("$.r.a.c[-1]", 40),
        ("$.r.a.c[9]", MISSING),
        ("$.r.a.c[ 0 , 2 ]", [10, 30]),
        ("$.r.a.c[0,9]", [10]),
        ("$.r.a.c[1:]", [20, 30, 40]),
        ("$.r.a.c[-2:]", [30, 40]),
        ("$.r.a.c[:2]", [10, 20]),
        ("$.r.a.c[:-1]", [10, 20, 30]),
        ("$.r.a.c[1:3]", [20, 30]),
        ("$.r.a.c[1:-1]", []),  # both ends: Jayway counts up from the one to the other
        ("$.r.a.c[-2:1]", [30, 40, 10]),
        ("$.r.a.c[-9:1]", [10, 20, 30, 40, 10]),
        ("$.r.s[0]", MISSING),
        ("$.r.a.*", [1, [10, 20, 30, 40], None]),
        ("$.r.t[*]", ["p", "q"]),
        ("$.r.s.*", []),
        ("$.r.s.*.x", MISSING),
        ("$.r.missing[*]", MISSING),
        ("$.r.*.b", [1]),
        ("$.r.a['b','d']", {"b": 1, "d": None}),
        ("$.r.a['b','missing']", {"b": 1}),
        ("$.r.s['b','d']", MISSING),
        ("$.r.o.*['q','x']", [{"q": 1}, {"q": 2}]),
        ("$.r.a.*['q','x']", []),
        ("$.r.s[1:]", MISSING),
        ("$.r.*[3:]", [{"k": None}]),
        ("$.r.o['p','r'].q", [1, 2]),
        ("$.r.o['p','missing'].q", [1]),
        ("$..q", [1, 2]),
        ("$..['p','r']", [{"p": {"q": 1}, "r": {"q": 2}}]),
        ("$.r..b", [1]),
        ("$..nested[0]", [[1, 2]]),
        ("$..nested..[1]", [[3, [4]], 2, [4]]),
        ("$.r.nested.*[0]", [1, 3]),
        # Jayway, before another step: every element of an array that has one, whatever the index says.
        ("$.r.items..[0].k", ["1", "2", "3", None]),
        ("$.r.nested..*", [[1, 2], [3, [4]], 1, 2, 3, [4], 4]),
    ],
)
def test_steps_lead_where_jayway_leads(path: str, value: Any) -> None:
    assert evaluate(path) == value


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("@.v", ["1", "2", "3"]),
        ("!@.w", ["1", "3", None]),
        ("!(@.w)", ["1", "3", None]),
        ("@.w == true", ["2"]),
        ("@.v == 2", ["2"]),
        ("@.v === 2", SyntaxProblem),
        ("@.v == 3", ["3"]),  # a number equals a string that spells it
        ("3.0 == @.v", ["3"]),
        ("@.k == 1", ["1"]),
        ("@.k == '1'", ["1"]),
        ("@.k == null", [None]),
        ("@.k != null", ["1", "2", "3"]),
        ("@.v != 1", ["2", "3", None]),  # what is missing is unequal to everything
        ("@.v == @.missing", []),
        ("@.missing == null", []),
        ("@.v > 1", ["2"]),  # a string is neither more nor less than a number
        ("@.v >= 1", ["1", "2"]),
        ("@.v < 2", ["1"]),
        ("@.v <= 2", ["1", "2"]),
        ("@.k > '1'", ["2", "3"]),
        ("@.v > 1 || @.k == '1'", ["1", "2"]),
        ("@.v && @.w", ["2"]),
        ("@.v&&@.w", ["2"]),
        ("(@.v > 0 && @.v < 2) || @.k == '3'", ["1", "3"]),
        ("@.k == '3' || @.v > 0 && @.v < 2", ["1", "3"]),
        ("!(@.v > 0 && @.v < 2) && @.v", ["2", "3"]),
        ("@.k =~ /[12]/", ["1", "2"]),
        ("@.k =~ '1'", []),  # no expression
        ("@.k =~ /1/", ["1"]),
        ("@.k =~ /.*/", ["1", "2", "3", None]),  # null is matched as an empty text
        ("/[12]/ =~ @.k", ["1", "2"]),
        ("@.w =~ /true/", ["2"]),
        ("@.v =~ /2.0/", ["2"]),
        ("@.k in ['1', '3', null]", ["1", "3", None]),
        ('@.k in ["1"]', ["1"]),
        ("@.v in [1, 2]", ["1", "2"]),
        ("@.k nin ['1']", ["2", "3", None]),
        ("@.v nin [1]", ["2", "3", None]),
        ("@.k in $.r.t", []),
        ("@.k in 'x'", []),
        ("@.k nin 'x'", []),
        ("@ contains '1'", []),
        ("@.k contains '1'", ["1"]),
        ("@.k size 1", ["1", "2", "3"]),
        ("@.k empty false", ["1", "2", "3"]),
        ("@.v == $.r.a.b", ["1"]),
        ("@.length() == 1", [None]),
        ("@.v == @['v']", ["1", "2", "3"]),
        ("1 == 1", ["1", "2", "3", None]),
        ("@.k == '\\u0031'", ["1"]),
    ],
)
def test_filters_hold_for_what_jayway_lets_through(condition: str, keys: Any) -> None:
    path = f"$.r.items[?({condition})].k"
    if keys is SyntaxProblem:
        with pytest.raises(SyntaxProblem):
            evaluate(path)
    else:
        assert evaluate(path) == keys


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.r.t[?(@ == 'p')]", ["p"]),
        ("$.r[?(@.b == 1)]", []),  # an object is filtered itself, not its members
        ("$.r.a[?(@.b == 1)].c[0]", [10]),
        ("$.r.s[?(@ == 'x')]", MISSING),
        ("$.r[?(@ subsetof ['p'])]", []),
        ("$..[?(@ subsetof ['p','q','r'])]", []),
        ("$.r.nested[?(@ anyof [2, 9])]", [[1, 2]]),
        ("$.r.nested[?(@ noneof [2, 9])]", [[3, [4]]]),
        ("$.r.nested[?(@ == [1,2])]", [[1, 2]]),
        ("$.r.nested[?(@ contains [4])]", [[3, [4]]]),
        ("$.r.nested[?(@ size 2)]", [[1, 2], [3, [4]]]),
        ("$.r[?(@.e empty true)].s", ["x"]),
        ("$.r[?(@.t =~ /q/)].s", ["x"]),  # any element of an array
        ("$..[?(@.q == 2)]", [{"q": 2}]),
        ("$.r[?(@.a['b','d'])].s", ["x"]),
        ("$.r[?(@.a['b','missing'])].s", []),
        ("$.r[?(@.t[9:])].s", ["x"]),  # an indefinite path leads to a list, even if to an empty one
        ("$.r[?(@.missing[9:])].s", []),
        ("$.r.items[?(@.v == 1)][?(@.k == '1')].k", ["1"]),
        ("$[?(@.r.items[?(@.k == '2')])]", [json.loads(BODY)]),
        ("$.r.a[?(@.c[?(@ > 30)] == [40])].b", [1]),
    ],
)
def test_filters_of_other_values(path: str, value: Any) -> None:
    assert evaluate(path) == value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.r.a.c.length()", 4),
        ("$.r.a.length()", 3),
        ("$.r.s.length()", None),
        ("$.length()", 1),
        ("$.r.nested[*].length()", [2, 2]),  # hit by hit
        ("$..nested.length()", 2),
        ("$..c.size()", 4),
        ("$.r.a.keys()", ["b", "c", "d"]),
        ("$.r.s.keys()", None),
        ("$..o.keys()", ["p", "r"]),
        ("$.r.a.c.sum()", 100.0),
        ("$.r.a.c.avg()", 25.0),
        ("$.r.a.c.min()", 10.0),
        ("$.r.a.c.max()", 40.0),
        ("$.r.a.c.first()", 10),
        ("$.r.a.c.last()", 40),
        ("$.r.e.first()", MISSING),
        ("$.r.e.sum()", MISSING),
        ("$.r.s.sum()", MISSING),
        ("$.r.t.sum()", MISSING),
        ("$.r.items[*].v.sum()", 3.0),  # all hits; of a string no sum is made
        ("$..nested.sum()", MISSING),
        ("$.r.nested[*].sum()", 6.0),
        ("$..q.max()", 2.0),
        ("$..big.sum()", MISSING),
    ],
)
def test_functions_see_a_value_or_all_hits(path: str, value: Any) -> None:
    assert evaluate(path) == value


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{$.r.s}", "x"),
        ("{$.r.n} {$..n}", "-7.250 -7.250"),
        ("{$.r.z} {$..z}", "-0 -0"),
        ("{$.r.big} {$..big}", "1e400 1e400"),
        ("{$.r.huge} {$..huge}", "12345678901234567890123 12345678901234567890123"),
        ("{$.r.items[1].w}", "true"),
        ("{$.r.a}", '{"b":1,"c":[10,20,30,40],"d":null}'),
        ("{$..a}", '{"b":1,"c":[10,20,30,40],"d":null}'),
        ("{$.r.t}", '["p","q"]'),
        ("{$.r.t[*]}", "p,q"),
        ("{$.r.t[0:1]}", "p"),
        ("{$..k}", "1,2,3,"),
        ("{$..d|'none'}", "none"),  # one hit, and it is null
        ("{$.r.a.d|'none'}", "none"),
        ("{$..nope|'none'}", "none"),
        ("{$.r.nope[*]|'none'}", "none"),
        ("{$.other.s|s}", "x"),
        ("{$.r.a.c.sum()}", "100.0"),
        ("{$.r.a.keys()}", '["b","c","d"]'),
        ("{$.r.items[?(@.k =~ /1|}/)].v}", "1"),
        ("{$.r.items[?(@.k == '}|\\'/')].v|'none'}", "none"),
        ('{$.r["}|"]|$[\'r\']["s"]}', "x"),
        ("{ $.r.s | 'y' }", "x"),
        ("{$.r.e}", "[]"),
        ("{$['odd']|$.r['odd name']}", '{"it\'s":5}'),
    ],
)
def test_what_is_found_becomes_text(pattern: str, text: str) -> None:
    assert rendered(pattern) == text


def test_nothing_found_is_named() -> None:
    result = render(compile_pattern("a{$..nope}b{$.r.a.d}c{$.r.s}", "x"), read_message(BODY))

    assert (result.text, result.missing) == ("abcx", ("$..nope", "$.r.a.d"))


@pytest.mark.parametrize(
    ("path", "position", "words"),
    [
        ("$.", 2, "a name is missing"),
        ("$..", 3, "a name is missing"),
        ("$...a", 3, "a name is missing"),
        ("$[?@.x]", 3, "expected '(' after '?'"),
        ("$.r[?]", 5, "expected '(' after '?'"),
        ("$[(@.length-1)]", 2, "scripts are not evaluated; write [-1]"),
        ("$[?(@.a", 7, "expected ')' at the end of the filter"),
        ("$[?(@.a)", 8, "expected ']' here"),
        ("$[]", 2, "expected a quoted name, an index, a slice"),
        ("$[:]", 2, "expected a quoted name, an index, a slice"),
        ("$[0:4:2]", 2, "expected a quoted name, an index, a slice"),
        ("$[1234567890]", 2, "expected a quoted name, an index, a slice"),
        ("$['a]", 2, "this ' has no end"),
        ("$['a'", 5, "expected ']' here"),
        ("$['a',]", 6, "expected a quoted name"),
        ("$.a]", 3, "a name cannot hold ] here; write ['...']"),
        ("$.a.nope()", 4, "unknown function nope(); there are length, size"),
        ("$.a.sum(1)", 8, "functions take no arguments"),
        ("$.a.sum().b", 4, "sum() can only stand at the end of a path"),
        ("$..sum()", 3, "sum() can only stand at the end of a path"),
        ("$..a.first()", 5, "first() needs a path that leads to one value"),
        ("$.a[*].last()", 7, "last() needs a path that leads to one value"),
        ("$[?()]", 4, "expected a path, a text in quotes"),
        ("$[?(1)]", 4, "a value alone says nothing"),
        ("$[?(@.a = 1)]", 8, "unknown operator =; there are == !="),
        ("$[?(@.a like 1)]", 8, "unknown operator like"),
        ("$[?(@.a ==)]", 10, "expected a path, a text in quotes"),
        ("$[?(@.a == x)]", 11, "expected a path, a text in quotes"),
        ("$[?(@.a == {})]", 11, "expected a path, a text in quotes"),
        ("$[?(@.a == [1 2])]", 14, "expected ',' or ']' in the list"),
        ("$[?(!@.a == 1)]", 5, "put what '!' denies in parentheses"),
        ("$[?(@ =~ /(?=a)/)]", 9, "look-around and back-references are not supported"),
        ("$[?(@ =~ /(a)\\1/)]", 9, "look-around and back-references are not supported"),
        ("$[?(@ =~ /a(/)]", 9, "missing )"),
        ("$[?(@ =~ /a/x)]", 12, "unknown flag of a regular expression in 'x'; there is i"),
        ("$[?(@ =~ /a)]", 9, "this / has no end"),
        ("$[?(@ =~ /(a?){700}a{700}/)]", 9, "too large"),
        ("$[?(@.a == 'x)]", 11, "this ' has no end"),
        ("$[?(__import__('os').system('x'))]", 4, "expected a path"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_position(
    path: str, position: int, words: str
) -> None:  # AP-13
    with pytest.raises(SyntaxProblem) as wrong:
        evaluate(path)

    assert words in wrong.value.problem
    assert wrong.value.at == position
