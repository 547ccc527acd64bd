"""Patterns: what is compiled, what is refused and where, and what a message makes of them (specification, 7)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples
from tests.samples.files import read_lines

from longwire.core.errors import InvalidInput
from longwire.core.json_text import read_roots
from longwire.core.message import ROOTS
from longwire.core.pattern import Literal, Path, Placeholder, Query, Rendered, compile_pattern, render
from longwire.core.reading import read_message

CASES = read_lines("jsonpath_cases.jsonl")
UPLINK = (
    '{"DevEUI":"70B3D5E75E000001","FPort":5,"LrrSNR":-7.250,"MeanPER":5e-06,"Late":false,"ADRbit":true,'
    '"Time":null,"Empty":"","Big":123456789012345678901234567890,"Huge":1e400,"Name é":"東京 😀",'
    '"CustomerData":{"name":"Fridge \\u0031\\u0032","loc":null,"alr":{ "pro": "a b" , "ver":1 },"name2":"x"},'
    '"Lrrs":[ {"Lrrid" : "1"} , 2 ],"One":[7],"None":[],"Twice":{"a":1,"a":2},"a\\"b":"quoted"}'
).encode()


def rendered(pattern: str, content: bytes = UPLINK) -> Rendered:
    message = read_message(b'{"DevEUI_uplink":' + content + b"}")
    return render(compile_pattern(pattern, "headers.X"), message)


@pytest.mark.parametrize("case", CASES, ids=[case["pattern"] for case in CASES])
def test_a_documented_pattern_gives_the_documented_text(case: dict[str, Any]) -> None:
    content = case["msg"].get("DevEUI_uplink", case["msg"])
    assert rendered(case["pattern"], json.dumps(content).encode()).text == case["expect"]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{DevEUI}", "70B3D5E75E000001"),
        ("a{DevEUI}b{FPort}c", "a70B3D5E75E000001b5c"),
        ("{ DevEUI }", "70B3D5E75E000001"),
        ("{FPort}", "5"),
        ("{LrrSNR}", "-7.250"),
        ("{MeanPER}", "5e-06"),
        ("{Big}", "123456789012345678901234567890"),
        ("{Huge}", "1e400"),
        ("{Late} {ADRbit}", "false true"),
        ("{CustomerData.name}", "Fridge 12"),
        ("{ CustomerData . name }", "Fridge 12"),
        ("{CustomerData.alr.pro}", "a b"),
        ("{CustomerData.alr}", '{"pro":"a b","ver":1}'),
        ("{Lrrs}", '[{"Lrrid":"1"},2]'),
        ("{One}", "[7]"),
        ("{None}", "[]"),
        ("{Twice.a}", "2"),  # the last of equal members
        ("{Name é}", "東京 😀"),
        ("{Empty|'none'}", ""),  # an empty string is a value
    ],
)
def test_a_value_is_written_as_in_the_message(pattern: str, text: str) -> None:  # HI-11
    assert rendered(pattern) == Rendered(text, ())


@pytest.mark.parametrize(
    "name",
    ["Missing", "Time", "CustomerData.loc", "CustomerData.Missing", "DevEUI.x", "Lrrs.Lrrid", "Time.x"],
)
def test_a_missing_member_and_null_become_nothing_and_are_named(name: str) -> None:
    assert rendered(f"a{{{name}}}b") == Rendered("ab", (name,))
    assert rendered(f"a{{{name}|DevEUI}}b") == Rendered("a70B3D5E75E000001b", ())
    assert rendered(f"a{{{name}|'none'}}b") == Rendered("anoneb", ())


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{Missing|Time|'x'}", "x"),
        ("{Missing | FPort | 'x'}", "5"),
        ("{'x'|DevEUI}", "x"),
        ("{Missing|''}", ""),
        ("{'a|b'}", "a|b"),
        ("{'}'}", "}"),
        ("{'{'}", "{"),
        ("{'it\\'s'}", "it's"),
        ("{'\\\\'}", "\\"),
        ("{'\\\\\\''}", "\\'"),
        ("{'\\n'}", "\\n"),
        ("{'/['}", "/["),
    ],
)
def test_the_first_alternative_with_a_value_wins(pattern: str, text: str) -> None:
    assert rendered(pattern) == Rendered(text, ())


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("{{}}", "{}"),
        ("{{DevEUI}}", "{DevEUI}"),
        ("{{{DevEUI}}}", "{70B3D5E75E000001}"),
        ("{{{{", "{{"),
        ("}}", "}"),
        ('{{"eui":"{DevEUI}"}}', '{"eui":"70B3D5E75E000001"}'),
        ("", ""),
    ],
)
def test_double_braces_are_literal_braces(pattern: str, text: str) -> None:
    assert rendered(pattern).text == text


@pytest.mark.parametrize(
    ("pattern", "position", "words"),
    [
        ("}", 0, "a single '}'"),
        ("ab}", 2, "a single '}'"),
        ("{", 0, "has no '}'"),
        ("ab{DevEUI", 2, "has no '}'"),
        ("{{{", 2, "has no '}'"),
        ("{DevEUI}}", 8, "a single '}'"),
        ("{a{b}", 2, "a name cannot hold {"),
        ("{}", 1, "a name is missing"),
        ("{ }", 2, "a name is missing"),
        ("{a.}", 1, "a name is missing"),
        ("{.a}", 1, "a name is missing"),
        ("{a..b}", 1, "a name is missing"),
        ("{a|}", 3, "a name is missing"),
        ("{|a}", 1, "a name is missing"),
        ("xy{a||b}", 5, "a name is missing"),
        ("{'a}", 1, "this ' has no end"),
        ("{a|'b\\'}", 3, "this ' has no end"),
        ("{'a'b}", 4, "unexpected text; expected '|' or '}' after 'a'"),
        ("{a[0]}", 2, "a name cannot hold [; a JsonPath begins with '$'"),
        ("{a|b(c)}", 4, "a name cannot hold ("),
        ("{a/b}", 2, "a name cannot hold /"),
        ("{@.a}", 1, "a name cannot hold @"),
        ('{"a"}', 1, 'a name cannot hold "'),
        ("{a[}", 2, "a name cannot hold ["),
        ("{a[", 0, "has no '}'"),
        ("{$.a", 0, "has no '}'"),
        ("{$.a b}", 5, "unexpected text; expected '|' or '}' after $.a"),
        ("{a|$.b[}", 7, "expected a quoted name, an index"),
    ],
)
def test_a_syntax_error_is_refused_with_its_position(pattern: str, position: int, words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        compile_pattern(pattern, "configuration.headers.X")

    message = str(error.value)
    assert message.startswith(f"configuration.headers.X: pattern syntax error at position {position}: ")
    assert words in message
    assert error.value.field == "configuration.headers.X"


@pytest.mark.parametrize("root", sorted(ROOTS))
def test_names_are_relative_to_whatever_the_root_is(root: str) -> None:
    body, _, _ = read_roots(f'{{"{root}":{{"DevEUI":"A","n":1}}}}'.encode())
    message = read_message(body)

    assert render(compile_pattern("{DevEUI}/{n}", "x"), message).text == "A/1"
    assert render(compile_pattern(f"{{$.{root}.DevEUI}}", "x"), message).text == "A"
    assert render(compile_pattern(f"{{{root}.DevEUI}}", "x"), message).missing == (f"{root}.DevEUI",)


def test_a_compiled_pattern_is_made_of_literals_and_placeholders() -> None:
    compiled = compile_pattern("a{{b{c.d| $.r.c |$..x|'e'}", "x")

    assert compiled.source == "a{{b{c.d| $.r.c |$..x|'e'}"
    assert [part for part in compiled.parts if isinstance(part, Literal)] == [Literal("a{b")]
    (placeholder,) = (part for part in compiled.parts if isinstance(part, Placeholder))
    assert placeholder.source == "c.d| $.r.c |$..x|'e'"
    assert placeholder.alternatives[0] == Path(("c", "d"))
    assert placeholder.alternatives[1] == Path(("c",), root="r")
    assert isinstance(placeholder.alternatives[2], Query)
    assert placeholder.alternatives[3] == Literal("e")


def test_patterns_are_equal_when_their_texts_are() -> None:
    assert compile_pattern("{$..tags[?(@ =~ /a/)]}", "x") == compile_pattern("{$..tags[?(@ =~ /a/)]}", "y")
    assert compile_pattern("{$..tags[?(@ =~ /a/)]}", "x") != compile_pattern("{$..tags[?(@ =~ /b/)]}", "x")


def test_only_values_are_encoded_not_the_literal_parts() -> None:
    compiled = compile_pattern("a{DevEUI}b{Missing|'c'}", "x")
    message = read_message(b'{"r":{"DevEUI":"d"}}')

    assert render(compiled, message, str.upper).text == "aDbC"


# Laws


@given(st.text().filter(lambda text: not {"{", "}"}.intersection(text)))
@examples(60)
def test_a_text_without_braces_renders_to_itself(text: str) -> None:
    assert rendered(text) == Rendered(text, ())


@given(st.text("{}'|$[](/.a \\"))
@examples(100)
def test_a_text_with_its_braces_doubled_renders_to_itself(text: str) -> None:
    assert rendered(text.replace("{", "{{").replace("}", "}}")) == Rendered(text, ())


@given(st.text())
@examples(60)
def test_any_text_can_stand_in_quotes(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    assert rendered(f"{{Missing|'{quoted}'}}") == Rendered(text, ())


@given(st.text("{}'|$[](/.a \\?@*0:=~,\"!&"))
@examples(600)
def test_a_pattern_is_compiled_or_refused_with_a_position_inside_it(text: str) -> None:
    try:
        compiled = compile_pattern(text, "x")
    except InvalidInput as error:
        position = int(str(error).partition("position ")[2].partition(":")[0])
        assert 0 <= position <= len(text)
    else:
        assert compiled.source == text


@given(
    st.text(max_size=8).filter(lambda name: name.strip() and not set("{}[]()'\"/|$@.\\").intersection(name))
)
@examples(60)
def test_any_other_name_can_be_asked_for(name: str) -> None:
    content = json.dumps({name.strip(): "found"}).encode()
    assert rendered(f"{{{name}}}", content).text == "found"


# What a part of a pattern is written as, and what it becomes.
PARTS = st.one_of(
    st.text("ab /?=&|'$[]()@\\", min_size=1, max_size=5).map(lambda text: (text, text)),
    st.sampled_from([("{{", "{"), ("}}", "}")]),
    st.text("ab}|{[/$", max_size=5).map(lambda text: (f"{{Missing|'{text}'}}", text)),
    st.sampled_from(
        [
            ("{DevEUI}", "70B3D5E75E000001"),
            ("{ Time | LrrSNR }", "-7.250"),
            ("{$..Missing|FPort}", "5"),
            ("{$.DevEUI_uplink.Lrrs[?(@.Lrrid =~ /[1}|']/)].Lrrid}", "1"),
            ("{$..['a\"b']}", "quoted"),
            ("{Missing}", ""),
        ]
    ),
)


@given(st.lists(PARTS, max_size=8))
@examples(200)
def test_a_pattern_renders_to_what_its_parts_render_to(parts: list[tuple[str, str]]) -> None:
    source = "".join(written for written, _ in parts)

    assert rendered(source).text == "".join(text for _, text in parts)
    assert compile_pattern(source, "x") == compile_pattern(source, "y")
