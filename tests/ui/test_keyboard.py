"""Everything by keyboard: one-hand keys, editing, dialogs, and where the focus is."""

from playwright.sync_api import Page, expect
from tests.e2e.api_client import Api, connection_document
from tests.e2e.sink import Sink
from tests.ui.steps import confirm, edit


def test_keys_go_to_pages_and_to_the_search_but_not_while_somebody_types(page: Page) -> None:
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", name="Connections", level=1)).to_be_visible()
    page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    expect(search).to_be_focused()
    page.keyboard.type("gd?/")
    expect(search).to_have_value("gd?/")

    search.blur()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Search on this page")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("g")
    page.keyboard.press("e")
    expect(page.get_by_role("heading", name="Events", level=1)).to_be_visible()


def test_a_value_is_edited_with_enter_and_left_with_escape(page: Page, api: Api, sink: Sink) -> None:
    made = api.create("/connections", connection_document(sink.url(), name="by hand"))
    page.goto(f"/ui/connections/{made['id']}")
    edit(page, "Name")
    expect(page.locator("#f-value")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#edit")).to_have_count(0)

    edit(page, "Name")
    page.locator("#f-value").fill("by keyboard")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("link", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert api.get(f"/connections/{made['id']}")["name"] == "by hand"

    edit(page, "Name")
    page.locator("#f-value").fill("by keyboard")
    confirm(page)
    expect(page.get_by_role("dialog").get_by_role("link", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Connection 'by keyboard' has been updated")
    expect(page.locator("#toasts")).to_have_attribute("aria-live", "polite")


def test_the_first_stop_of_the_tab_key_leads_past_the_navigation(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
