"""Pages in bad company: texts of others, a server that goes away, guesses of keys, a proxy that adds a path."""

import http.client
import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.ports import free_port
from tests.e2e.sink import Reply, Sink
from tests.ui.conftest import sign_in

MARKUP = "<img src=x onerror=alert(1)>\"'{{7*7}}</script>"
PREFIX = "/lora/wire"


def test_markup_of_devices_headers_answers_and_events_is_only_text(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(500, (("X-Said", MARKUP),), MARKUP.encode())
    document = connection_document(sink.url(), name=MARKUP, headers={"X-Note": MARKUP.replace("{{7*7}}", "")})
    road = build_road(api, document, [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")
    assert api.patch(f"/devices/{dev_eui}", {"name": MARKUP}).status == 200

    for path, text in (
        ("devices?q=onerror", MARKUP),
        (f"devices/{dev_eui}", MARKUP),
        (f"connections/{road.connection_id}", f"X-Note: {MARKUP.replace('{{7*7}}', '')}"),
        (f"events?connection={road.connection_id}", MARKUP),
        (f"deliveries/{lost['id']}", MARKUP),
        ("connections?q=%3Cimg+src%3Dx%3E", "No connection matches."),
    ):
        page.goto(f"/ui/{path}")
        expect(page.locator("main")).to_contain_text(text)
        assert page.locator("img").count() == 0
    page.goto(f"/ui/deliveries/{lost['id']}")
    page.get_by_role("tab", name="Response 500").click()
    expect(page.get_by_label("Response body")).to_have_text(MARKUP)


def test_a_lost_server_is_told_and_the_page_goes_on_by_itself(browser: Browser, tmp_path: Path) -> None:
    with Longwire(tmp_path).start() as longwire, Sink() as sink:
        made = longwire.api.create("/connections", connection_document(sink.url(), name="before"))
        context = browser.new_context(base_url=f"http://127.0.0.1:{longwire.port}")
        page = context.new_page()
        page.goto(f"/ui/connections/{made['id']}")
        sign_in(page, str(longwire.api.key))
        expect(page.locator("#head")).to_contain_text("OPENED")
        longwire.terminate()
        expect(page.get_by_role("alert")).to_contain_text("The server does not answer. What you see is from")

        longwire.start()
        expect(page.get_by_role("alert")).to_have_count(0, timeout=40_000)
        longwire.api.patch(f"/connections/{made['id']}", {"name": "after"})
        expect(page.get_by_role("heading", name="after")).to_be_visible(timeout=40_000)
        context.close()


def test_who_guesses_keys_is_told_to_wait_in_words(browser: Browser, tmp_path: Path) -> None:
    with Longwire(tmp_path, {"LONGWIRE_MAX_FAILED_LOGINS_PER_MINUTE": "2"}).start() as longwire:
        page = browser.new_page(base_url=f"http://127.0.0.1:{longwire.port}")
        page.goto("/ui/")
        for _ in range(2):
            sign_in(page, "lw_wrong")
            expect(page.get_by_role("alert")).to_contain_text("This key is not valid")
        sign_in(page, "lw_wrong")
        expect(page.get_by_role("alert")).to_contain_text(re.compile("wrong|again|wait", re.IGNORECASE))
        expect(page.get_by_role("alert")).not_to_contain_text("This key is not valid")
        page.context.close()


class Proxy:
    """A reverse proxy on loopback that answers below `PREFIX`, and passes the path on with it or without."""

    def __init__(self, target: int, *, strips: bool) -> None:
        self.port = free_port()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), _Passing)
        self._server.daemon_threads = True
        self._server.target, self._server.strips = target, strips  # type: ignore[attr-defined]
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Passing(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if not self.path.startswith(PREFIX):
            self.send_error(404)
            return
        peer = http.client.HTTPConnection("127.0.0.1", self.server.target, timeout=20)  # type: ignore[attr-defined]
        strips: bool = self.server.strips  # type: ignore[attr-defined]
        path = self.path.removeprefix(PREFIX) if strips else self.path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        peer.request(self.command, path, body, dict(self.headers))
        answer = peer.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while part := answer.read1(65536):
            self.wfile.write(part)

    do_POST = do_GET  # noqa: N815 - the name the library calls

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=[True, False], ids=["stripped", "passed on"])
def proxied(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Longwire, int]]:
    longwire = Longwire(tmp_path)
    proxy = Proxy(longwire.port, strips=request.param)
    longwire.settings["LONGWIRE_PUBLIC_URL"] = f"http://127.0.0.1:{proxy.port}{PREFIX}"
    with longwire.start():
        yield longwire, proxy.port
    proxy.close()


def test_pages_work_behind_a_proxy_that_adds_a_path(
    browser: Browser, proxied: tuple[Longwire, int], sink: Sink
) -> None:
    longwire, port = proxied
    context: BrowserContext = browser.new_context()
    failed: list[str] = []
    context.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{port}{PREFIX}/ui/")
    sign_in(page, str(longwire.api.key))
    page.get_by_role("link", name="Connections", exact=True).click()
    page.get_by_role("link", name="Create", exact=True).click()
    page.get_by_role("link", name="ThingPark X IoT Flow").click()
    page.get_by_role("link", name="HTTP").click()
    page.get_by_label("Name", exact=False).first.fill("proxied")
    page.get_by_label("Destination URL").fill(sink.url())
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#head")).to_contain_text("OPENED")
    expect(page.locator("#downlink")).to_contain_text(f":{port}{PREFIX}/iot-flow/downlinkMessages/")
    page.get_by_role("button", name=re.compile("^Theme")).click()
    expect(page.get_by_role("heading", name="proxied")).to_be_visible()

    assert page.url.startswith(f"http://127.0.0.1:{port}{PREFIX}/ui/")
    assert failed == []
    context.close()
