"""Every page for everybody: axe-core finds nothing critical or serious, and nothing leaves the window of a phone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from tests.e2e.longwire_process import Longwire
from tests.e2e.sink import Sink
from tests.ui.conftest import signed_in
from tests.ui.places import Shown, furnish

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
PHONE, DESKTOP, WIDE = 360, 1280, 1920
LOOK = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
    .filter(each => ["critical", "serious"].includes(each.impact))
    .map(each => `${each.id}: ${each.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(" | ")}`)"""
WIDER = """() => [...document.querySelectorAll("main *")]
    .filter(each => each.checkVisibility() && !each.closest("pre, .vh, svg"))
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1)
    .slice(0, 3).map(each => each.outerHTML.slice(0, 160))"""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Longwire, Shown]]:
    with Longwire(tmp_path_factory.mktemp("furnished")).start() as server, Sink() as sink:
        yield server, furnish(server.api, sink)


@pytest.mark.parametrize(("scheme", "width"), [("light", DESKTOP), ("dark", WIDE), ("light", PHONE)])
def test_no_page_has_a_critical_or_serious_finding_or_leaves_the_window(
    browser: Browser, furnished: tuple[Longwire, Shown], scheme: Any, width: int
) -> None:
    server, shown = furnished
    # axe is put into the page by the test: the page's own policy would refuse it.
    context = browser.new_context(
        base_url=f"http://127.0.0.1:{server.port}",
        bypass_csp=True,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
    )
    page = context.new_page()
    page.goto("/ui/signIn")
    found = {"sign in": judge(page)}
    context.add_cookies([signed_in(browser, server)])
    for name, path in shown.paths.items():
        page.goto(f"/ui/{path}")
        for card in page.locator("details.card").all():
            card.evaluate("each => { each.open = true }")
        found[name] = judge(page)
    context.close()

    assert {name: each for name, each in found.items() if each} == {}


def judge(page: Page) -> list[str]:
    page.evaluate(AXE)
    return [*page.evaluate(LOOK), *page.evaluate(WIDER)]
