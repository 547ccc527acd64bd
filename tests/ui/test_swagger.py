"""The Swagger page works in a real browser: without internet, under its content policy, behind any prefix."""

import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.api_client import API, Api
from tests.e2e.longwire_process import Longwire

PREFIX = "/behind/a/prefix"


@pytest.fixture
def prefixed(server: Longwire) -> Iterator[str]:
    """Give the address of a reverse proxy that shows the server below a prefix."""

    class Forward(BaseHTTPRequestHandler):
        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            peer = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            peer.request(self.command, self.path.removeprefix(PREFIX), body, dict(self.headers))
            answer = peer.getresponse()
            content = answer.read() if self.path.startswith(PREFIX) else b""
            self.send_response_only(answer.status if self.path.startswith(PREFIX) else 404)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            peer.close()

        do_GET = do_POST = forward  # noqa: N815 - the names the library calls

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Forward) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{proxy.server_port}{PREFIX}"
        proxy.shutdown()
        thread.join()


def open_swagger(context: BrowserContext, root: str) -> Page:
    page = context.new_page()
    page.goto(f"{root}{API}/swagger-ui.html")
    expect(page.get_by_role("button", name="Authorize")).to_be_visible()
    return page


def execute(page: Page, tag: str, path: str) -> None:
    """Open an operation, send its request, and wait for the answer."""
    page.locator(f'.opblock-tag[data-tag="{tag}"]').click()
    operation = page.locator(f".opblock-get:has([data-path='{path}'])").first
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Execute").click()
    expect(operation.locator(".live-responses-table td.response-col_status").last).to_contain_text("200")


def test_the_page_needs_no_key_and_no_other_host(context: BrowserContext, server: Longwire) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))

    page = open_swagger(context, f"http://127.0.0.1:{server.port}")

    page.locator('.opblock-tag[data-tag="connections"]').click()
    expect(page.get_by_text("Create a connection")).to_be_visible()
    assert {url.split("/")[2] for url in asked if not url.startswith("data:")} == {f"127.0.0.1:{server.port}"}
    assert any(url.endswith("favicon-32x32.png") for url in asked)


def test_a_key_is_entered_and_an_operation_tried(context: BrowserContext, server: Longwire, api: Api) -> None:
    page = open_swagger(context, f"http://127.0.0.1:{server.port}")
    page.get_by_role("button", name="Authorize").click()
    page.get_by_label("auth-bearer-value").fill(str(api.key))
    page.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").last.click()

    execute(page, "connections", f"{API}/connections")


def test_behind_a_prefix_a_client_gets_a_token_and_tries_an_operation(
    context: BrowserContext, prefixed: str, api: Api
) -> None:
    made = api.create("/apiKeys", {"name": "swagger", "role": "Reader"})
    page = open_swagger(context, prefixed)
    page.get_by_role("button", name="Authorize").click()
    page.locator("#client_id_clientCredentials").fill(made["id"])
    page.locator("#client_secret_clientCredentials").fill(made["key"])
    page.get_by_role("button", name="Apply given OAuth2 credentials").click()
    expect(page.get_by_role("button", name="Remove authorization").first).to_be_visible()
    page.get_by_role("button", name="Close").last.click()

    execute(page, "events", f"{API}/events")
