"""What is live in a page: it costs nothing while nothing happens, waits while somebody reads, and says when it ends."""

import asyncio
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.sink import Sink
from tests.ui.front import OWNER, Reads, look, opened

from longwire.core.configuration import parse_connection
from longwire.web.ui import live

LOOKS = 30
"""Statements that a look at the whole page of a connection may take."""


async def test_an_idle_page_asks_the_database_for_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (store, front):
        document = connection_document("http://192.0.2.1/", name="idle", active=False)
        await store.configurations.create(parse_connection(document))
        cookie = store.sessions.open(store.accounts.identify(OWNER)).partition(";")[0]
        reads = Reads(store.database)
        for path in ("/ui/stream", "/ui/connections/1/stream"):
            stream = asyncio.create_task(look(front, path, cookie))
            reads.statements = 0
            await reads.some()
            await asyncio.sleep(live.EVERY_S)
            assert reads.statements <= LOOKS, (path, reads.statements)

            reads.statements = 0
            await asyncio.sleep(3 * live.EVERY_S)
            assert reads.statements == 0, path

            await store.configurations.restart(1)
            await reads.some()
            stream.cancel()
            await asyncio.gather(stream, return_exceptions=True)


def test_the_tail_waits_while_somebody_has_scrolled_down_in_it(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url(), name="tail"), [dev_eui])
    road.send(*(uplink(dev_eui, number) for number in range(1, 25)))
    road.wait_for_outcomes(*["DELIVERED"] * 24)
    page.goto(f"/ui/connections/{road.connection_id}")
    page.clock.resume()
    rows = page.locator("#deliveries tbody tr")
    expect(rows).to_have_count(24)
    expect(page.locator("#paused")).to_be_hidden()
    page.locator("#deliveries").evaluate("each => each.scrollIntoView()")
    road.send(uplink(dev_eui, 25))
    expect(rows).to_have_count(25)

    rows.last.scroll_into_view_if_needed()
    road.send(uplink(dev_eui, 26))
    road.wait_for_outcomes(*["DELIVERED"] * 26)
    paused = page.get_by_role("button", name="Paused: show what is new")
    expect(paused).to_be_attached()
    expect(page.locator("#deliveries .foot")).to_contain_text("25 in the log")
    expect(page.locator("#head")).to_contain_text("OPENED")

    paused.click()
    expect(page.locator("#deliveries .foot")).to_contain_text("26 in the log")
    expect(paused).to_have_count(0)


def test_an_open_menu_is_not_taken_away_and_what_came_meanwhile_is_shown_then(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url(), name="menu"), [dev_eui])
    page.goto(f"/ui/connections/{road.connection_id}")
    page.clock.resume()
    page.locator("#head summary").click()
    assert api.patch(f"/connections/{road.connection_id}", {"name": "renamed"}).status == 200
    road.send(uplink(dev_eui, 1))
    expect(page.locator("#deliveries")).to_contain_text("DELIVERED")
    expect(page.get_by_role("button", name="Restart")).to_be_visible()

    page.keyboard.press("Escape")
    page.locator("body").click(position={"x": 1, "y": 1})
    expect(page.locator("#head").get_by_role("heading", name="renamed")).to_be_visible()


def test_the_focus_stays_where_it_is_when_something_changes(page: Page, api: Api, sink: Sink) -> None:
    number = api.create("/connections", connection_document(sink.url(), name="before"))["id"]
    page.goto(f"/ui/connections/{number}")
    expect(page.locator("#head")).to_contain_text("OPENED")
    page.get_by_role("button", name="Send a sample").focus()
    api.patch(f"/connections/{number}", {"name": "after"})

    expect(page.get_by_role("heading", name="after")).to_be_visible()
    expect(page.get_by_role("button", name="Send a sample")).to_be_focused()


def test_a_page_whose_connection_is_deleted_elsewhere_says_that_it_is_no_longer_live(
    page: Page, api: Api, sink: Sink
) -> None:
    made = api.create("/connections", connection_document(sink.url(), name="elsewhere"))
    page.goto(f"/ui/connections/{made['id']}")
    expect(page.locator("#head")).to_contain_text("OPENED")
    assert api.call("DELETE", f"/connections/{made['id']}").status == 204

    expect(page.get_by_role("alert")).to_contain_text("This page is no longer live: what you see is from")
    page.get_by_role("link", name="Load it again").click()
    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()


def test_the_dashboard_shows_trouble_as_it_comes_and_goes(page: Page, api: Api, sink: Sink) -> None:
    name = f"sought {sink.address[1]}"
    number = api.create("/connections", connection_document(sink.url(), name=name))["id"]
    page.goto("/ui/")
    trouble = page.get_by_role("region", name="Needs attention")
    expect(trouble.get_by_role("link", name=name)).to_have_count(0)
    sink.close()
    api.call("POST", f"/connections/{number}/restart")
    expect(trouble.get_by_role("link", name=name)).to_be_visible()
    expect(trouble).to_contain_text(f":{sink.address[1]} refused the connection")
    sink.open()
    trouble.locator("li", has=page.get_by_role("link", name=name)).get_by_role(
        "button", name="Retry now"
    ).click()
    expect(page.locator("#head")).to_contain_text("OPENED")
