"""Destinations, headers and patterns that can never work, and what is not built yet: refused by name at save."""

import re
from typing import Any

import pytest
from tests.e2e.api_client import Api, Json, connection_document, key_matchers
from tests.e2e.test_bad_input import check_error, spoil

URL = "http://127.0.0.1:9/hook"
CONNECTION: Json = connection_document(URL, active=False)
SERVER: Json = {"name": "LRC", "type": "thingpark", "configuration": {}}
FLOW: Json = {"name": "flow", "matchers": key_matchers(["00000000000000EF"]), "connectors": []}


def refuse(api: Api, document: Json, field: str) -> str:
    """Check that a connection is refused at create and at replace; return the message."""
    before = api.ids("/connections")
    message = check_error(api.call("POST", "/connections", document), 400, field)["message"]
    assert api.ids("/connections") == before
    kept = api.create("/connections", CONNECTION)
    check_error(api.call("PUT", f"/connections/{kept['id']}", document), 400, field)
    assert api.get(f"/connections/{kept['id']}")["configuration"] == kept["configuration"]
    assert api.call("DELETE", f"/connections/{kept['id']}").status == 204
    return str(message)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "javascript:alert(1)",
        "example.org/hook",
        "//example.org/hook",
        "http:example.org",
        "http://",
        "http:///hook",
        "https://:443/",
        "http://?x=1",
        "http://user:pw@example.org/",
        "http://user@example.org/",
        "http://example.org@127.0.0.1/",
        "http://127.0.0.1\\@example.org/",
        "http://exa mple.org/",
        "http://example.org/\r\nX-Evil: 1",
        "http://example.org/\u0000",
        " http://example.org/",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:http/",
        "http://example.org:-1/",
        "http://[::1/",
        "http://[zz::1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.1/",
        "http://010.8.8.8/",
        "http://127.0.0.256/",
        "http://%6c%6f%63alhost/",
        "http://" + "a" * 300 + ".example/",
        "http://a..example/",
        "http://{DevEUI}.example.org/",
        "http://{DevEUI}/",
        "{url}",
        "http://example.org:{FPort}/",
        "http{x}://example.org/",
        "http://example.org/{DevEUI",
        "http://example.org/?x={}",
    ],
)
def test_a_url_that_can_never_be_dialled_is_refused(api: Api, url: str) -> None:
    refuse(api, connection_document(url, active=False), "configuration.destinationURL")


@pytest.mark.parametrize("length", [8 * 1024 + 1, 9 * 1024, 70 * 1024])
def test_a_url_over_8_kib_is_refused_with_the_limit(api: Api, length: int) -> None:
    url = "http://example.org/" + "x" * (length - 19)
    assert "longer than" in refuse(
        api, connection_document(url, active=False), "configuration.destinationURL"
    )


def with_header(name: str, value: Any) -> Json:
    return connection_document(URL, active=False, headers={name: value})


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "HOST",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "TE",
        "Trailer",
        "upgrade",
        "Expect",
        "Proxy-Authorization",
        "Proxy-Connection",
        "proxy-anything",
        "Content-Encoding",
        "webhook-id",
        "Webhook-Signature",
        "webhook-x",
        "Longwire-Attempt",
        "longwire-anything",
    ],
)
def test_a_header_that_would_break_framing_or_ours_is_refused_by_name(api: Api, name: str) -> None:
    assert name in refuse(api, with_header(name, "x"), f"configuration.headers.{name}")


@pytest.mark.parametrize(
    "name", ["X Thing", "X:Thing", "Zürich", "X\r\nY", "X\u0000", "(x)", "X,Y", 'X"', "{DevEUI}"]
)
def test_a_header_name_is_a_token(api: Api, name: str) -> None:
    refuse(api, with_header(name, "x"), f"configuration.headers.{name}")


def test_a_header_needs_a_name(api: Api) -> None:
    answer = api.call("POST", "/connections", with_header("", "x"))
    assert check_error(answer, 400)["data"]["field"].startswith("configuration.headers")


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\u0000b"])
def test_a_header_value_has_no_line_end_and_no_nul(api: Api, value: str) -> None:
    assert "X-Value" in refuse(api, with_header("X-Value", value), "configuration.headers.X-Value")


def test_the_same_name_in_another_case_is_refused(api: Api) -> None:
    document = connection_document(URL, active=False, headers={"X-A": "1", "x-a": "2"})
    check_error(api.call("POST", "/connections", document), 400)


@pytest.mark.parametrize(("count", "status"), [(100, 201), (101, 400)])
def test_at_most_100_headers(api: Api, count: int, status: int) -> None:
    headers = {f"X-{number}": "x" for number in range(count)}
    answer = api.call("POST", "/connections", connection_document(URL, active=False, headers=headers))
    assert answer.status == status, answer
    if status == 400:
        assert "100" in check_error(answer, 400, "configuration.headers")["message"]


@pytest.mark.parametrize(
    ("pattern", "position"),
    [
        ("{DevEUI", 0),
        ("abc{DevEUI", 3),
        ("{}", 1),
        ("{a|}", 3),
        ("{|a}", 1),
        ("{a||b}", 3),
        ("{'a}", 1),
        ("a}", 1),
        ("{a.}", 3),
        ("{.a}", 1),
        ("{a..b}", 3),
        ("{a}{", 3),
        ("{a{b}}", 2),
        ("x{$..a[?@.b]}", 8),
        ("{$.a[(@.length-1)]}", 5),
        ("{$..a[?(@ =~ /(?=b)/)]}", 12),
    ],
)
def test_a_pattern_that_cannot_be_read_is_refused_with_the_position(
    api: Api, pattern: str, position: int
) -> None:
    message = refuse(api, with_header("X-Value", pattern), "configuration.headers.X-Value")
    named = [int(number) for number in re.findall(r"\d+", message)]
    assert named, message
    assert min(abs(number - position) for number in named) <= 2, f"about {position}: {message}"


NOT_BUILT: dict[str, list[tuple[str, Any]]] = {
    "connections": [
        ("alarms", [{"startTime": "2026-01-01T00:00:00Z", "uplinkRateMinPerHour": 1}]),
        ("upOperations", [{"type": "filter", "keepDeviceUplink": True}]),
        ("dlOperations", [{"type": "callProcessor", "id": "CHIRPSTACK"}]),
    ],
    "networkServers": [
        ("type", "chirpstack"),
        ("type", "thethingsstack"),
    ],
    "flows": [
        ("driver", {"id": "actility:auto:1"}),
        ("upOperations", [{"type": "filter"}]),
    ],
}
DOCUMENTS = {"connections": CONNECTION, "networkServers": SERVER, "flows": FLOW}
ROWS = [(route, path, value) for route, rows in NOT_BUILT.items() for path, value in rows]


@pytest.mark.parametrize(("route", "path", "value"), ROWS, ids=[f"{r}-{p}-{v!s:.16}" for r, p, v in ROWS])
def test_a_member_that_is_not_built_yet_is_refused_by_name(
    api: Api, route: str, path: str, value: Any
) -> None:
    before = api.ids(f"/{route}")
    document = spoil(DOCUMENTS[route], path, value)
    if path.startswith("connectors[0]"):
        document["connectors"][0]["connectionId"] = api.create("/connections", CONNECTION)["id"]
    error = check_error(api.call("POST", f"/{route}", document), 400)
    assert error["message"].startswith("not available yet: "), error
    assert path.partition("[")[0] in error["message"]
    assert api.ids(f"/{route}") == before


LATER_ROUTES = [
    ("GET", "/drivers"),
    ("POST", "/drivers"),
    ("GET", "/drivers/a:b:1"),
    ("PATCH", "/drivers/a:b:1"),
    ("DELETE", "/drivers/a:b:1"),
    ("GET", "/drivers/providers"),
    ("GET", "/drivers/manufacturers"),
    ("POST", "/drivers/validate/code"),
    ("POST", "/decode"),
    ("POST", "/decode/batch"),
    ("POST", "/decode/code"),
    ("POST", "/encode"),
    ("POST", "/encode/code"),
    ("POST", "/processor/execute"),
]


@pytest.mark.parametrize(("method", "path"), LATER_ROUTES, ids=[f"{m} {p}" for m, p in LATER_ROUTES])
def test_a_route_that_is_not_built_yet_is_a_501(api: Api, method: str, path: str) -> None:
    answer = api.call(method, path, {} if method in {"POST", "PUT", "PATCH"} else None)
    assert "not available yet" in check_error(answer, 501)["message"]
