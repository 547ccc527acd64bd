"""The destination URL: what is dialled is fixed by its author, what is asked for is filled in from the message."""

import string
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.destination import MAX_URL_BYTES, parse_destination, render_target
from longwire.core.errors import InvalidInput, LongwireError
from longwire.core.http import Endpoint
from longwire.core.json_text import quote
from longwire.core.reading import read_message

EMPTY = read_message(b'{"r":{}}')
UNRESERVED = frozenset(string.ascii_letters + string.digits + "-._~")


def target(url: str, value: str | None = None, member: str = "DevEUI") -> str | None:
    """Return path and query for a message whose DevEUI is `value`; None when it is refused."""
    content = b"{}" if value is None else b"{" + quote(member) + b":" + quote(value) + b"}"
    rendered = render_target(
        parse_destination(url, "destinationURL"), read_message(b'{"r":' + content + b"}")
    )
    return None if rendered is None else rendered.text


@pytest.mark.parametrize(
    ("url", "endpoint", "text"),
    [
        ("http://sink", Endpoint("http", "sink", 80), "/"),
        ("https://sink", Endpoint("https", "sink", 443), "/"),
        ("http://sink/", Endpoint("http", "sink", 80), "/"),
        ("HTTP://SINK.Example/A", Endpoint("http", "sink.example", 80), "/A"),
        ("https://sink:8443/a?b=c", Endpoint("https", "sink", 8443), "/a?b=c"),
        ("http://sink:1/", Endpoint("http", "sink", 1), "/"),
        ("http://sink:65535", Endpoint("http", "sink", 65535), "/"),
        ("http://sink:00080/", Endpoint("http", "sink", 80), "/"),
        ("http://sink?b=c", Endpoint("http", "sink", 80), "/?b=c"),
        ("http://sink:81?b", Endpoint("http", "sink", 81), "/?b"),
        ("http://sink?", Endpoint("http", "sink", 80), "/?"),
        ("http://sink.:81/", Endpoint("http", "sink", 81), "/"),  # SS-15
        ("http://192.0.2.1/", Endpoint("http", "192.0.2.1", 80), "/"),
        ("http://[2001:DB8:0::1]/", Endpoint("http", "2001:db8::1", 80), "/"),
        ("http://[2001:db8::1]:81/", Endpoint("http", "2001:db8::1", 81), "/"),
        ("http://bücher.example/", Endpoint("http", "xn--bcher-kva.example", 80), "/"),
        ("http://sink/é/東?q=ü b", Endpoint("http", "sink", 80), "/%C3%A9/%E6%9D%B1?q=%C3%BC%20b"),
        ("http://sink/%C3%A9%2f", Endpoint("http", "sink", 80), "/%C3%A9%2f"),
        ("http://sink//a/../b", Endpoint("http", "sink", 80), "//a/../b"),
        ("http://sink/a{{b}}", Endpoint("http", "sink", 80), "/a%7Bb%7D"),
        ("http://sink/a@b:c;d=e,f'(g)*!$&+~[h]", Endpoint("http", "sink", 80), "/a@b:c;d=e,f'(g)*!$&+~[h]"),
        ('http://sink/"<>^`', Endpoint("http", "sink", 80), "/%22%3C%3E%5E%60"),
        ("http://sink/?u=http://other/", Endpoint("http", "sink", 80), "/?u=http://other/"),
    ],
)
def test_a_url_says_whom_to_dial_and_what_to_ask_for(url: str, endpoint: Endpoint, text: str) -> None:
    destination = parse_destination(url, "destinationURL")

    assert destination.endpoint == endpoint
    assert destination.url == url
    assert target(url) == text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sink/", "must begin with http:// or https://"),
        ("ftp://sink/", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("javascript:alert(1)", "must begin with"),
        ("http:/sink", "must begin with"),
        ("//sink/", "must begin with"),
        (" http://sink/", "must begin with"),
        ("http://", "the host is missing"),
        ("http:///a", "the host is missing"),
        ("http://:80/", "the host is missing"),
        ("http://?a", "the host is missing"),
        ("http://sink:0/", "the port must be 1..65535, got 0"),
        ("http://sink:65536/", "the port must be 1..65535, got 65536"),
        ("http://sink:/", "cannot tell host and port apart in 'sink:'"),
        ("http://sink:8O/", "cannot tell host and port apart in 'sink:8O'"),
        ("http://sink:-1/", "cannot tell host and port apart"),
        ("http://sink:000080/", "cannot tell host and port apart"),
        ("http://sink:80:81/", "cannot tell host and port apart"),
        ("http://{DevEUI}/", "host and port cannot hold patterns"),
        ("http://sink:{FPort}/", "host and port cannot hold patterns"),
        ("http://sink{DevEUI}", "host and port cannot hold patterns"),
        ("http://sink{$..a[?(@ =~ /b/)]}", "host and port cannot hold patterns"),
        ("http://sink:{$['/']}/", "host and port cannot hold patterns"),
        ("http://{{sink}}/", "host and port cannot hold patterns"),
        ("http://sink/a#b", "a fragment"),
        ("http://sink#b", "a fragment"),
        ("http://sink/\\evil", "backslashes and control characters"),
        ("http://sink/\x00", "backslashes and control characters"),
        ("http://sink/a\r\nX-Evil: 1", "backslashes and control characters"),
        ("http://sink/\t", "backslashes and control characters"),
        ("http://sink/\x7f", "backslashes and control characters"),
        ("http://sink\n", "backslashes and control characters"),
        ("http://sink\t/", "the host has a part"),
        ("http://si nk/", "the host has a part"),
        ("http://sink/{a", "pattern syntax error at position 1"),
        ("http://[::1/", "cannot tell host and port apart"),
        ("http://[::1]x/", "cannot tell host and port apart"),
        ("http://[::1]x]/", "is not an IPv6 address"),
        ("http://[::1]:[80]/", "is not an IPv6 address"),
        ("http://[]/", "is not an IPv6 address"),
    ],
)
def test_a_url_that_could_be_misread_is_refused(url: str, words: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_destination(url, "configuration.destinationURL")

    assert error.value.field == "configuration.destinationURL"
    assert words in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://user:pw@sink/",
        "http://user@sink/",
        "http://evil@127.0.0.1:80/",
        "http://127.0.0.1\\@sink/",
        "http://sink\\@127.0.0.1/",
        "http://sink#@127.0.0.1/",
        "http://sink:80#@127.0.0.1/",
        "http://@sink/",
        "http://sink%40127.0.0.1/",
        "http://%6c%6f%63alhost/",
    ],
)
def test_user_information_and_what_looks_like_it_is_refused(url: str) -> None:  # SS-13, SS-15
    with pytest.raises(InvalidInput):
        parse_destination(url, "destinationURL")


@pytest.mark.parametrize(
    "url", ["http://2001:db8::5:80/", "http://::1/", "http://2001:db8::1/", "http://1:2:3/"]
)
def test_an_ipv6_address_without_brackets_is_refused_since_its_end_could_be_a_port(url: str) -> None:
    with pytest.raises(InvalidInput, match="an IPv6 address stands in brackets"):
        parse_destination(url, "destinationURL")


def test_a_url_has_at_most_8_kib() -> None:  # SS-19
    longest = "http://sink/" + "é" * ((MAX_URL_BYTES - 12) // 2)

    assert parse_destination(longest, "x").url == longest
    with pytest.raises(InvalidInput, match="longer than 8192 bytes"):
        parse_destination(longest + "a", "x")


# What a message fills in


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("70B3D5E75E000001", "70B3D5E75E000001"),
        ("../../admin", "..%2F..%2Fadmin"),
        ("x?y=1#z", "x%3Fy%3D1%23z"),
        ("a b", "a%20b"),
        ("%2e%2e", "%252e%252e"),
        ("@127.0.0.1:80/", "%40127.0.0.1%3A80%2F"),
        ("//evil", "%2F%2Fevil"),
        ("\\evil", "%5Cevil"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil%3A%201"),
        ("a&b=c+d", "a%26b%3Dc%2Bd"),
        ("é東😀", "%C3%A9%E6%9D%B1%F0%9F%98%80"),
        ("\0", "%00"),
        ("...", "..."),
        ("..;", "..%3B"),
        ("{DevEUI}", "%7BDevEUI%7D"),
        ("", ""),
    ],
)
def test_a_value_is_one_segment_or_query_value(value: str, segment: str) -> None:  # HI-05
    assert target("http://sink/d/{DevEUI}/up", value) == f"/d/{segment}/up"
    assert target("http://sink/d?eui={DevEUI}&x=1", value) == f"/d?eui={segment}&x=1"
    assert target("http://sink/?{DevEUI}", value) == f"/?{segment}"


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("http://sink/d/{DevEUI}", "."),
        ("http://sink/d/{DevEUI}", ".."),
        ("http://sink/d/{DevEUI}/up", ".."),
        ("http://sink/d/.{DevEUI}/up", "."),
        ("http://sink/d/{DevEUI}{DevEUI}", "."),
        ("http://sink/d/%2e{DevEUI}", "."),
        ("http://sink/d/{DevEUI};v=1/up", ".."),
        ("http://sink/d/%{DevEUI}", "2e"),
        ("http://sink/d/{Missing|'..'}", "x"),
        ("http://sink/d/../{DevEUI}", ".."),
        ("http://sink/d/.{DevEUI}", ""),
    ],
)
def test_a_value_that_would_change_the_depth_of_the_path_is_refused(url: str, value: str) -> None:  # HI-05
    assert target(url, value) is None


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://sink/d?eui={DevEUI}", "/d?eui=.."),
        ("http://sink/d?eui=/{DevEUI}/", "/d?eui=/../"),
        ("http://sink/a{DevEUI}", "/a.."),
        ("http://sink/../{DevEUI}a", "/../..a"),
    ],
)
def test_dots_that_are_no_segment_of_the_path_are_values_like_others(url: str, text: str) -> None:
    assert target(url, "..") == text


def test_a_missing_value_is_nothing_and_is_named() -> None:
    destination = parse_destination("http://sink/{DevEUI}?a={b.c}&d={e|'f'}", "x")
    rendered = render_target(destination, EMPTY)

    assert rendered is not None
    assert rendered.text == "/?a=&d=f"
    assert rendered.missing == ("DevEUI", "b.c")


@given(st.text(max_size=20) | st.text("./\\%2eEfF?#@:;&= \r\n", max_size=8))
@examples(200)
def test_no_value_can_change_the_host_the_depth_or_the_other_parameters(value: str) -> None:
    text = target("http://sink/d/{$..DevEUI}/up?eui={DevEUI}&x=1", value)

    if text is None:
        assert value in {".", ".."}
        return
    path, _, query = text.partition("?")
    segments, parameters = path.split("/"), query.split("&")
    assert [segments[0], segments[1], segments[3]] == ["", "d", "up"]
    assert len(segments) == 4
    assert [unquote(segments[2]), unquote(parameters[0])] == [value, f"eui={value}"]
    assert parameters[1:] == ["x=1"]
    assert UNRESERVED.issuperset(segments[2].replace("%", ""))


@given(st.text(max_size=30) | st.text("/?#@:{}[]\\%. \t0aé", max_size=12))
@examples(300)
def test_what_follows_the_scheme_is_understood_or_refused(text: str) -> None:
    try:
        destination = parse_destination(f"http://{text}", "x")
        rendered = render_target(destination, EMPTY)
    except LongwireError:
        return
    assert destination.endpoint.host not in {"", "http"}
    assert set("/?#@\\%{} ").isdisjoint(destination.endpoint.host)
    if rendered is not None:
        assert rendered.text.startswith("/")
        assert rendered.text.isascii()
        assert set("#\\ \t\r\n{}").isdisjoint(rendered.text)
