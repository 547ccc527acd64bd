"""Creating a connection: each value is judged while it is typed, and what will be sent stands beside it."""

from playwright.sync_api import Page, expect
from tests.e2e.api_client import Api
from tests.e2e.sink import Sink

FORM = "/ui/connections/create/http"


def open_form(page: Page) -> None:
    """Open the form; the clock goes on, as a value is judged half a second after it was typed."""
    page.goto(FORM)
    page.clock.resume()


def test_values_are_judged_while_they_are_typed_and_the_request_is_shown(page: Page, sink: Sink) -> None:
    open_form(page)
    page.get_by_label("Destination URL").press_sequentially("ftp://h/")
    expect(page.get_by_role("alert")).to_contain_text("http:// or https://")
    expect(page.get_by_label("Destination URL")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Destination URL")).to_be_focused()
    expect(page.locator("#preview")).to_contain_text("Not yet: Destination URL")

    page.get_by_label("Destination URL").fill(sink.url("/up/{DevEUI}"))
    expect(page.locator(".field.valid", has=page.get_by_label("Destination URL"))).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#preview")).to_contain_text("POST /up/")
    expect(page.locator("#preview")).to_contain_text("Longwire-Attempt: 1")


def test_a_refused_destination_names_the_setting_that_allows_it(page: Page) -> None:
    open_form(page)
    page.get_by_label("Destination URL").press_sequentially("http://192.168.10.20:8090/lora")

    expect(page.get_by_role("alert")).to_contain_text("192.168.10.20 is not a public address")
    expect(page.locator(".copy code")).to_have_text("LONGWIRE_ALLOW_DESTINATIONS=loopback,192.168.10.20/32")
    expect(page.get_by_role("button", name="Copy the setting")).to_be_visible()


def test_headers_become_chips_that_can_be_removed(page: Page, api: Api, sink: Sink) -> None:
    page.goto(FORM)
    page.get_by_label("Destination URL").fill(sink.url())
    for name, value in (("X-Device", "{DevEUI}"), ("Authorization", "Bearer secret"), ("X-Gone", "1")):
        page.get_by_label("Header name").fill(name)
        page.get_by_label("Header value").fill(value)
        page.get_by_label("Header value").press("Enter")
    expect(page.get_by_label("Header name")).to_be_focused()
    expect(page.get_by_text("Authorization: *****")).to_be_visible()
    page.get_by_role("button", name="Remove X-Gone").click()
    page.clock.run_for(1000)
    expect(page.locator("#preview")).to_contain_text("X-Device: ")
    page.get_by_role("button", name="Create").click()

    expect(page.locator("#toasts")).to_contain_text("has been successfully created")
    made = api.get(f"/connections/{page.url.rpartition('/')[2]}")
    assert made["configuration"]["headers"] == {"X-Device": "{DevEUI}", "Authorization": "*****"}


def test_the_form_works_without_script(page: Page, api: Api, sink: Sink) -> None:
    context = page.context.browser.new_context(  # type: ignore[union-attr]
        base_url=page.url.partition("/ui/")[0], java_script_enabled=False
    )
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    plain = context.new_page()
    plain.goto(FORM)
    plain.get_by_label("Name", exact=False).first.fill("plain")
    plain.get_by_label("Destination URL").fill(sink.url())
    plain.get_by_label("Header name").fill("X-Old")
    plain.get_by_label("Header value").fill("1")
    plain.get_by_role("button", name="Add header").click()
    plain.get_by_label("Header name").fill("X-Site")
    plain.get_by_label("Header value").fill("Lyon")
    plain.get_by_role("button", name="Remove X-Old").click()
    plain.get_by_role("button", name="Preview").click()
    expect(plain.locator("#preview")).to_contain_text("X-Site: Lyon")
    plain.get_by_label("Destination URL").press("Enter")

    expect(plain.get_by_role("heading", name="plain")).to_be_visible()
    made = api.get(f"/connections/{plain.url.partition('?')[0].rpartition('/')[2]}")
    assert made["configuration"]["headers"] == {"X-Site": "Lyon"}
    context.close()
