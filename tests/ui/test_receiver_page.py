"""The page of `longwire receiver`, and the link that signs in to the demo, in a browser."""

import re
import subprocess
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from tests.e2e.longwire_process import PROGRAM, Longwire, environment
from tests.e2e.ports import free_port
from tests.e2e.waiting import wait_until


def post(port: int, body: bytes) -> int:
    peer = HTTPConnection("127.0.0.1", port, timeout=10)
    peer.request("POST", "/lora", body, {"X-Thing": "<b>1</b>"})
    status = peer.getresponse().status
    peer.close()
    return status


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [PROGRAM, "receiver", "--port", str(port)],
        cwd=tmp_path,
        env=environment({}),
        stdout=subprocess.DEVNULL,
    )

    def answers() -> bool:
        try:
            return post(port, b"") == 200
        except OSError:
            return False

    wait_until("the receiver answers", answers, timeout_s=20)
    yield port
    process.terminate()
    process.wait(10)


def test_the_receiver_shows_requests_as_they_come_and_fails_hangs_or_flaps_when_told(
    browser: Browser, receiver: int
) -> None:
    page = browser.new_page(base_url=f"http://127.0.0.1:{receiver}")
    page.goto("/")
    post(receiver, b'{"DevEUI_uplink":{"FCntUp":1,"n":1e999}}')
    article = page.locator("article").first
    expect(article).to_contain_text('"FCntUp": 1')
    expect(article).to_contain_text("X-Thing: <b>1</b>")
    for word, status in (("Fail", 500), ("Flap", 200), ("Answer 200", 200)):
        page.get_by_role("button", name=word, exact=True).click()
        expect(page.get_by_role("button", name=word, exact=True)).to_have_attribute("aria-pressed", "true")
        assert post(receiver, b"{}") == status
    page.get_by_role("button", name="Hang", exact=True).click()
    expect(page.get_by_role("button", name="Hang", exact=True)).to_have_attribute("aria-pressed", "true")
    peer = HTTPConnection("127.0.0.1", receiver, timeout=0.5)
    peer.request("POST", "/lora", b"{}")
    with pytest.raises(TimeoutError):
        peer.getresponse()
    peer.close()
    page.context.close()


def test_the_demo_prints_a_link_that_signs_in_once(browser: Browser, tmp_path: Path) -> None:
    demo = Longwire(tmp_path)
    demo.command = [PROGRAM, "demo"]
    with demo.start():
        link = wait_until("the link is printed", lambda: re.search(r"http\S+ticket=\S+", demo.said))[0]
        page = browser.new_page()
        page.goto(link)
        expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
        page.context.clear_cookies()
        page.goto(link)
        expect(page.get_by_role("alert")).to_contain_text("The link was used already")
        page.context.close()
