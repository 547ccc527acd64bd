"""What happens to people: a form sent twice, the back button, a session that ends, odd names, a page that is gone."""

import re

import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.api_client import Api, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.sink import Sink
from tests.ui.conftest import sign_in
from tests.ui.steps import confirm, edit

LONG = "W" * 255
RIGHT_TO_LEFT = "\u0645\u062d\u0637\u0629 \u0627\u0644\u0645\u064a\u0627\u0647 \u202e42"


def test_a_form_that_is_sent_twice_makes_one_connection(page: Page, api: Api, sink: Sink) -> None:
    name = f"once {sink.address[1]}"
    page.goto("/ui/connections/create/http")
    page.get_by_label("Name", exact=False).first.fill(name)
    page.get_by_label("Destination URL").fill(sink.url())
    page.get_by_role("button", name="Create").dblclick()
    expect(page.get_by_role("heading", name=name)).to_be_visible()

    assert len(api.get(f"/connections?q={sink.address[1]}")) == 1


def test_after_the_back_button_a_form_can_be_sent_again(page: Page, api: Api, sink: Sink) -> None:
    page.goto("/ui/connections/create/http")
    page.get_by_label("Name", exact=False).first.fill(f"back {sink.address[1]}")
    page.get_by_label("Destination URL").fill(sink.url())
    page.get_by_role("button", name="Create").click()
    expect(page.locator("#toasts")).to_contain_text("has been successfully created")
    page.go_back()
    page.get_by_label("Name", exact=False).first.fill(f"again {sink.address[1]}")
    page.get_by_label("Destination URL").fill(sink.url())
    page.get_by_role("button", name="Create").click()

    expect(page.get_by_role("heading", name=f"again {sink.address[1]}")).to_be_visible()
    assert len(api.get(f"/connections?q={sink.address[1]}")) == 2


def test_who_is_signed_out_while_editing_is_told_and_comes_back_to_the_value(
    context: BrowserContext, page: Page, api: Api, server: Longwire, sink: Sink
) -> None:
    number = api.create("/connections", connection_document(sink.url(), name="left alone"))["id"]
    page.goto(f"/ui/connections/{number}")
    edit(page, "Description")
    page.get_by_label("Description").fill("typed in the evening")
    context.clear_cookies()
    confirm(page)

    expect(page.get_by_role("alert")).to_contain_text(
        "Your session has ended, and what you sent was not saved"
    )
    sign_in(page, str(server.api.key))
    expect(page.get_by_label("Description")).to_be_visible()
    assert page.url.partition("#")[0].endswith(f"/ui/connections/{number}?edit=description")


def test_who_is_signed_out_while_typing_is_told_and_loses_nothing(
    context: BrowserContext, page: Page, sink: Sink
) -> None:
    page.goto("/ui/connections/create/http")
    page.clock.resume()
    page.get_by_label("Name", exact=False).first.fill("kept")
    context.clear_cookies()
    page.get_by_label("Destination URL").press_sequentially(sink.url())

    expect(page.get_by_role("alert")).to_contain_text("You are signed out. Sign in again in another tab")
    expect(page.get_by_label("Destination URL")).to_have_value(sink.url())
    expect(page.get_by_label("Name", exact=False).first).to_have_value("kept")


def test_an_open_page_of_who_has_signed_out_shows_nothing_new(
    context: BrowserContext, api: Api, server: Longwire, sink: Sink
) -> None:
    number = api.create("/connections", connection_document(sink.url(), name="before"))["id"]
    page = context.new_page()
    page.goto(f"/ui/connections/{number}")
    sign_in(page, str(server.api.key))
    expect(page.locator("#head")).to_contain_text("OPENED")
    other = context.new_page()
    other.goto("/ui/settings")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_label("API key")).to_be_visible()
    api.patch(f"/connections/{number}", {"name": "after"})

    expect(page.get_by_role("alert")).to_contain_text("This page is no longer live")
    expect(page.get_by_role("heading", name="before")).to_be_visible()
    page.get_by_role("link", name="Load it again").click()
    expect(page.get_by_label("API key")).to_be_visible()


def test_what_was_deleted_in_another_tab_is_not_there_any_more(page: Page, api: Api, sink: Sink) -> None:
    number = api.create("/connections", connection_document(sink.url(), name="deleted"))["id"]
    page.goto(f"/ui/connections/{number}")
    edit(page, "Name")
    page.locator("#f-value").fill("too late")
    assert api.call("DELETE", f"/connections/{number}").status == 204
    confirm(page)

    expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()


@pytest.mark.parametrize(
    "name", [LONG, RIGHT_TO_LEFT, "  ", "\u200b"], ids=["long", "right to left", "blank", "no width"]
)
@pytest.mark.parametrize("width", [360, 1280])
def test_no_name_breaks_a_page(page: Page, api: Api, sink: Sink, name: str, width: int) -> None:
    number = api.create("/connections", connection_document(sink.url(), name=name, description=name))["id"]
    api.create(
        "/flows",
        {
            "name": name,
            "connectors": [{"connectionId": number}],
            "matchers": [{"type": "thing", "tags": [f"{sink.address[1]} {width} {name}"[:255]]}],
        },
    )
    page.set_viewport_size({"width": width, "height": 800})
    for path in (
        f"connections/{number}",
        "connections",
        "flows",
        f"connections/{number}/delete",
        "events",
        "",
    ):
        page.goto(f"/ui/{path}")
        wide = page.evaluate("() => document.documentElement.scrollWidth > innerWidth")
        assert not wide, path
    page.goto("/ui/connections")
    link = page.locator(f'td a[href$="/connections/{number}"]')
    assert re.search(r"\w", link.inner_text()), "nothing to click on"
