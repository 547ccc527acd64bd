"""The configuration's `proxy.hostname`: what it may look like (specification, section 3)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longwire.core.errors import InvalidInput
from longwire.core.http import Endpoint, Proxy, TlsSettings
from longwire.core.proxy import basic_credentials, parse_proxy

FIELD = "configuration.proxy"


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("https://mycompany/", Proxy("https", "mycompany", 443)),  # the seed's own example
        ("http://squid", Proxy("http", "squid", 80)),
        ("http://squid:3128", Proxy("http", "squid", 3128)),
        ("http://squid:3128/", Proxy("http", "squid", 3128)),
        ("https://squid", Proxy("https", "squid", 443)),
        ("socks5://squid", Proxy("socks5", "squid", 1080)),
        ("socks5://squid:9/", Proxy("socks5", "squid", 9)),
        ("squid", Proxy("http", "squid", 3128)),
        ("squid/", Proxy("http", "squid", 3128)),
        ("squid:8080", Proxy("http", "squid", 8080)),
        ("HTTP://Squid.Corp.:1", Proxy("http", "squid.corp", 1)),
        ("10.0.0.1", Proxy("http", "10.0.0.1", 3128)),
        ("[2001:DB8::1]", Proxy("http", "2001:db8::1", 3128)),
        ("https://[::1]:8443", Proxy("https", "::1", 8443)),
        ("bücher.example", Proxy("http", "xn--bcher-kva.example", 3128)),
    ],
)
def test_a_proxy_is_read(hostname: str, expected: Proxy) -> None:
    assert parse_proxy(hostname, None, None, FIELD) == expected


@pytest.mark.parametrize(
    ("hostname", "reason"),
    [
        ("", "the host is missing"),
        ("http://", "the host is missing"),
        ("http://:80", "the host is missing"),
        ("ftp://squid", "begins with http://, https:// or socks5://"),
        ("socks4://squid", "begins with http://, https:// or socks5://"),
        ("socks5h://squid", "write socks5://"),
        ("http://user:hunter2@squid", "no user name or password here"),
        ("user@squid", "no user name or password here"),
        ("http://squid/path", "a proxy has no path"),
        ("http://squid//", "a proxy has no path"),
        ("http://squid?x", "a proxy has no path"),
        ("http://squid#x", "a proxy has no path"),
        ("http://squid\\x", "a proxy has no path"),
        ("squid:0", "the port must be 1..65535"),
        ("squid:65536", "the port must be 1..65535"),
        ("squid:", "cannot tell host and port apart"),
        ("squid:http", "cannot tell host and port apart"),
        ("squid:123456", "cannot tell host and port apart"),
        ("::1", "an IPv6 address stands in brackets"),
        ("2001:db8::1:3128", "an IPv6 address stands in brackets"),
        ("http://127.1", "four decimal numbers"),
        ("0x7f000001", "four decimal numbers"),
        ("%73quid", "percent-encoding"),
        (" squid", "expected letters, digits"),
        ("squid\r\nX: y", "cannot tell host and port apart"),
        ("sq\0uid", "expected letters, digits"),
    ],
)
def test_what_is_no_proxy_is_refused_by_its_member(hostname: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_proxy(hostname, "user", "hunter2", FIELD)

    assert refused.value.field == "configuration.proxy.hostname"
    assert reason in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("scheme", "username", "password", "member"),
    [
        ("http", None, "secret", "username"),
        ("http", "", "secret", "username"),
        ("http", "a:b", "secret", "username"),
        ("http", "a\r\nX: y", "secret", "username"),
        ("http", "user", "secret\n", "password"),
        ("socks5", "user", "secret\0", "password"),
        ("http", "user", "secret\ud800", "password"),
        ("socks5", "u" * 256, "secret", "username"),
        ("socks5", "user", "é" * 128, "password"),
        ("https", "user", "p" * 1025, "password"),
    ],
)
def test_credentials_that_cannot_be_sent_are_refused_by_their_member(
    scheme: str, username: str | None, password: str, member: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_proxy(f"{scheme}://squid", username, password, FIELD)

    assert refused.value.field == f"configuration.proxy.{member}"
    assert password not in str(refused.value)


@pytest.mark.parametrize(
    ("scheme", "username", "password"),
    [
        ("socks5", "u" * 255, "é" * 127),
        ("socks5", "a:b", "c"),
        ("http", "user", "a:b:c"),
        ("https", "é", "東京"),
    ],
)
def test_credentials_at_the_edge_are_taken(scheme: str, username: str, password: str) -> None:
    proxy = parse_proxy(f"{scheme}://squid", username, password, FIELD)

    assert (proxy.username, proxy.password) == (username, password)


@pytest.mark.parametrize(("username", "password"), [(None, None), ("", ""), ("", None), (None, "")])
def test_empty_credentials_are_none(username: str | None, password: str | None) -> None:
    proxy = parse_proxy("squid", username, password, FIELD)

    assert basic_credentials(proxy) is None


@pytest.mark.parametrize(
    ("username", "password", "expected"),
    [
        ("Aladdin", "open sesame", b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),  # RFC 7617, section 2
        ("test", "123£", b"Basic dGVzdDoxMjPCow=="),  # RFC 7617, section 2.1
        ("user", None, b"Basic dXNlcjo="),
    ],
)
def test_basic_credentials(username: str, password: str | None, expected: bytes) -> None:
    assert basic_credentials(Proxy("http", "squid", 3128, username, password)) == expected


@given(
    st.from_regex(r"((http|https|socks5)://)?[a-z0-9.\[\]:-]{1,40}(:[0-9]{1,5})?/?", fullmatch=True)
    | st.text()
)
def test_any_text_gives_a_proxy_that_reads_back_as_itself_or_a_reason(hostname: str) -> None:
    with contextlib.suppress(InvalidInput):
        proxy = parse_proxy(hostname, None, None, FIELD)
        assert parse_proxy(f"{proxy.scheme}://{proxy.authority}", None, None, FIELD) == proxy


def test_no_secret_shows_in_a_repr() -> None:
    proxy = Proxy("http", "squid", 3128, "user", "hunter2")
    endpoint = Endpoint("https", "sink", 443, proxy, TlsSettings("CA", "CERTIFICATE", "KEY"))

    assert "hunter2" not in repr(endpoint)
    assert "KEY" not in repr(endpoint)


def test_an_endpoint_is_another_with_another_proxy_or_other_tls_settings() -> None:
    plain = Endpoint("https", "sink", 443)
    others = [
        Endpoint("https", "sink", 443, Proxy("http", "squid", 3128)),
        Endpoint("https", "sink", 443, Proxy("http", "squid", 3128, "user", "one")),
        Endpoint("https", "sink", 443, Proxy("http", "squid", 3128, "user", "two")),
        Endpoint("https", "sink", 443, tls=TlsSettings(verify=False)),
    ]

    assert len({plain, *others}) == 5
    assert {endpoint.authority for endpoint in others} == {"sink"}
