"""The journeys of the original's page, step by step, in its words (specification, section 16)."""

import re
from typing import cast

import pytest
from playwright._impl._api_structures import SetCookieParam
from playwright.sync_api import BrowserContext, Page, expect
from tests.e2e.api_client import Api, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import OK, Reply, Sink
from tests.ui.conftest import sign_in
from tests.ui.steps import edit, proceed, unfold


@pytest.fixture
def connection(api: Api, sink: Sink) -> str:
    """Give the id of a connection named as the test's sink."""
    return str(
        api.create("/connections", connection_document(sink.url(), name=f"app {sink.address[1]}"))["id"]
    )


def open_form(page: Page) -> None:
    page.get_by_role("link", name="Connections").click()
    page.get_by_role("link", name="Create", exact=True).click()
    page.get_by_role("link", name="ThingPark X IoT Flow").click()
    page.get_by_role("link", name="HTTP").click()


def test_creating_a_connection_ends_on_its_details_with_a_toast(page: Page, api: Api, sink: Sink) -> None:
    open_form(page)
    page.get_by_label("Name", exact=False).first.fill("my-http-application")
    page.get_by_label("Destination URL").fill(sink.url())
    page.get_by_label("Header name").fill("X-Device")
    page.get_by_label("Header value").fill("{DevEUI}")
    page.get_by_label("Description").fill("From the browser")
    page.get_by_role("button", name="Create").click()

    expect(page.locator("#toasts")).to_contain_text(
        "DoneThe connection 'my-http-application' has been successfully created."
    )
    expect(page.get_by_role("heading", name="my-http-application")).to_be_visible()
    number = re.search(r"/connections/(\d+)", page.url)
    assert number is not None
    made = api.get(f"/connections/{number[1]}")
    assert made["name"] == "my-http-application"
    assert made["configuration"]["headers"] == {"X-Device": "{DevEUI}"}
    assert made["configuration"]["description"] == "From the browser"
    expect(page.get_by_text("You can send your downlink by using the following end-point:")).to_be_visible()
    expect(page.locator("#downlink")).to_have_text(made["downlinkUrl"])


def test_a_wrong_value_stays_in_the_form_with_its_reason(page: Page) -> None:
    open_form(page)
    page.get_by_label("Name", exact=False).first.fill("kept")
    page.get_by_label("Destination URL").fill("ftp://h/")
    page.get_by_role("button", name="Create").click()

    expect(page.get_by_role("alert")).to_contain_text("http:// or https://")
    expect(page.get_by_label("Name", exact=False).first).to_have_value("kept")
    expect(page.get_by_text("1 value needs your attention: Destination URL.")).to_be_visible()


def test_a_value_is_edited_in_place_and_confirmed(page: Page, api: Api, sink: Sink, connection: str) -> None:
    name = f"app {sink.address[1]}"
    page.goto(f"/ui/connections/{connection}")
    edit(page, "Destination URL")
    page.get_by_label("Destination URL").fill(sink.url("/other"))
    proceed(page, name)

    assert api.get(f"/connections/{connection}")["configuration"]["destinationURL"] == sink.url("/other")


def test_cancel_in_the_dialog_changes_nothing(page: Page, api: Api, connection: str) -> None:
    before = api.get(f"/connections/{connection}")["configuration"]
    page.goto(f"/ui/connections/{connection}")
    edit(page, "Description")
    page.get_by_label("Description").fill("not this")
    page.get_by_role("button", name="Confirm", exact=True).click()
    page.get_by_role("dialog").get_by_role("link", name="Cancel").click()

    expect(page.get_by_role("dialog")).to_have_count(0)
    assert api.get(f"/connections/{connection}")["configuration"] == before


def test_headers_are_added_and_removed(page: Page, api: Api, sink: Sink, connection: str) -> None:
    name = f"app {sink.address[1]}"
    api.patch(
        f"/connections/{connection}", {"configuration": {"headers": {"X-Old": "1", "Authorization": "s"}}}
    )
    page.goto(f"/ui/connections/{connection}")
    expect(page.get_by_text("Authorization: *****")).to_be_visible()
    edit(page, "Headers")
    page.get_by_role("button", name="Remove X-Old").click()
    page.get_by_label("Header name").last.fill("X-Site")
    page.get_by_label("Header value").last.fill("{CustomerData.name|'unknown'}")
    proceed(page, name)

    assert api.get(f"/connections/{connection}")["configuration"]["headers"] == {
        "Authorization": "*****",
        "X-Site": "{CustomerData.name|'unknown'}",
    }


def test_a_proxy_is_added_after_creation_and_changed(
    page: Page, api: Api, sink: Sink, connection: str
) -> None:
    name = f"app {sink.address[1]}"
    page.goto(f"/ui/connections/{connection}")
    unfold(page, "Proxy")
    edit(page, "Hostname")
    page.get_by_label("Hostname").fill(f"http://127.0.0.1:{sink.address[1]}")
    proceed(page, name)
    unfold(page, "Proxy")
    edit(page, "Username")
    page.get_by_label("Username").fill("me")
    proceed(page, name)

    proxy = api.get(f"/connections/{connection}")["configuration"]["proxy"]
    assert proxy == {"hostname": f"http://127.0.0.1:{sink.address[1]}", "username": "me"}


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(
    page: Page, api: Api, connection: str
) -> None:
    page.goto(f"/ui/connections/{connection}")
    edit(page, "Description")
    api.patch(f"/connections/{connection}", {"configuration": {"description": "theirs"}})
    page.get_by_label("Description").fill("mine")
    page.get_by_role("button", name="Confirm", exact=True).click()
    page.get_by_role("button", name="Proceed update").click()

    expect(page.locator("#toasts")).to_contain_text("Somebody changed this connection meanwhile")
    expect(page.get_by_label("Description")).to_have_value("mine")
    expect(page.locator("#theirs")).to_have_text("theirs")
    assert api.get(f"/connections/{connection}")["configuration"]["description"] == "theirs"


def test_deleting_asks_first(page: Page, api: Api, connection: str) -> None:
    page.goto(f"/ui/connections/{connection}")
    page.get_by_role("link", name=re.compile("^Delete")).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()

    expect(page.locator("#toasts")).to_contain_text("has been deleted")
    assert api.call("GET", f"/connections/{connection}").status == 404


def test_a_name_that_is_markup_is_only_text(page: Page, api: Api, sink: Sink) -> None:
    name = "<img src=x onerror=alert(1)>'\"{{7*7}}"
    made = api.create("/connections", connection_document(sink.url(), name=name))
    page.goto(f"/ui/connections/{made['id']}")

    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert page.locator("img").count() == 0


def test_a_wrong_key_is_told_and_signing_out_ends_the_session(
    context: BrowserContext, server: Longwire
) -> None:
    page = context.new_page()
    page.goto("/ui/connections")
    sign_in(page, "lw_wrong")
    expect(page.get_by_role("alert")).to_contain_text("This key is not valid")
    sign_in(page, str(server.api.key))
    expect(page).to_have_url(re.compile(r"/ui/connections$"))
    cookies = {each["name"]: each for each in context.cookies()}
    assert cookies["longwire_session"]["httpOnly"]
    assert cookies["longwire_session"]["sameSite"] == "Strict"

    page.get_by_role("button", name="Sign out").click()
    context.add_cookies([cast("SetCookieParam", cookies["longwire_session"])])
    page.goto("/ui/connections")

    expect(page.get_by_label("API key")).to_be_visible()


def test_a_form_without_the_sessions_token_is_refused(page: Page, api: Api, connection: str) -> None:
    answer = page.request.post(f"/ui/connections/{connection}/delete", form={"csrf": "0" * 64})

    assert answer.status == 403
    assert api.call("GET", f"/connections/{connection}").status == 200


def test_a_page_goes_nowhere_else_after_signing_in(context: BrowserContext, server: Longwire) -> None:
    page = context.new_page()
    page.goto("/ui/signIn?next=//evil.example/")
    sign_in(page, str(server.api.key))

    expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    assert page.url == f"http://127.0.0.1:{server.port}/ui/"


def test_uplinks_and_the_state_appear_without_a_reload(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url(), name="live"), [dev_eui])
    page.goto(f"/ui/connections/{road.connection_id}")
    expect(page.get_by_text("No delivery yet.")).to_be_visible()
    expect(page.locator("#head")).to_contain_text("OPENED")

    road.send(uplink(dev_eui, 1))

    expect(page.locator("#deliveries")).to_contain_text(dev_eui)
    expect(page.locator("#deliveries")).to_contain_text("DELIVERED")
    sink.close()
    road.send(uplink(dev_eui, 2))
    expect(page.locator("#head")).to_contain_text("Not reachable for")
    expect(page.locator("#head")).to_contain_text("refused")
    expect(page.get_by_role("button", name="Retry now")).to_be_visible()
    sink.open()
    page.get_by_role("button", name="Retry now").click()
    road.wait_for_outcomes("DELIVERED", "DELIVERED")


def test_a_delivery_shows_what_was_sent_and_is_sent_again(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(503, body=b"busy <b>")
    headers = {"X-Thing": "{DevEUI}", "Authorization": "Bearer hidden"}
    road = build_road(api, connection_document(sink.url(), name="replayed", headers=headers), [dev_eui])
    road.send(uplink(dev_eui, 1))
    (lost,) = road.wait_for_outcomes("LOST")
    page.goto(f"/ui/connections/{road.connection_id}")
    page.locator("#deliveries").get_by_role("link").first.click()

    expect(page.get_by_role("row", name=f"X-Thing {dev_eui} {{DevEUI}}")).to_be_visible()
    expect(page.get_by_role("row", name="Authorization ***** secret")).to_be_visible()
    page.get_by_role("tab", name="Response 503").click()
    expect(page.get_by_label("Response body")).to_have_text("busy <b>")
    sink.answer = lambda _: OK
    page.get_by_role("link", name="Replay", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Longwire-Attempt: 2")
    page.get_by_role("dialog").get_by_role("button", name="Replay").click()

    expect(page.locator("#toasts")).to_contain_text("The message is sent again")
    road.wait_for_outcomes("DELIVERED")
    assert [each.message_id for each in sink.requests] == [lost["messageId"]] * 2


def test_a_device_gets_an_application(page: Page, api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url(), name=f"first {dev_eui}"), [dev_eui])
    other = api.create("/connections", connection_document(sink.url(), name=f"second {dev_eui}"))
    road.send(uplink(dev_eui, 1))
    page.goto(f"/ui/devices/{dev_eui}")
    page.get_by_role("link", name="Add an application").click()
    page.get_by_label("Select an application").select_option(other["id"])
    page.get_by_role("button", name="Confirm").click()

    expect(page.locator("#toasts")).to_contain_text(re.compile("Update doneDevice '.*' has been updated"))
    assert api.get(f"/devices/{dev_eui}")["connectionIds"] == [other["id"]]


@pytest.mark.parametrize(
    "path", ["", "connections", "devices", "flows", "networkServers", "events", "deadLetters"]
)
def test_a_reader_sees_every_page_and_changes_nothing(
    context: BrowserContext, api: Api, sink: Sink, path: str
) -> None:
    key = api.create("/apiKeys", {"name": "watcher", "role": "Reader"})["key"]
    made = api.create("/connections", connection_document(sink.url()))
    page = context.new_page()
    page.goto(f"/ui/{path}")
    sign_in(page, key)
    expect(page.get_by_role("heading", level=1)).not_to_contain_text("did not work")

    page.goto(f"/ui/connections/{made['id']}")
    expect(page.locator("#downlink")).to_have_text(re.compile(r"\*\*\*\*\*$"))
    page.get_by_role("button", name="Send a sample").click()
    expect(page.get_by_role("heading", name="Your key does not allow this")).to_be_visible()
