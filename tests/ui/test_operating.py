"""What an operator does on the page of a connection besides reading: downlinks, a period sent again, every value."""

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document, key_matchers
from tests.e2e.lrc import AS_ID, AS_KEY, uplink
from tests.e2e.sink import OK, Reply, Sink
from tests.ui.steps import confirm, edit, proceed, unfold


@pytest.fixture
def made(api: Api, sink: Sink) -> Json:
    return api.create("/connections", connection_document(sink.url(), name=f"app {sink.address[1]}"))


def test_a_downlink_is_sent_through_the_connections_address_and_listed(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    configured = {"asKey": AS_KEY, "asId": AS_ID, "lrcUrl": sink.url("/lrc/downlink")}
    server = api.create("/networkServers", {"name": "LRC", "type": "thingpark", "configuration": configured})
    number = api.create("/connections", connection_document(sink.url(), name="valves"))["id"]
    flow = {"matchers": key_matchers([dev_eui]), "connectors": [{"connectionId": number}]}
    road = Road(api, server["id"], f"/ingest/{server['id']}", number, api.create("/flows", flow)["id"])
    page.goto(f"/ui/connections/{number}")
    form = page.locator("#send")

    form.get_by_label("Device").fill(dev_eui)
    form.get_by_label("FPort").fill("2")
    form.get_by_label("Payload").fill("01 ff")
    form.get_by_label("Confirmed").check()
    form.get_by_role("button", name="Send downlink").click()
    expect(form.get_by_role("alert")).to_contain_text(f"nothing was received from {dev_eui} yet")
    expect(form.get_by_label("Payload")).to_have_value("01 ff")

    message = uplink(dev_eui, 1)
    signed = api.raw(
        "POST", f"{road.uplink_path}?{message.query}", message.body, {"Content-Type": "application/json"}
    )
    assert signed.status in {200, 401, 403}
    form.get_by_role("button", name="Send downlink").click()
    expect(page.locator("#toasts")).to_contain_text("The downlink is on its way.")
    last = page.get_by_role("list", name="The last downlinks")
    expect(last).to_contain_text(f"ACCEPTED to {dev_eui}")
    expect(last).to_contain_text("FPort 2, 01ff, confirmed")
    (asked,) = [each for each in sink.requests if "/lrc/downlink" in each.target]
    assert "Payload=01ff" in asked.target


def test_a_period_is_counted_sent_again_and_watched(page: Page, api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda _: Reply(500)
    road = build_road(api, connection_document(sink.url(), name="was broken"), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("LOST", "LOST")
    sink.answer = lambda _: OK
    page.goto(f"/ui/connections/{road.connection_id}")
    page.clock.resume()
    now = datetime.now(UTC)
    page.get_by_label("From (UTC)").fill(f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M}")
    page.get_by_label("Until (UTC)").fill(f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}")
    page.get_by_role("button", name="Count").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("2 messages will be sent again")
    dialog.get_by_role("button", name="Replay 2").click()

    expect(page.get_by_role("status").filter(has_text="of 2 sent again")).to_be_visible()
    expect(page.locator("#progress")).to_contain_text("2 of 2 sent again, 0 failed. Done.")
    road.wait_for_outcomes("DELIVERED", "DELIVERED")


def test_what_was_carried_is_told_in_words_and_drawn(page: Page, api: Api, sink: Sink, dev_eui: str) -> None:
    sink.answer = lambda request: Reply(500) if b'"FCntUp":2' in request.body else OK
    road = build_road(api, connection_document(sink.url(), name="seen"), [dev_eui])
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("DELIVERED", "LOST")
    page.goto(f"/ui/connections/{road.connection_id}")

    chart = page.get_by_role("img", name="Uplinks a minute: 2 in all")
    expect(chart).to_be_visible()
    assert "1 failed; the last at" in str(chart.get_attribute("aria-label"))
    expect(page.locator("#head")).to_contain_text("95 % within")
    expect(
        page.get_by_role("img", name=re.compile("^Latency of the last 2 requests: .* ms, the newest"))
    ).to_be_visible()
    page.get_by_role("link", name="1D").click()
    expect(page.get_by_role("img", name="Uplinks every 15 minutes: 2 in all")).to_be_visible()


def test_what_waits_is_drawn_and_told(page: Page, api: Api, sink: Sink, dev_eui: str) -> None:
    sink.close()
    road = build_road(api, connection_document(sink.url(), name="behind"), [dev_eui])
    page.goto(f"/ui/connections/{road.connection_id}")
    chart = page.get_by_role("img", name="Messages that waited")
    expect(page.get_by_role("img", name="Uplinks a minute")).to_be_visible()
    expect(chart).to_have_count(0)

    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_state("CLOSED")
    page.reload()
    expect(chart).to_be_visible()
    assert re.fullmatch(
        r"Messages that waited: at most 2, at \d\d:\d\d UTC; 2 now\.", str(chart.get_attribute("aria-label"))
    )
    expect(page.get_by_text("Messages that waited: at most 2.")).to_be_visible()
    page.get_by_role("link", name="1D").click()
    expect(chart).to_be_visible()


class Value(NamedTuple):
    """A value on the page, what is chosen for it, where it stands in the document, and what the page tells then."""

    card: str
    label: str
    chosen: str
    path: tuple[str, ...]
    stored: object
    told: str = ""


@pytest.mark.parametrize(
    "value",
    [
        Value("Advanced settings", "Requests a second", "2.5", ("maxRequestsPerSecond",), 2.5),
        Value("Downlink settings", "FPort", "7", ("downlinkPort",), 7),
        Value("Advanced settings", "Strict mode action", "CLOSE", ("strictModeAction",), "CLOSE"),
        Value("Advanced settings", "Debug", "true", (), True, "bodies are kept, until"),
        Value("TLS", "Verify certificate", "false", ("tls", "verify"), False, "Certificate not verified"),
    ],
    ids=lambda value: value.label,
)
def test_every_kind_of_value_is_edited_in_place(page: Page, api: Api, made: Json, value: Value) -> None:
    page.goto(f"/ui/connections/{made['id']}")
    unfold(page, value.card)
    edit(page, value.label)
    field = page.locator("#f-value")
    if value.stored in {True, False, "CLOSE"}:
        field.select_option(value.chosen)
    else:
        field.fill(value.chosen)
    proceed(page, made["name"])

    saved = api.get(f"/connections/{made['id']}")
    found = saved["configuration"] if value.path else saved["debug"]
    for name in value.path:
        found = found[name]
    assert found == value.stored
    expect(page.locator("#head")).to_contain_text(value.told)


def test_a_wrong_certificate_is_told_where_it_was_typed(page: Page, made: Json) -> None:
    page.goto(f"/ui/connections/{made['id']}")
    unfold(page, "TLS")
    edit(page, "Client certificate")
    page.locator("#f-value").fill("no PEM")
    page.get_by_label("Client key").fill("no PEM either")
    confirm(page)
    page.get_by_role("dialog").get_by_role("button", name="Proceed update").click()

    expect(page.locator("#edit").get_by_role("alert")).to_contain_text("PEM")
    expect(page.locator("#f-value")).to_have_value("no PEM")
    expect(page.get_by_label("Client key")).to_have_value("no PEM either")
