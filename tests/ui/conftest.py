"""A Longwire, a destination, and a real Chromium that is signed in."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from playwright._impl._api_structures import SetCookieParam
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.e2e.api_client import Api
from tests.e2e.conftest import dev_eui, sink  # noqa: F401 - the same fixtures
from tests.e2e.longwire_process import Longwire

expect.set_options(timeout=15_000)  # CI has 2 busy cores
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give a browser to one file: while Playwright runs, no other test in this process may run an event loop."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip("Chromium is not installed (on Debian: apt install chromium)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Longwire]:
    with Longwire(tmp_path_factory.mktemp("pages")).start() as longwire:
        yield longwire


@pytest.fixture
def api(server: Longwire) -> Api:
    return server.api


@pytest.fixture
def context(browser: Browser, server: Longwire) -> Iterator[BrowserContext]:
    """Give a browser that nobody is signed in with; a violation of the page's policy, or an error, fails the test."""
    opened = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
    opened.set_default_timeout(10_000)
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.on("weberror", lambda problem: complaints.append(str(problem.error)))
    yield opened
    opened.close()
    # An answer that is no success is the test's own business.
    told = ("Failed to load resource", "Response Status Error Code")
    assert [each for each in complaints if not each.startswith(told)] == []


@pytest.fixture(scope="module")
def cookie(browser: Browser, server: Longwire) -> SetCookieParam:
    """Give the cookie of an owner who has signed in once for all tests of a file."""
    return signed_in(browser, server)


@pytest.fixture
def page(context: BrowserContext, cookie: SetCookieParam) -> Page:
    """Give the dashboard, signed in as the owner; its clock stands still, so that no toast goes away by itself."""
    context.add_cookies([cookie])
    opened = context.new_page()
    opened.clock.install()
    opened.clock.pause_at(datetime.now(UTC) + timedelta(seconds=1))
    opened.goto("/ui/")
    return opened


def signed_in(browser: Browser, server: Longwire) -> SetCookieParam:
    """Return the cookie of an owner who has just signed in."""
    opened = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
    page = opened.new_page()
    page.goto("/ui/")
    sign_in(page, str(server.api.key))
    (found,) = opened.cookies()
    opened.close()
    return cast("SetCookieParam", found)


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/ui/**")
