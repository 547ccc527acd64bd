"""Sessions of the pages, without a browser: what a cookie opens, which forms are taken, and where signing in leads."""

import socket
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from tests.e2e.api_client import Answer, Api, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import HANG, Sink

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def sign_in(api: Api, after: str = "", **headers: str) -> Answer:
    form = urlencode({"key": api.key, "next": after}).encode()
    return api.raw(
        "POST", "/ui/signIn", form, FORM | {name.replace("_", "-"): headers[name] for name in headers}
    )


def cookie_of(answer: Answer) -> str:
    assert answer.status == 303, answer
    return answer.headers["set-cookie"].partition(";")[0]


def is_signed_in(api: Api, cookie: str) -> bool:
    return api.raw("GET", "/ui/connections", headers={"Cookie": cookie}).status == 200


def test_a_cookie_that_was_changed_is_not_valid_any_more_than_one_that_was_signed_out(api: Api) -> None:
    cookie = cookie_of(sign_in(api))
    name, _, value = cookie.partition("=")
    mark, _, token = value.partition(".")
    assert is_signed_in(api, cookie)

    assert not is_signed_in(api, f"{name}=another{mark}.{token}")
    assert not is_signed_in(api, f"{name}=.{token}")
    assert not is_signed_in(api, f"{name}={mark}.{api.key}")


@pytest.mark.parametrize("other", ['a={"b": [1, 2]}', "odd name=1", "=", "a=b=c", "\u00e9=1"])
def test_a_cookie_of_somebody_else_on_this_host_signs_nobody_out(api: Api, other: str) -> None:
    cookie = cookie_of(sign_in(api))

    assert is_signed_in(api, f"{other}; {cookie}")


def test_what_a_cookie_carries_opens_no_api_and_a_token_of_the_api_no_page(api: Api) -> None:
    token = cookie_of(sign_in(api)).partition(".")[2]
    # The test's key is the one that is configured.
    client = {
        "grant_type": "client_credentials",
        "client_id": "configured",
        "client_secret": str(api.key),
    }
    path = "/iot-flow/v1/oauth/token"
    issued = api.raw("POST", path, urlencode(client).encode(), FORM).json()["access_token"]

    assert Api(api.port, token).call("GET", "/connections").status == 401
    assert Api(api.port, issued).call("GET", "/connections").status == 200
    assert not is_signed_in(api, f"longwire_session=mark.{issued}")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_no_other_site_signs_anybody_in(api: Api, headers: dict[str, str]) -> None:
    answer = sign_in(api, **headers)

    assert answer.status == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"csrf=none", FORM, 403),
        (b"name=" + b"x" * 5_000_000, FORM, 413),
        (b"name=\xff\xfe", FORM, 415),
        (b"{}", {"Content-Type": "application/json"}, 415),
        (b"&".join([b"a=1"] * 2000), FORM, 415),
    ],
    ids=["no token", "5 MB", "no UTF-8", "no form", "2000 fields"],
)
def test_a_form_that_is_not_taken_is_told_on_a_page(
    api: Api, body: bytes, kind: dict[str, str], status: int
) -> None:
    answer = api.raw("POST", "/ui/flows", body, {**kind, "Cookie": cookie_of(sign_in(api))})

    assert answer.status == status, answer
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert b"Go to the dashboard" in answer.body


def test_our_own_form_signs_in_with_or_without_what_browsers_say(api: Api) -> None:
    for headers in ({"Origin": f"http://127.0.0.1:{api.port}"}, {"Sec_Fetch_Site": "same-origin"}, {}):
        assert is_signed_in(api, cookie_of(sign_in(api, **headers)))


@pytest.mark.parametrize(
    ("after", "location"),
    [
        ("/ui/events?text=a%20b&page=2", "/ui/events?text=a%20b&page=2"),
        ("/ui/events?text=\u00fc\u4e2d", "/ui/events?text=%C3%BC%E4%B8%AD"),
        ("/ui/events\r\nSet-Cookie: a=b", "/ui/events%0D%0ASet-Cookie:%20a=b"),
        ("//evil.example/ui/", "/ui/"),
        ("/ui/\\evil.example", "/ui/"),
    ],
)
def test_signing_in_leads_to_a_page_of_ours_whatever_it_is_called(
    api: Api, after: str, location: str
) -> None:
    answer = sign_in(api, after)

    assert answer.status == 303
    assert answer.headers["location"] == location


def test_a_page_whose_connection_is_deleted_ends_its_stream(
    longwire: Callable[..., Longwire], sink: Sink
) -> None:
    server = longwire().start()
    created = server.api.create("/connections", connection_document(sink.url()))
    cookie = cookie_of(sign_in(server.api))
    path = f"/ui/connections/{created['id']}/stream"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as page:
        page.sendall(
            f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        with page.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 200")
            assert server.api.call("DELETE", f"/connections/{created['id']}").status in {200, 204}

            assert b"event: end" in answer.read()

    assert b"event: end" in server.api.raw("GET", path, headers={"Cookie": cookie}).body
    assert server.terminate()[0] == 0
    assert "Traceback" not in server.said


def test_sigterm_ends_with_0_while_a_page_is_open_and_a_request_hangs(
    longwire: Callable[..., Longwire], sink: Sink, dev_eui: str
) -> None:
    server = longwire().start()
    sink.answer = lambda _: HANG
    road = build_road(server.api, connection_document(sink.url(), requestTimeout="60s"), [dev_eui])
    road.send(uplink(dev_eui, 1))
    sink.wait_for(1)
    cookie = cookie_of(sign_in(server.api))
    with socket.create_connection(("127.0.0.1", server.port)) as page:
        page.sendall(
            f"GET /ui/connections/{road.connection_id}/stream HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode()
        )
        assert page.recv(12) == b"HTTP/1.1 200"

        code, _ = server.terminate()

    assert code == 0, server.said
    server.start()
    (waiting,) = road.wait_for_outcomes("QUEUED")
    assert road.details(waiting)["attempts"][0]["cause"] == "stopped"
